"""A venue that wants to be left alone is: nothing is asked until its time is over, and what it banned sends nothing at all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from order_venue import KEY, ScriptedVenue
from rest_client import answering, ask
from trading import Trader

from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.builtin.binance.execution.limits import Limits, RateLimit
from vtframe.builtin.binance.places import MARKETS
from vtframe.builtin.binance.weights import Weights, weights_at
from vtframe.clock import LiveClock
from vtframe.domain import OrderStatus
from vtframe.transport import TransportError

S = OrderStatus


class Counting(ScriptedVenue):
    """Refuses every question while ``refusing`` is (status, ms until it is over), and counts all that it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.refusing: tuple[int, int] | None = None
        self.heard: list[str] = []

    async def _take(self, socket: web.WebSocketResponse, request: dict[str, Any]) -> None:
        method = request["method"]
        self.heard.append(method)
        if self.refusing is None or method in {"order.place", "order.cancel"}:
            await super()._take(socket, request)
            return
        status, ms = self.refusing
        data = {"serverTime": self.now_ms(), "retryAfter": self.now_ms() + ms}
        await self.refuse(socket, request["id"], -1003, "Way too many requests.", status=status, data=data)

    async def _rest(self, request: web.Request) -> web.Response:
        self.heard.append(request.path)
        return await super()._rest(request)


def trading(scenario: Callable[[Counting, Trader], Awaitable[None]], market: str = "spot", **settings: Any) -> None:
    async def play() -> None:
        async with Counting() as venue, Trader(venue, market, ack_timeout_ms=100, **settings) as trader:
            await scenario(venue, trader)
            assert not trader.lane.failed

    asyncio.run(play())


async def silent(socket: Any, request_id: Any, order: Any) -> None:
    """The venue has the order, and its answer is lost."""


