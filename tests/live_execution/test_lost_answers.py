"""What is sent and not answered is UNKNOWN, is asked for, and is never sent again; entries wait for what was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from order_venue import ScriptedVenue
from trading import Trader

from vtframe.domain import OrderStatus
from vtframe.journal.records import OrderDenied

S = OrderStatus
MARKETS = pytest.mark.parametrize("market", ["spot", "usdm"])


def trading(scenario: Callable[[ScriptedVenue, Trader], Awaitable[None]], market: str = "spot", **settings: Any) -> None:
    async def play() -> None:
        async with ScriptedVenue() as venue, Trader(venue, market, **settings) as trader:
            await scenario(venue, trader)
            assert not trader.lane.failed
            placed = [params["newClientOrderId"] for method, params in venue.seen if method == "order.place"]
            assert len(placed) == len(set(placed)), "an order was sent twice"

    asyncio.run(play())


async def silent(socket: Any, request_id: Any, order: Any) -> None:
    """The venue has the order, and its answer is lost."""


@MARKETS
def test_an_order_whose_answer_is_lost_is_unknown_until_the_venue_says_that_it_has_it(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        venue.on_place = silent
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        assert trader.events(name) == ["OrderLost", "OrderAccepted"]
        assert trader.reasons(name) == ["no answer within 100 ms"]

    trading(scenario, market, ack_timeout_ms=100)


@MARKETS
def test_fills_of_an_order_whose_answer_was_lost_are_fetched_with_the_price_and_fee_of_each(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def fill_in_silence(socket: Any, request_id: Any, order: Any) -> None:
            venue.trade(order, "0.004", "50000.1")
            venue.trade(order, "0.006", "50000.3")

        venue.on_place = fill_in_silence
        name = trader.want(1)
        await trader.until_status(name, S.FILLED)
        assert trader.position == 1
        assert str(trader.lane.ledger.position(0).average_price) == "50000.22"

    trading(scenario, market, ack_timeout_ms=100)


@pytest.mark.parametrize(("code", "status"), [(-1006, 400), (-1007, 408), (-1000, 500), (0, 503)])
@pytest.mark.parametrize("taken", [True, False])
def test_an_answer_that_leaves_it_open_is_followed_by_a_question(code: int, status: int, taken: bool) -> None:  # noqa: FBT001
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def ambiguous(socket: Any, request_id: Any, params: Any) -> bool:
            await venue.refuse(socket, request_id, code, "Nobody knows.", status=status)
            return taken

        venue.before_place = ambiguous
        venue.on_place = silent
        name = trader.want(1, price=4_990_000)
        await trader.until(lambda: trader.events(name)[:1] == ["OrderLost"], "the loss")
        await trader.until_status(name, S.ACCEPTED if taken else S.REJECTED)
        if not taken:
            assert trader.reasons(name)[-1].startswith("NOT_FOUND")

    trading(scenario, recv_window_ms=300)


def test_an_order_is_not_called_not_found_before_the_venue_could_not_take_it_any_more() -> None:
    """The request is on its way for as long as it may: the venue takes it at the end of its window."""

    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        kept: list[Any] = []

        async def delay(socket: Any, request_id: Any, params: Any) -> bool:
            if not kept:
                kept.append((socket, request_id, params))
                return False
            return True

        venue.before_place = delay
        name = trader.want(1, price=4_990_000)
        asked = "order.status"
        await trader.until(lambda: sum(method == asked for method, _ in venue.seen) >= 3, "questions")
        assert trader.status(name) is S.UNKNOWN
        await venue._place(*kept[0])  # 1,000 ms of window are not over
        await trader.until_status(name, S.ACCEPTED)

    trading(scenario, ack_timeout_ms=100, recv_window_ms=1000)


def test_an_order_that_never_arrived_is_not_found_after_its_window_and_not_before() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def swallow(socket: Any, request_id: Any, params: Any) -> bool:
            return False

        venue.before_place = swallow
        name = trader.want(1)
        sent = venue.now_ms()
        await trader.until_status(name, S.REJECTED)
        assert venue.now_ms() - sent >= 500 + 1_000
        assert trader.events(name) == ["OrderLost", "OrderRejected"]
        venue.before_place = None
        await trader.until_status(trader.want(1), S.FILLED)

    trading(scenario, ack_timeout_ms=50, recv_window_ms=500)


@MARKETS
def test_a_connection_that_ends_between_an_order_and_its_answer_loses_nothing_and_repeats_nothing(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def fill_and_hang_up(socket: Any, request_id: Any, order: Any) -> None:
            venue.trade(order, order.quantity)
            await venue.drop()

        venue.on_place = fill_and_hang_up
        name = trader.want(1)
        await trader.until(lambda: "OrderLost" in trader.events(name), "the loss")
        assert not trader.lane.view.trading_available
        await trader.until_status(name, S.FILLED)
        assert trader.position == 1
        await trader.until(lambda: trader.lane.view.trading_available, "entries")
        venue.on_place = venue.fill_or_rest
        await trader.until_status(trader.want(2), S.FILLED)

    trading(scenario, market)


@MARKETS
def test_entries_wait_until_what_happened_without_user_data_is_known(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        order = venue.orders[name]
        await venue.drop(orders=market == "spot")
        venue.trade(order, order.quantity, maker=True)  # while nobody hears it
        await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
        assert trader.want(2) == "" or trader.status(trader.names()[-1]) is S.DENIED
        denied = trader.bench.journal.of(OrderDenied)
        assert not denied or denied[-1].denied.policy == "venue_closed"
        await trader.until(lambda: trader.lane.view.trading_available, "the opening of entries")
        assert trader.status(name) is S.FILLED
        assert trader.position == 1

    trading(scenario, market)


def test_exits_are_sent_while_usdms_user_data_is_lost() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        await trader.until_status(trader.want(1), S.FILLED)
        venue.listen_keys += 1  # so that the stream does not come back with the key that is asked for
        venue.mute = True
        trader.adapter._link._legs[1]._make = never
        await venue.drop(orders=False)
        await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
        name = trader.want(0)
        assert trader.status(name) is S.SUBMITTED
        await trader.until_status(name, S.FILLED)
        assert trader.position == 0

    trading(scenario, "usdm")


async def never() -> None:
    from vtframe.transport import TransportError

    raise TransportError("ws://nowhere", "cannot connect: it is a test")


def test_orders_without_a_connection_are_not_sent_and_say_so() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        await trader.until_status(trader.want(1), S.FILLED)
        venue.refuse_connections = True
        await venue.drop()
        await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
        name = trader.want(0)
        await trader.until_status(name, S.REJECTED)
        assert trader.reasons(name) == ["not sent: there is no connection"]
        venue.refuse_connections = False
        await trader.until(lambda: trader.lane.view.trading_available, "the connection")
        await trader.until_status(await trader.want_until_sent(0), S.FILLED)

    trading(scenario)


def test_a_cancel_while_the_connection_is_away_is_sent_once_it_is_back() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        await venue.drop()
        await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
        trader.cancel(name)
        await trader.until_status(name, S.CANCELED)
        assert trader.bench.orders.working(0) == 0

    trading(scenario)


def test_user_data_that_is_silent_on_an_acknowledged_order_is_made_anew() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        venue.mute = True
        name = trader.want(1)
        await trader.until(lambda: trader.events(name) == ["OrderAccepted"], "the acknowledgement")
        await trader.until_status(name, S.FILLED)
        assert trader.position == 1
        assert trader.adapter.report()["reconnects"] == 1

    trading(scenario, "usdm")


def test_a_listen_key_that_expired_is_replaced_and_nothing_is_missed() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        before = venue.listen_keys
        order = venue.orders[name]
        await venue.push({"e": "listenKeyExpired", "E": venue.now_ms(), "listenKey": f"listen-{before}"})
        venue.mute = True
        venue.trade(order, order.quantity, maker=True)
        await trader.until_status(name, S.FILLED)
        assert venue.listen_keys > before

    trading(scenario, "usdm")


@pytest.mark.parametrize("skew_ms", [-120_000, 90_000])
def test_timestamps_are_the_venues_however_far_its_clock_is_from_ours(skew_ms: int) -> None:
    async def play() -> None:
        async with ScriptedVenue() as venue:
            venue.skew_ms = skew_ms
            async with Trader(venue, "spot") as trader:
                await trader.until_status(trader.want(1), S.FILLED)
                assert not venue.refusals
                assert abs(trader.adapter._link._server.offset_ns / 1e6 - skew_ms) < 1_000

    asyncio.run(play())


def test_a_clock_that_is_set_while_a_session_runs_costs_one_order_and_is_measured_again() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        venue.skew_ms = 60_000
        name = trader.want(1)
        await trader.until_status(name, S.REJECTED)
        assert trader.reasons(name)[0].startswith("-1021")
        await trader.until(lambda: trader.adapter._link._server.offset_ns > 50 * 10**9, "the venue's time")
        await trader.until_status(trader.want(1), S.FILLED)

    trading(scenario)


def test_a_message_that_cannot_be_read_is_followed_by_questions() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        order = venue.orders[name]
        row = venue.trade(order, order.quantity, maker=True)
        body = venue.report(order, "TRADE", row) | {"L": "a lot"}
        await venue.push({"e": "executionReport", "E": 1, **body})
        await trader.until_status(name, S.FILLED)
        assert trader.position == 1

    trading(scenario)


NESTED = '{"a":' * 100_000 + "1" + "}" * 100_000
HOSTILE = {
    "an exponent": {"l": "1e999999"},
    "a price with an exponent": {"L": "5e999999"},
    "more decimals than there are": {"L": "50000.123456789"},
    "a number beyond 64 bits": {"z": "999999999999999999"},
    "a negative quantity": {"l": "-0.01"},
    "nothing": {"l": "0"},
    "not a number": {"l": "nan"},
    "a fee that is none": {"n": "Infinity", "N": "BNB"},
    "a long text": {"X": "F" * 10_000},
    "another type": {"i": "seven"},
    "more than was ordered": {"z": "0.02"},
}


@pytest.mark.parametrize("damage", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_report_is_read_as_nothing_and_what_is_true_is_asked_for(damage: dict[str, Any]) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        order = venue.orders[name]
        row = venue.trade(order, "0.004", maker=True)
        await venue.push({"e": "executionReport", "E": 1, **venue.report(order, "TRADE", row), **damage})
        await trader.until(lambda: trader.position == 0.4, "the fill")
        assert trader.status(name) is S.PARTIALLY_FILLED

    trading(scenario)


@pytest.mark.parametrize("text", [NESTED, "[]", "null", '{"id":', '{"id":{"a":1}}', '{"event":' + NESTED + "}", "\x00"])
def test_messages_that_are_no_answers_change_nothing(text: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        for socket in venue.sockets:
            await socket.send_str(text)
        trader.cancel(name)
        await trader.until_status(name, S.CANCELED)

    trading(scenario)
