"""Orders over sockets: what is sent, what comes back, and what of it the lane knows. The venue checks every signature."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from order_venue import ScriptedVenue
from trading import Trader

from vtframe.clock import LiveClock
from vtframe.domain import OrderStatus, TimeInForce
from vtframe.journal.records import OrderDenied, OrderReported

S = OrderStatus
MARKETS = pytest.mark.parametrize("market", ["spot", "usdm"])


def trading(scenario: Callable[[ScriptedVenue, Trader], Awaitable[None]], market: str = "spot", **settings: Any) -> None:
    async def play() -> None:
        async with ScriptedVenue() as venue, Trader(venue, market, **settings) as trader:
            await scenario(venue, trader)
            assert not trader.lane.failed
            assert not venue.refusals

    asyncio.run(play())


@MARKETS
def test_a_market_order_is_acknowledged_and_filled_at_the_venues_price_with_its_fee(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1)
        assert trader.status(name) is S.SUBMITTED
        await trader.until_status(name, S.FILLED)
        assert trader.position == 1
        assert trader.events(name) == ["OrderAccepted", "OrderFilled"]
        fill = trader.bench.journal.of(OrderReported)[-1]
        assert (fill.fee, fill.fee_currency) == ("0.01", "BNB")
        ((method, params),) = venue.seen
        assert method == "order.place"
        assert (params["symbol"], params["side"], params["type"], params["quantity"]) == ("BTCUSDT", "BUY", "MARKET", "0.01")
        assert params["newClientOrderId"] == name
        assert "price" not in params
        assert "timeInForce" not in params

    trading(scenario, market)


@MARKETS
def test_limit_orders_carry_exact_decimals_and_their_time_in_force(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        for tif in (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK):
            name = trader.want(1, price=4_890_010, tif=tif)
            await trader.until_status(name, S.ACCEPTED)
            params = venue.seen[-1][1]
            assert (params["price"], params["timeInForce"], params["type"]) == ("48900.1", tif.value.upper(), "LIMIT")
            trader.cancel(name)
            await trader.until_status(name, S.CANCELED)
        name = trader.want(1, price=4_890_000, post_only=True)
        await trader.until_status(name, S.ACCEPTED)
        kind = (venue.seen[-1][1]["type"], venue.seen[-1][1].get("timeInForce"))
        assert kind == (("LIMIT_MAKER", None) if market == "spot" else ("LIMIT", "GTX"))
        assert venue.seen[-1][1]["price"] == "48900"
        trader.cancel(name)
        await trader.until_status(name, S.CANCELED)

    trading(scenario, market)


def test_what_reduces_says_so_on_usdm() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        await trader.until_status(trader.want(1), S.FILLED)
        await trader.until_status(trader.want(0), S.FILLED)
        assert [params.get("reduceOnly") for _, params in venue.seen] == [None, "true"]
        assert trader.position == 0

    trading(scenario, "usdm")


def test_a_limit_order_fills_in_parts_as_maker_and_its_rest_is_canceled() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        order = venue.orders[name]
        for part in ("0.002", "0.003"):
            await venue.tell(order, "TRADE", venue.trade(order, part, maker=True))
        await trader.until_status(name, S.PARTIALLY_FILLED)
        await trader.until(lambda: trader.position == 0.5)
        trader.cancel(name)
        await trader.until_status(name, S.CANCELED)
        assert trader.position == 0.5
        assert trader.bench.orders.working(0) == 0

    trading(scenario)


@MARKETS
def test_a_fill_may_come_before_the_acknowledgement(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def backwards(socket: Any, request_id: Any, order: Any) -> None:
            first, last = venue.trade(order, "0.004"), venue.trade(order, "0.006")
            await venue.tell(order, "TRADE", last)
            await venue.tell(order, "TRADE", first)
            await venue.tell(order, "NEW")
            await venue.acknowledge(socket, request_id, order)

        venue.on_place = backwards
        name = trader.want(1)
        await trader.until_status(name, S.FILLED)
        assert trader.position == 1
        assert trader.events(name).count("OrderFilled") == 2

    trading(scenario, market)


def test_a_fill_that_is_told_again_counts_once() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        order = venue.orders[name]
        half = venue.trade(order, "0.005", maker=True)
        for _ in range(3):
            await venue.tell(order, "TRADE", half)
        rest = venue.trade(order, "0.005", maker=True)
        for _ in range(2):
            await venue.tell(order, "TRADE", rest)
        await trader.until(lambda: trader.adapter._link.tracker.repeated == 3, "the repetitions")
        assert trader.status(name) is S.FILLED
        assert trader.position == 1
        assert trader.events(name).count("OrderFilled") == 2

    trading(scenario)


@pytest.mark.parametrize(
    ("code", "words"), [(-2010, "Account has insufficient balance for requested action."), (-1013, "Filter failure: LOT_SIZE")]
)
def test_a_refusal_is_a_rejection_in_the_venues_code_and_words(code: int, words: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def refuse(socket: Any, request_id: Any, params: Any) -> bool:
            await venue.refuse(socket, request_id, code, words)
            return False

        venue.before_place = refuse
        name = trader.want(1)
        await trader.until_status(name, S.REJECTED)
        assert trader.reasons(name) == [f"{code}: {words}"]
        assert trader.bench.orders.working(0) == 0

    trading(scenario)


@MARKETS
def test_a_trade_that_user_data_left_out_is_asked_for_before_the_end_is_told(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        order = venue.orders[name]
        venue.trade(order, "0.004", maker=True)  # and nobody is told
        venue.end(order, "CANCELED")
        await venue.tell(order, "CANCELED")
        await trader.until_status(name, S.CANCELED)
        assert trader.position == 0.4
        assert trader.events(name) == ["OrderAccepted", "OrderFilled", "OrderCanceled"]

    trading(scenario, market)


def test_a_cancel_that_comes_too_late_ends_with_what_the_venue_says() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        order = venue.orders[name]
        venue.mute = True
        venue.trade(order, order.quantity, maker=True)  # filled, and nobody is told: the cancel meets no open order
        trader.cancel(name)
        await trader.until_status(name, S.FILLED)
        assert trader.position == 1

    trading(scenario)


def test_a_cancel_that_was_refused_is_repeated_while_the_order_works() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        refused = []

        async def refuse_once(socket: Any, request_id: Any, order: Any) -> None:
            if refused:
                await venue.cancel_at_once(socket, request_id, order)
            else:
                refused.append(order)
                await venue.refuse(socket, request_id, -2011, "Unknown order sent.")

        venue.on_cancel = refuse_once
        trader.cancel(name)
        await trader.until_status(name, S.CANCELED)
        assert [method for method, _ in venue.seen].count("order.place") == 1

    trading(scenario)


def test_an_order_in_a_time_in_force_that_is_not_the_venues_is_not_sent() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000, tif=TimeInForce.DAY)
        await trader.until_status(name, S.REJECTED)
        assert trader.reasons(name) == ["not sent: time in force day is none of gtc, ioc, fok"]
        assert venue.seen == []

    trading(scenario)


def test_entries_are_denied_while_the_venues_limit_is_reached_and_exits_are_sent() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        await trader.until_status(trader.want(1), S.FILLED)

        async def too_many(socket: Any, request_id: Any, params: Any) -> bool:
            retry = {"serverTime": venue.now_ms(), "retryAfter": venue.now_ms() + 700}
            await venue.refuse(socket, request_id, -1003, "Too much request weight used.", status=429, data=retry)
            return False

        venue.before_place = too_many
        name = trader.want(2)
        await trader.until_status(name, S.REJECTED)
        await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
        venue.before_place = None
        assert trader.want(2) == "" or trader.status(trader.names()[-1]) is S.DENIED
        denied = trader.bench.journal.of(OrderDenied)[-1].denied
        assert denied.policy == "venue_closed"
        assert "rate limit" in denied.reason
        await trader.until_status(trader.want(0), S.FILLED)
        await trader.until(lambda: trader.lane.view.trading_available, "the opening of entries")
        await trader.until_status(trader.want(1), S.FILLED)

    trading(scenario)


def test_a_counter_at_its_limit_closes_entries_until_its_interval_is_over() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        venue.rate_limits = [
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 1, "limit": 50, "count": 50},
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 20},
        ]
        while LiveClock().now_ns() % 10**9 > 5 * 10**8:  # an interval that is over at once closes nothing
            await asyncio.sleep(0.02)
        await trader.until_status(trader.want(1), S.FILLED)
        await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
        venue.rate_limits = []
        await trader.until(lambda: trader.lane.view.trading_available, "the opening of entries")

    trading(scenario)


def test_reports_of_orders_that_are_not_ours_change_nothing() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        order = venue.orders[name]
        body = venue.report(order, "TRADE", venue.trade(order, "0.001")) | {"c": "somebody-else", "C": ""}
        order.executed, order.status = Decimal(0), "NEW"
        await venue.push({"e": "executionReport", "E": 1, **body})
        await trader.until(lambda: trader.adapter._link.tracker.foreign == 1, "the report")
        assert trader.position == 0
        assert trader.status(name) is S.ACCEPTED

    trading(scenario)