async def unknown_order(venue: Counting, trader: Trader, status: int, ms: int, *, units: int = 1) -> str:
    """An order whose answer was lost, at a venue that refuses the first question about it."""
    venue.on_place = silent
    venue.refusing = status, ms
    name = trader.want(units, price=4_990_000)
    await trader.until(lambda: "order.status" in venue.heard, "the question")
    await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
    venue.on_place = venue.fill_or_rest
    return name


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_a_banned_address_asks_nothing_and_sends_nothing(market: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtframe.builtin.binance.execution.link._PING_NS", 200_000_000)

    async def scenario(venue: Counting, trader: Trader) -> None:
        resting = trader.want(1, price=4_990_000)
        await trader.until_status(resting, S.ACCEPTED)
        await unknown_order(venue, trader, 418, 60_000, units=2)
        before = list(venue.heard)
        await asyncio.sleep(1.5)  # seven questions came in five seconds
        trader.cancel(resting)
        link = trader.adapter._link
        await link._server.refresh(link.rest.time)
        with pytest.raises(TransportError, match="is not asked: the venue's rate limit"):
            await link.rest.account()
        await asyncio.sleep(0.3)
        assert venue.heard == before
        venue.refusing = None

    trading(scenario, market, stop_timeout_s=0.0)


def test_a_cancel_that_a_ban_held_back_is_sent_when_it_is_over() -> None:
    async def scenario(venue: Counting, trader: Trader) -> None:
        name = await unknown_order(venue, trader, 418, 600)
        trader.cancel(name)
        assert "order.cancel" not in venue.heard
        venue.refusing = None
        await trader.until_status(name, S.CANCELED)
        await trader.until(lambda: trader.lane.view.trading_available, "the opening of entries")
        await trader.until_status(trader.want(1), S.FILLED)

    trading(scenario)


def test_an_exit_during_a_ban_is_not_sent_and_says_so() -> None:
    async def scenario(venue: Counting, trader: Trader) -> None:
        await trader.until_status(trader.want(1), S.FILLED)
        venue.refusing = 418, 600
        link = trader.adapter._link
        link._questions.ping()
        await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
        venue.refusing = None
        before = len(venue.heard)
        name = trader.want(0)
        await trader.until_status(name, S.REJECTED)
        assert re.fullmatch(r"not sent: the venue has banned this address for 0\.\d s more", trader.reasons(name)[0])
        assert len(venue.heard) == before
        await trader.until(lambda: trader.lane.view.trading_available, "the opening of entries")
        await trader.until_status(await trader.want_until_sent(0), S.FILLED)

    trading(scenario)


def test_below_a_ban_what_reduces_risk_is_sent_and_questions_wait() -> None:
    async def scenario(venue: Counting, trader: Trader) -> None:
        await trader.until_status(trader.want(1), S.FILLED)
        name = await unknown_order(venue, trader, 429, 60_000, units=2)
        questions = venue.heard.count("order.status")
        assert questions == 1
        trader.cancel(name)
        await trader.until_status(name, S.CANCELED)
        await trader.until_status(trader.want(0), S.FILLED)
        assert venue.heard.count("order.status") == questions
        venue.refusing = None

    trading(scenario)


def test_a_log_on_after_a_lost_connection_waits_for_the_end_of_a_ban() -> None:
    async def scenario(venue: Counting, trader: Trader) -> None:
        await unknown_order(venue, trader, 418, 1_000)
        venue.refusing = None
        await venue.drop()
        before = len(venue.heard)
        await asyncio.sleep(0.4)
        assert len(venue.heard) == before
        assert not venue.sockets
        await trader.until(lambda: bool(venue.sockets), "the connection")

    trading(scenario)


REFUSALS = {
    "listenKey": lambda rest: rest.listen_key(),
    "keeping it": lambda rest: rest.keep_listen_key(),
    "time": lambda rest: rest.time(),
    "account": lambda rest: rest.account(),
    "trades": lambda rest: rest.trades("BTCUSDT", 7),
}


@pytest.mark.parametrize("question", REFUSALS.values(), ids=REFUSALS)
def test_whatever_is_refused_is_learned(question: Callable[[Any], Awaitable[object]]) -> None:
    learned: list[VenueError] = []
    body = f'{{"code":-1003,"msg":"Way too many, {KEY}"}}'.encode()
    head = b"HTTP/1.1 418 X\r\nRetry-After: 60\r\nX-MBX-USED-WEIGHT-1M: 2390\r\nContent-Length: %d\r\n\r\n" % len(body)
    weights = Weights(LiveClock(), 2400)

    async def play() -> None:
        async with answering(lambda _: head + body) as base:
            with pytest.raises(VenueError) as caught:
                await ask(base, question, weights=weights, learn=learned.append)
            assert learned == [caught.value]

    asyncio.run(play())
    assert learned[0].retry_at_ms - LiveClock().now_ns() // 1_000_000 == pytest.approx(60_000, abs=5_000)
    assert weights.used == 2390


def test_what_was_scrubbed_of_a_refusal_is_not_in_its_text() -> None:
    refusal = VenueError("GET /x", -2015, f"Invalid API-key {KEY}")
    refusal.words = "Invalid API-key ***"
    assert str(refusal) == "GET /x: the venue refused it: -2015 Invalid API-key ***"


def test_market_data_and_orders_have_one_count_at_one_host_and_others_have_their_own() -> None:
    clock, usdm = LiveClock(), MARKETS["usdm"]
    feed = weights_at("https://fapi.binance.com/fapi/v1", usdm, clock)
    orders = weights_at("https://fapi.binance.com", usdm, clock)
    assert feed is orders
    assert weights_at("http://127.0.0.1:81", usdm, clock) is not feed
    assert weights_at("https://fapi.binance.com", MARKETS["coinm"], clock) is not feed
    limits = Limits(orders)
    limits.note([RateLimit("REQUEST_WEIGHT", "MINUTE", 1, 2400, 2200)], 0)
    assert feed.wait_s(20) > 0  # a tenth is kept for orders
    assert orders.wait_s(20, orders=True) == 0
    limits.refuse(VenueError("order.place", -1003, "", status=418, retry_at_ms=61_000), 1_000)
    assert 59 < feed.wait_s(1) <= 60
    assert feed.refusals == {418: 1}


def test_a_session_and_its_feed_hold_the_same_count() -> None:
    async def play() -> None:
        async with Counting() as venue, Trader(venue, "usdm") as trader:
            of_the_feed = weights_at(f"{venue.url}/fapi/v1", MARKETS["usdm"], LiveClock())
            assert of_the_feed is trader.adapter._link.rest._weights
            assert of_the_feed.used == 5 + 1 + 5 + 1 + 30  # time, listen key, account, open orders, position mode

    asyncio.run(play())


def test_too_many_orders_stop_orders_and_no_questions() -> None:
    limits = Limits(Weights(LiveClock(), 2400))
    limits.refuse(VenueError("order.place", -1015, "", status=429, retry_at_ms=86_400_000), 0)
    assert limits.are_asking()
    assert not limits.banned()
    assert limits.closed_for(1_000).startswith("the venue's rate limit, 86399000 ms")


@pytest.mark.parametrize("retry", [10**30, -(10**30), 1])
def test_a_time_that_cannot_be_is_brought_within_bounds(retry: int) -> None:
    limits = Limits(Weights(LiveClock(), 2400))
    limits.refuse(VenueError("order.place", -1003, "", status=418, retry_at_ms=retry), 5_000)
    assert 0 <= limits.weights.banned_s() <= 3 * 86_400
