"""User data that has gone deaf is noticed: by what other answers say, or by a silence in which not even pings come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from order_venue import ScriptedVenue
from trading import Trader

from vtframe.builtin.binance.execution import user_data_watch
from vtframe.builtin.binance.execution.user_data_watch import SILENT_NS, UserDataWatch
from vtframe.domain import OrderStatus

S = OrderStatus
SECOND = 1_000_000_000


def trading(scenario: Callable[[ScriptedVenue, Trader], Awaitable[None]], market: str = "usdm", **settings: Any) -> None:
    async def play() -> None:
        async with ScriptedVenue() as venue, Trader(venue, market, **settings) as trader:
            await scenario(venue, trader)
            assert not trader.lane.failed

    asyncio.run(play())


async def until_told_before(trader: Trader) -> None:
    """Past the first second of a stream, in which what an answer tells may be older than it."""
    watch = trader.adapter._link._watch
    await trader.until(lambda: trader.adapter._link._server.now_ms() > watch._since_ms + 1_100, "a second")


@pytest.mark.parametrize("market", ["usdm", "spot"])
def test_a_fill_that_a_deaf_stream_does_not_tell_is_learned_in_seconds_and_the_stream_made_anew(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        await until_told_before(trader)
        venue.mute = True
        venue.trade(venue.orders[name], "0.01", maker=True)
        began = asyncio.get_running_loop().time()
        await trader.until_status(name, S.FILLED)
        assert asyncio.get_running_loop().time() - began < 7  # it was 30 s
        assert trader.position == 1
        await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
        venue.mute = False
        await trader.until(lambda: trader.lane.view.trading_available, "the opening of entries")
        assert trader.adapter.report()["reconnects"] == 1

    trading(scenario, market)


def test_a_cancel_whose_answer_user_data_does_not_confirm_is_a_sign_of_a_deaf_stream() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        await until_told_before(trader)
        venue.mute = True
        trader.cancel(name)
        await trader.until_status(name, S.CANCELED)
        await trader.until(lambda: trader.adapter.report()["reconnects"] == 1, "the new stream")

    trading(scenario)


def test_user_data_that_comes_a_little_after_the_answer_is_believed() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def answer_first(socket: Any, request_id: Any, order: Any) -> None:
            venue.end(order, "CANCELED")
            await venue.answer(socket, request_id, venue.state(order))
            await asyncio.sleep(0.7)
            await venue.tell(order, "CANCELED")

        venue.on_cancel = answer_first
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        await until_told_before(trader)
        trader.cancel(name)
        await trader.until_status(name, S.CANCELED)
        await asyncio.sleep(2)
        assert trader.adapter.report()["reconnects"] == 0

    trading(scenario)


@pytest.mark.parametrize("library", ["websockets", "picows"])
@pytest.mark.parametrize("pings", [True, False])
def test_a_stream_that_brings_not_even_a_ping_is_made_anew(library: str, pings: bool, monkeypatch: Any) -> None:  # noqa: FBT001
    monkeypatch.setattr(user_data_watch, "SILENT_NS", SECOND // 2)

    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        for _ in range(15):
            await asyncio.sleep(0.1)
            for socket in tuple(venue.user_data):
                if pings:
                    await socket.ping(b"alive")
        assert bool(trader.adapter.report()["reconnects"]) is not pings

    trading(scenario, transport=library)


class One:
    """As much of an order as the watch looks at."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.filled, self.claimed, self.ended, self.end = 0, 0, False, None


def doubted(happened_ms: int, *, told: bool = False, news: bool = True, after: int = 2 * SECOND) -> str:
    """What a watch says ``after`` it heard an answer about an order, its stream having begun at 100,000 ms."""
    watch, one = UserDataWatch(), One("a-1")
    watch.opened(0, 100_000)
    one.filled = int(news)
    watch.answered(one, (0, 0, False), happened_ms, SECOND)  # type: ignore[arg-type]
    if told:
        watch.told("a-1", SECOND + 1)
    return watch.doubt(SECOND + after)


def test_only_what_the_stream_should_have_told_and_did_not_is_held_against_it() -> None:
    assert doubted(102_000) == "user data says nothing of what became of a-1"
    assert not doubted(102_000, told=True)
    assert not doubted(102_000, news=False)
    assert not doubted(102_000, after=SECOND)  # it may come still
    assert not doubted(100_900)  # it may have happened before the stream began


def test_a_stream_is_not_given_up_again_at_once() -> None:
    watch = UserDataWatch()
    watch.opened(0, 0)
    for start, given_up in ((0, True), (3, False), (20, True)):
        one = One(f"a-{start}")
        one.filled = 1
        watch.answered(one, (0, 0, False), 5_000, start * SECOND)  # type: ignore[arg-type]
        assert bool(watch.doubt((start + 2) * SECOND)) is given_up
        watch.told(one.name, 0)


def test_silence_is_measured_from_whatever_came_last() -> None:
    pulse = [0]
    watch = UserDataWatch(lambda: pulse[0])
    watch.opened(0, 0)
    assert not watch.doubt(SILENT_NS)
    pulse[0] += 1  # a ping
    assert not watch.doubt(SILENT_NS + 1)
    assert not watch.doubt(2 * SILENT_NS)
    assert "not even a ping" in watch.doubt(2 * SILENT_NS + 2)


def test_orders_that_rest_are_asked_for_every_few_seconds_while_user_data_is_silent_and_no_more_than_one_a_second() -> None:
    watch = UserDataWatch()
    watch.opened(0, 0)
    assert watch.patience_ns(SECOND, 1) == 30 * SECOND
    assert watch.patience_ns(4 * SECOND, 1) == 3 * SECOND
    assert watch.patience_ns(4 * SECOND, 12) == 12 * SECOND
    assert watch.patience_ns(4 * SECOND, 500) == 30 * SECOND
    watch.told("", 4 * SECOND)
    assert watch.patience_ns(5 * SECOND, 1) == 30 * SECOND
