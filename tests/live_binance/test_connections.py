"""Connections that are replaced, doubled, shut down or limited by the venue: no message is lost, and none comes twice."""

from __future__ import annotations

import asyncio
import json
import time

import numpy as np
import pytest
from desk import Desk, Run
from scripted_venue import Client, ScriptedVenue

from vtframe.builtin.binance.back_off import BackOff
from vtframe.domain import BookState

LIVE, GAP, SYNCING = BookState.LIVE, BookState.GAP, BookState.SYNCING
BOTH = ("BTCUSDT", "ETHUSDT")


def ids(desk: Desk, stream: bytes, member: str) -> list[int]:
    """The numbers of a stream's messages, in the order in which they were handed on."""
    head = b'{"stream":"' + stream
    return [json.loads(data)["data"][member] for data in desk.messages if data.startswith(head)]


@pytest.mark.parametrize("transport", ["websockets", "picows"])
@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_a_connection_is_replaced_before_its_time_without_a_message_lost_or_doubled(market: str, transport: str) -> None:
    async def during(run: Run) -> None:
        await run.right()
        enough = 6 if market == "usdm" else 3
        await run.until(lambda: run.feed.report()["renewals"] >= enough, "renewals")
        await run.more(100)
        await run.right()

    with ScriptedVenue(market, BOTH) as venue:
        desk = Run(venue, renew_s=0.5, transport=transport)(during)
    assert desk.states == [[SYNCING, LIVE]] * 2
    for symbol in (b"btcusdt", b"ethusdt"):
        trades = ids(desk, symbol + b"@trade", "t")
        assert trades == list(range(trades[0], trades[-1] + 1))
        last = ids(desk, symbol + b"@depth@", "u")
        assert last == sorted(set(last))
    report = desk.feed.report()
    assert report["losses"] == {}
    assert report["duplicates"] > 0  # both brought the same for a while
    assert report["reconnects"] == 0
    downs = [reason for _, up, reason in desk.connections if not up]
    assert all("replaced by connection" in reason and "its time is nearly up" in reason for reason in downs)


def test_the_venues_word_that_it_shuts_down_is_enough_to_be_elsewhere_before_it_does() -> None:
    async def during(run: Run) -> None:
        await run.right()
        first = run.venue.clients[0]
        run.venue.call(first.socket.send_str('{"e":"serverShutdown","E":1723161600000}'))
        await run.until(lambda: run.feed.report()["renewals"] == 1, "the renewal")
        await run.more(50)
        await run.right()
        assert first not in run.venue.clients

    with ScriptedVenue("spot") as venue:
        desk = Run(venue)(during)
    assert desk.states == [[SYNCING, LIVE]]


def test_two_connections_bring_each_message_once_and_one_may_die_unnoticed() -> None:
    async def during(run: Run) -> None:
        await run.right()
        await run.until(lambda: len(run.venue.clients) == 2, "two connections")
        await run.more(100)
        for _ in range(4):
            before = len(run.desk.connections)
            victim = run.venue.clients[0]
            run.venue.call(victim.socket.close())
            await run.until(lambda before=before: len(run.desk.connections) >= before + 2, "one down, one up")  # type: ignore[misc]
            await run.more(30)
        await run.right()

    with ScriptedVenue("spot", BOTH) as venue:
        desk = Run(venue, redundant=True)(during)
    assert desk.states == [[SYNCING, LIVE]] * 2
    for symbol in (b"btcusdt", b"ethusdt"):
        trades = ids(desk, symbol + b"@trade", "t")
        assert trades == list(range(trades[0], trades[-1] + 1))
        last = ids(desk, symbol + b"@depth@", "u")
        assert last == sorted(set(last))
    report = desk.feed.report()
    assert report["losses"] == {}
    assert report["reconnects"] == 4
    assert report["duplicates"] > 100


def test_a_gap_on_one_of_two_connections_is_none_where_the_other_has_what_is_missing() -> None:
    turn = [0]

    def lossy(client: Client, stream: str, text: str) -> list[str]:
        """Every fifth message of the first connection is lost."""
        turn[0] += 1
        return [] if client.number == 1 and turn[0] % 5 == 0 and "depth" in stream else [text]

    async def during(run: Run) -> None:
        await run.until(lambda: len(run.venue.clients) == 2, "two connections")
        await run.right()
        await run.more(50)
        start = len(run.desk.states[0])
        await run.more(400)
        await run.right()
        assert len(run.desk.states[0]) == start

    with ScriptedVenue("spot") as venue:
        venue.on_send = lossy
        venue.interval_s = 0.01
        desk = Run(venue, redundant=True)(during)
    assert desk.feed.report()["duplicates"] > 100


