"""Books that follow a venue over real sockets, whatever it does to them: right, or not live."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from aiohttp import web
from desk import Run
from scripted_venue import Client, ScriptedVenue

from vtframe.domain import BookState

LIVE, GAP, STALE, SYNCING = BookState.LIVE, BookState.GAP, BookState.STALE, BookState.SYNCING
PAIRS = {"spot": ("BTCUSDT", "ETHUSDT"), "usdm": ("BTCUSDT", "ETHUSDT"), "coinm": ("BTCUSD_PERP", "ETHUSD_PERP")}


@pytest.mark.parametrize("transport", ["websockets", "picows"])
@pytest.mark.parametrize("market", list(PAIRS))
def test_books_equal_the_venues_and_go_on_after_a_lost_connection(market: str, transport: str) -> None:
    async def during(run: Run) -> None:
        await run.right()
        await run.more(100)
        await run.right()
        run.venue.drop()
        await run.until(lambda: not run.desk.all_live, "the loss seen")
        await run.right()
        await run.more(100)
        await run.right()

    with ScriptedVenue(market, PAIRS[market]) as venue:
        desk = Run(venue, transport=transport)(during)
    assert desk.states == [[SYNCING, LIVE, GAP, LIVE]] * 2
    assert desk.damage == []
    assert desk.times == sorted(desk.times)
    ups = [number for number, up, _ in desk.connections if up]
    assert len(ups) == len(set(ups)) == venue.connections == (4 if market == "usdm" else 2)
    assert desk.feed.report()["losses"] == {"gap: connection N is over": 4 if market == "usdm" else 2}


def test_snapshots_are_asked_for_after_the_subscription_and_join_the_diffs_before_them() -> None:
    async def during(run: Run) -> None:
        await run.right()

    with ScriptedVenue("spot") as venue:
        desk = Run(venue)(during)
    kinds = [
        "snapshot" if b"lastUpdateId" in data else "diff" for data in desk.messages if b"depthU" in data or b"lastU" in data
    ]
    assert kinds.index("snapshot") > 0
    assert kinds.count("snapshot") == 1
    assert b'"id":1' in desk.messages[0].replace(b" ", b"")  # the acknowledgement is an input, too


def test_a_missing_diff_makes_one_book_wait_while_the_other_goes_on() -> None:
    swallowed: list[str] = []

    def swallow(client: Client, stream: str, text: str) -> list[str]:
        if stream == "btcusdt@depth@100ms" and armed and not swallowed:
            swallowed.append(text)
            return []
        return [text]

    armed: list[bool] = []

    async def during(run: Run) -> None:
        await run.right()
        armed.append(True)
        await run.until(lambda: GAP in run.desk.states[0], "the gap")
        await run.right()

    with ScriptedVenue("spot", PAIRS["spot"]) as venue:
        venue.on_send = swallow
        desk = Run(venue)(during)
    assert desk.states == [[SYNCING, LIVE, GAP, LIVE], [SYNCING, LIVE]]
    assert venue.connections == 1
    assert venue.counts["depth"] == 3


def test_a_message_that_comes_twice_is_no_gap() -> None:
    async def during(run: Run) -> None:
        await run.right()
        await run.more(200)
        await run.right()

    with ScriptedVenue("usdm") as venue:
        venue.on_send = lambda _client, _stream, text: [text, text]
        desk = Run(venue)(during)
    assert desk.states == [[SYNCING, LIVE]]
    assert desk.feed.report()["duplicates"] > 80
    streamed = [data for data in desk.messages if data.startswith(b'{"stream"')]
    assert len(set(streamed)) == len(streamed)


def test_a_snapshot_older_than_the_first_diff_is_asked_for_again() -> None:
    old: list[dict[str, Any]] = []
    stale = [3]

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if request.path.endswith("depth") and stale[0]:
            stale[0] -= 1
            return web.json_response(old[0])
        return None

    async def during(run: Run) -> None:
        await run.right()

    with ScriptedVenue("spot") as venue:
        old.append(venue.snapshot("BTCUSDT") | {"lastUpdateId": 900})
        venue.on_request = answer
        desk = Run(venue)(during)
    assert desk.states == [[SYNCING, LIVE]]  # never live on the old one
    assert desk.feed.report()["snapshots"]["too_old"] == 3
    assert desk.pipeline.counts().gaps == 0


@pytest.mark.parametrize("transport", ["websockets", "picows"])
def test_an_open_socket_that_says_nothing_is_stale_and_is_replaced(transport: str) -> None:
    async def during(run: Run) -> None:
        await run.right()
        for client in run.venue.clients:
            client.mute.add("*")
        await run.until(lambda: all(STALE in states for states in run.desk.states), "stale")
        await run.right()

    with ScriptedVenue("spot", PAIRS["spot"]) as venue:
        desk = Run(venue, transport=transport)(during)
    assert [states[:3] for states in desk.states] == [[SYNCING, LIVE, STALE]] * 2
    assert venue.connections == 2
    assert any("silent" in reason for _, up, reason in desk.connections if not up)


def test_one_silent_stream_among_others_is_stale_while_the_others_go_on() -> None:
    async def during(run: Run) -> None:
        await run.right()
        run.venue.clients[0].mute.add("btcusdt@depth@100ms")
        await run.until(lambda: STALE in run.desk.states[0], "stale")
        await run.right()

    with ScriptedVenue("spot", PAIRS["spot"]) as venue:
        desk = Run(venue)(during)
    assert desk.states[0] == [SYNCING, LIVE, STALE, LIVE]
    assert desk.states[1] == [SYNCING, LIVE]
    assert desk.feed.report()["renewals"] == 1


def test_a_market_that_is_quiet_is_not_stale_for_a_snapshot_proves_that_nothing_was_missed() -> None:
    async def during(run: Run) -> None:
        await run.right()
        run.venue.quiet.add("BTCUSDT")
        await run.until(lambda: run.feed.report()["quiet"] >= 2, "proofs")
        run.venue.quiet.clear()
        await run.more(60)
        await run.right()

    with ScriptedVenue("spot", PAIRS["spot"]) as venue:
        desk = Run(venue, silence_s=0.4)(during)
    assert desk.states == [[SYNCING, LIVE]] * 2


def test_a_stream_that_is_acknowledged_and_silent_is_told_with_its_route() -> None:
    async def during(run: Run) -> None:
        await run.until(lambda: any("acknowledged and silent" in one for one in run.desk.damage), "told")

    with ScriptedVenue("usdm") as venue:
        venue.wrong_route.add("trade")
        desk = Run(venue, first_s=0.5)(during)
    told = next(one for one in desk.damage if "acknowledged and silent" in one)
    assert "btcusdt@trade on the route 'market'" in told
    assert desk.feed.report()["silent"] == {"btcusdt@trade": 1}


def test_a_book_whose_diffs_never_come_is_never_live_however_well_they_are_acknowledged() -> None:
    async def during(run: Run) -> None:
        await run.until(lambda: any("btcusdt@depth" in one for one in run.desk.damage), "told")

    with ScriptedVenue("spot") as venue:
        venue.wrong_route.add("depth")
        desk = Run(venue, first_s=0.5)(during)
    assert desk.states == [[SYNCING]]
    assert venue.counts["depth"] == 0


@pytest.mark.parametrize("how", ["refused", "bare error", "unanswered"])
def test_a_subscription_that_is_not_acknowledged_is_told_and_tried_again(how: str) -> None:
    asked: list[int] = []

    def answer(client: Client, said: dict[str, Any]) -> dict[str, Any] | None:
        asked.append(said["id"])
        if len(asked) > 2:
            return {"result": None, "id": said["id"]}
        if how == "unanswered":
            return None
        error = {"code": 2, "msg": "Invalid request: unknown variant"}
        return error if how == "bare error" else {"error": error, "id": said["id"]}

    async def during(run: Run) -> None:
        await run.right()

    with ScriptedVenue("spot") as venue:
        venue.on_subscribe = answer
        desk = Run(venue, connect_s=0.5)(during)
    words = "not acknowledged within 0.5 s" if how == "unanswered" else "refused: Invalid request: unknown variant (2)"
    assert len([one for one in desk.damage if words in one]) == 2
    assert venue.connections == 3


def test_a_missing_trade_makes_the_book_invalid_until_it_starts_anew() -> None:
    swallowed: list[str] = []
    armed: list[bool] = []

    def swallow(client: Client, stream: str, text: str) -> list[str]:
        if stream == "btcusdt@trade" and armed and not swallowed:
            swallowed.append(text)
            return []
        return [text]

    async def during(run: Run) -> None:
        await run.right()
        await run.until(lambda: any(b"@trade" in data for data in run.desk.messages), "a trade")
        armed.append(True)
        await run.until(lambda: GAP in run.desk.states[0], "the gap")
        await run.right()

    with ScriptedVenue("spot") as venue:
        venue.on_send = swallow
        desk = Run(venue)(during)
    assert desk.states == [[SYNCING, LIVE, GAP, LIVE]]
    assert desk.feed.report()["missing"] == 1
    assert b"1 messages missing: btcusdt@trade" in desk.notes()[0]


def test_trades_that_stop_get_a_new_connection_and_those_that_were_missed_are_a_gap() -> None:
    async def during(run: Run) -> None:
        await run.right()
        await run.until(lambda: any(b"btcusdt@trade" in data for data in run.desk.messages), "a trade")
        run.venue.clients[0].mute.add("btcusdt@trade")
        await run.until(lambda: GAP in run.desk.states[0], "the gap")
        await run.right()

    with ScriptedVenue("spot", PAIRS["spot"]) as venue:
        desk = Run(venue, quiet_s=0.5)(during)
    assert desk.states == [[SYNCING, LIVE, GAP, LIVE], [SYNCING, LIVE]]
    assert any("btcusdt@trade says nothing" in reason for _, up, reason in desk.connections if not up)
    assert desk.feed.report()["missing"] > 5


@pytest.mark.parametrize("kind", ["depth", "trade", "bookTicker"])
def test_a_message_that_cannot_be_read_is_a_gap_for_what_it_said_is_lost(kind: str) -> None:
    spoilt: list[str] = []
    armed: list[bool] = []

    def spoil(client: Client, stream: str, text: str) -> list[str]:
        if f"@{kind}" in stream and armed and not spoilt:
            spoilt.append(text)
            return [text.replace('"s":"BTCUSDT"', '"s":BTCUSDT')]
        return [text]

    async def during(run: Run) -> None:
        await run.right()
        armed.append(True)
        await run.until(lambda: bool(run.desk.damage), "the damage")
        await run.until(lambda: GAP in run.desk.states[0], "the gap")
        await run.right()

    with ScriptedVenue("usdm") as venue:
        venue.on_send = spoil
        desk = Run(venue)(during)
    assert desk.states == [[SYNCING, LIVE, GAP, LIVE]]
    assert len(desk.damage) == 1


def test_a_crossed_book_waits_for_a_snapshot_while_the_other_goes_on() -> None:
    crossed: list[str] = []
    armed: list[bool] = []

    def cross(client: Client, stream: str, text: str) -> list[str]:
        if stream == "btcusdt@depth@100ms" and armed and not crossed:
            message = json.loads(text)
            message["data"]["b"].append(["150.00", "1.000"])
            crossed.append(text)
            return [json.dumps(message, separators=(",", ":"))]
        return [text]

    async def during(run: Run) -> None:
        await run.right()
        armed.append(True)
        await run.until(lambda: BookState.CROSSED in run.desk.states[0], "crossed")
        await run.right()

    with ScriptedVenue("spot", PAIRS["spot"]) as venue:
        venue.on_send = cross
        desk = Run(venue)(during)
    assert desk.states == [[SYNCING, LIVE, BookState.CROSSED, LIVE], [SYNCING, LIVE]]


def test_a_venue_that_counts_anew_freezes_no_book() -> None:
    async def during(run: Run) -> None:
        await run.right()

        async def restart() -> None:
            book = run.venue.books["BTCUSDT"]
            book.update_id = 10
            book.history = {}
            book.note()

        run.venue.call(restart())
        await run.until(lambda: {GAP, STALE} & set(run.desk.states[0]), "the loss")  # STALE where no diff had followed yet
        await run.right()
        assert run.desk.pipeline.books.update_id(0) < 900

    with ScriptedVenue("spot") as venue:
        Run(venue)(during)


def test_a_snapshot_with_an_id_that_no_diff_reaches_freezes_no_book() -> None:
    forged = [1]

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if request.path.endswith("depth") and forged[0]:
            forged[0] -= 1
            return web.json_response(venue.snapshot("BTCUSDT") | {"lastUpdateId": 9 * 10**17})
        return None

    async def during(run: Run) -> None:
        await run.until(lambda: STALE in run.desk.states[0], "stale")
        await run.right()

    with ScriptedVenue("spot") as venue:
        venue.on_request = answer
        desk = Run(venue)(during)
    assert desk.states == [[SYNCING, LIVE, STALE, LIVE]]
    assert b"brings nothing newer than the book" in desk.notes()[0]


def test_an_error_of_the_session_ends_the_feed_and_is_raised() -> None:
    async def during(run: Run) -> None:
        run.desk.fail_at = len(run.desk.messages) + 10
        await run.until(lambda: run.desk.failed, "the error")

    with ScriptedVenue("spot") as venue, pytest.raises(ValueError, match="the session is broken"):
        Run(venue)(during)


def test_a_stop_is_prompt_and_nothing_is_delivered_after_it() -> None:
    async def during(run: Run) -> None:
        await run.right()

    with ScriptedVenue("spot", PAIRS["spot"]) as venue:
        desk = Run(venue)(during)
        count = len(desk.messages)
        began = time.monotonic()
        while venue.clients and time.monotonic() - began < 10:
            time.sleep(0.005)
        assert venue.clients == []
    assert len(desk.messages) == count
    assert all(up for _, up, _ in desk.connections)  # its own end is no loss


def test_a_rest_answer_is_delivered_in_an_envelope_as_it_was_received() -> None:
    async def during(run: Run) -> None:
        await run.right()

    with ScriptedVenue("coinm", PAIRS["coinm"]) as venue:
        desk = Run(venue)(during)
    envelopes = [json.loads(data) for data in desk.messages if b"@depthSnapshot" in data]
    assert sorted(one["stream"] for one in envelopes) == ["btcusd_perp@depthSnapshot", "ethusd_perp@depthSnapshot"]
    assert all(next(iter(one["data"])) == "lastUpdateId" for one in envelopes)
    fallbacks = desk.codec.fallbacks
    assert not fallbacks or set(fallbacks) == {"another first member"}, fallbacks