def test_one_of_two_connections_that_falls_silent_is_found_by_what_the_other_brings() -> None:
    async def during(run: Run) -> None:
        await run.until(lambda: len(run.venue.clients) == 2, "two connections")
        await run.right()
        lines = [line for keeper in run.feed._live._keepers for line in keeper.lines]
        await run.until(lambda: all(tap.frames for line in lines for tap in line.taps.values()), "a message of every stream")
        run.venue.clients[1].mute.add("*")
        await run.until(lambda: run.venue.connections == 3, "a third")
        await run.more(50)
        await run.right()

    with ScriptedVenue("spot") as venue:
        desk = Run(venue, redundant=True)(during)
    assert desk.states == [[SYNCING, LIVE]]
    assert any("is silent here, and comes elsewhere" in reason for _, up, reason in desk.connections if not up)


def test_the_successors_of_two_connections_that_fell_silent_do_not_wait_for_each_other() -> None:
    async def during(run: Run) -> None:
        await run.until(lambda: len(run.venue.clients) == 2, "two connections")
        await run.right()
        lines = [line for keeper in run.feed._live._keepers for line in keeper.lines]
        await run.until(lambda: all(tap.frames for line in lines for tap in line.taps.values()), "a message of every stream")
        for client in run.venue.clients[:2]:
            client.mute.add("*")
        await asyncio.sleep(0.2)  # what is missed now is on neither side
        for line in lines:
            line.ask_to_renew("a test")
        await run.until(lambda: run.venue.connections == 4, "two more")
        await run.until(lambda: run.desk.state() is not LIVE, "the loss")
        await run.right()

    with ScriptedVenue("spot") as venue:
        venue.interval_s = 0.04  # so that what is held until it is too much is more than a test waits for
        desk = Run(venue, redundant=True, silence_s=5.0, quiet_s=5.0)(during)
    assert desk.states[0][:2] == [SYNCING, LIVE]
    assert desk.states[0][-1] is LIVE


def test_streams_beyond_a_connections_limit_get_another_and_requests_keep_the_venues_pace() -> None:
    symbols = tuple(f"A{k:03d}USDT" for k in range(110))  # 220 streams: connections of at most 200, requests of at most 50

    async def during(run: Run) -> None:
        await run.live()

    with ScriptedVenue("usdm", symbols) as venue:
        venue.interval_s = 0.1
        venue.weight_of_depth = 5
        run = Run(venue, snapshot_levels=50, streams=("depth", "bookTicker"), silence_s=5.0)
        asked: list[list[int]] = []

        async def watch(run: Run) -> None:
            await during(run)
            asked.extend([len(request["params"]) for request in client.requests] for client in run.venue.clients)

        run(watch)
    assert sorted(sum(sizes) for sizes in asked) == [20, 200]
    assert all(size <= 50 for sizes in asked for size in sizes)


def test_waiting_grows_is_never_the_same_and_starts_anew_after_success() -> None:
    one, other = (BackOff(np.random.default_rng(seed), first_s=0.5, most_s=8.0) for seed in (1, 2))
    waits = [one.next_s() for _ in range(8)]
    for k, wait in enumerate(waits):
        longest = min(8.0, 0.5 * 2**k)
        assert longest / 2 <= wait <= longest
    assert waits != [other.next_s() for _ in range(8)]
    one.reset()
    assert one.next_s() <= 0.5
    far = BackOff(np.random.default_rng(1), first_s=0.5, most_s=8.0)
    far.failures = 10_000
    assert far.next_s() <= 8.0


def test_nobody_there_is_told_and_tried_until_somebody_is() -> None:
    async def during(run: Run) -> None:
        await run.right()
        refuse.append(True)
        run.venue.drop()
        await run.until(lambda: sum("refused" in one for one in run.desk.damage) >= 3, "three attempts")
        assert not run.desk.all_live
        refuse.clear()
        await run.right()
        await asyncio.sleep(0)

    refuse: list[bool] = []
    with ScriptedVenue("spot") as venue:
        venue.on_subscribe = lambda _, said: (
            {"error": {"code": 3, "msg": "busy"}, "id": said["id"]} if refuse else {"result": None, "id": said["id"]}
        )
        desk = Run(venue)(during)
    assert desk.states == [[SYNCING, LIVE, GAP, LIVE]]


@pytest.mark.parametrize("transport", ["websockets", "picows"])
def test_a_session_that_is_too_slow_skips_no_message_and_what_waits_is_metered(transport: str) -> None:
    def slow(data: bytes) -> None:
        if left[0]:
            left[0] -= 1
            time.sleep(0.01)

    left = [0]

    async def during(run: Run) -> None:
        run.desk.after = slow
        await run.right()
        left[0] = 150
        await run.until(lambda: not left[0], "slowness over")
        await run.more(300)
        await run.right()

    with ScriptedVenue("spot", BOTH) as venue:
        venue.interval_s = 0.002
        desk = Run(venue, silence_s=3.0, transport=transport)(during)
    assert desk.states == [[SYNCING, LIVE]] * 2
    for symbol in (b"btcusdt", b"ethusdt"):
        trades = ids(desk, symbol + b"@trade", "t")
        assert trades == list(range(trades[0], trades[-1] + 1))
    assert desk.feed.report()["most_unread_bytes"] > 5_000
    assert desk.feed.report()["receive_buffer_bytes"] > 100_000
