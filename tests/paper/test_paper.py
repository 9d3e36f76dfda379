"""Paper execution, case by case: what an order meets, when, and at what price."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from trading_fakes import INVERSE, LINEAR, MS, SPOT, Bench, submit

from vtframe.api import Strategy
from vtframe.builtin.paper.adapter import PaperAdapter
from vtframe.builtin.paper.hooks import register_execution_adapters
from vtframe.builtin.paper.liquidity import Liquidity
from vtframe.domain import (
    BookState,
    CancelOrder,
    EventFlag,
    EventKind,
    FrameKind,
    LiquiditySide,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderType,
    Side,
    TimeInForce,
)

BUY, SELL = Side.BUY, Side.SELL
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK


FREE = msgspec.structs.replace(LINEAR, minimum_notional=Decimal(0))


class Idle(Strategy):
    """Leaves all to the test."""

    name = "idle"

    def on_prediction(self, prediction, view):
        return None


class Paper(Bench):
    """A bench with one lane on paper: the lane shows its adapter frames only while an order works. The test's orders go past
    its desk, so that they reach the venue as they are; what the adapter reports is kept, and must be true for the lane."""

    def __init__(self, *instruments, **settings):
        super().__init__(*instruments or (FREE,))
        self.events = []
        self.adapter = PaperAdapter(**settings)
        one = self.lane(Idle(), self.adapter)
        book = one.on_order_event

        def keep(event):
            self.events.append(event)
            book(event)
            assert one.failed == ""

        one.on_order_event = keep

    def send(self, name="o-1", **more):
        order = submit(name, ts_created=self.clock.now_ns(), input=self.number, **more)
        approved, _ = self.gate.review(order, reduces=False)
        self.orders.approve(order)
        self.orders.submitted(name)
        self.adapter.submit(approved)
        self.lanes[0].active = True

    def cancel(self, name="o-1"):
        order = self.orders.find(name)
        if order is not None and not order.status.final:
            self.orders.cancel_sent(name)
        self.adapter.cancel(CancelOrder(client_order_id=name, ts_created=self.clock.now_ns(), cause="test"))

    def of(self, kind, name="o-1"):
        return [event for event in self.events if isinstance(event, kind) and event.client_order_id == name]

    def fills(self, name="o-1"):
        return [(fill.price, fill.quantity) for fill in self.of(OrderFilled, name)]

    def last(self, name="o-1"):
        return [event for event in self.events if event.client_order_id == name][-1]


def with_book(instrument=FREE, **settings):
    paper = Paper(instrument, **settings)
    paper.depth(bids={1000: 50, 999: 40, 998: 30}, asks={1001: 50, 1002: 40, 1003: 30})
    return paper


def resting(side=BUY, price=1000, quantity=10, **settings):
    """A limit order that stands behind the 50 displayed at its price."""
    paper = with_book(**settings)
    paper.send(side=side, price=price, quantity=quantity)
    paper.wait()
    assert isinstance(paper.last(), OrderAccepted)
    return paper


def test_it_is_registered_and_promises_exactly_once():
    assert [adapter.name for adapter in register_execution_adapters()] == ["paper"]
    assert PaperAdapter.guarantee == "exactly_once"


# latency


def test_an_order_meets_the_first_frame_at_or_after_its_latency_and_not_one_before():
    paper = with_book(latency_us=5_000)
    paper.send(quantity=10)
    paper.wait(4.999)
    assert paper.events == []
    paper.wait(0.001)
    assert paper.fills() == [(1001, 10)]
    assert paper.last().ts_event == paper.clock.now_ns()


def test_it_meets_the_book_as_it_is_then_with_that_frame_applied():
    paper = with_book()
    paper.send(quantity=10)
    paper.depth(asks={1001: 0, 1002: 0}, after_ms=6)
    assert paper.fills() == [(1003, 10)]


def test_without_latency_it_still_never_meets_the_book_that_caused_it():
    paper = with_book(latency_us=0)
    paper.send(quantity=10)
    records_of_cause = paper.number
    paper.number -= 1  # the frame that caused it, shown once more
    paper.wait(0)
    assert paper.number == records_of_cause
    assert paper.events == []
    paper.wait(0)
    assert paper.fills() == [(1001, 10)]


def test_frames_of_other_instruments_are_no_arrival():
    paper = Paper(FREE, FREE)
    paper.depth(bids={1000: 50}, asks={1001: 50})
    paper.send(quantity=10)
    paper.wait(10, instrument=1)
    assert paper.events == []
    paper.wait(0)
    assert paper.fills() == [(1001, 10)]


def test_orders_arrive_in_the_order_of_their_latency():
    paper = with_book()
    paper.send("o-1", quantity=50)
    paper.wait(1)
    paper.send("o-2", quantity=50)
    paper.wait(10)
    assert paper.fills("o-1") == [(1001, 50)]
    assert paper.fills("o-2") == [(1002, 40), (1003, 10)]


# taking


def test_a_market_order_walks_the_book_and_takes_at_the_levels_prices():
    paper = with_book()
    paper.send(quantity=100)
    paper.wait()
    assert paper.fills() == [(1001, 50), (1002, 40), (1003, 10)]
    assert {fill.liquidity_side for fill in paper.of(OrderFilled)} == {LiquiditySide.TAKER}
    assert [fill.leaves_quantity for fill in paper.of(OrderFilled)] == [50, 10, 0]
    assert len({fill.fill_id for fill in paper.of(OrderFilled)}) == 3


def test_a_market_order_beyond_the_book_expires_with_its_rest():
    paper = with_book()
    paper.send(side=SELL, quantity=500)
    paper.wait()
    assert paper.fills() == [(1000, 50), (999, 40), (998, 30)]
    assert paper.last() == OrderExpired(
        client_order_id="o-1", ts_event=paper.clock.now_ns(), leaves_quantity=380, reason="nothing left to take"
    )


def test_a_deep_order_walks_more_levels_than_one_page():
    paper = Paper()
    paper.depth(bids={900: 1}, asks={1001 + i: 1 for i in range(300)})
    paper.send(quantity=250)
    paper.wait()
    assert paper.fills() == [(1001 + i, 1) for i in range(250)]


def test_an_ioc_takes_to_its_price_and_its_rest_expires():
    paper = with_book()
    paper.send(quantity=100, price=1002, tif=IOC)
    paper.wait()
    assert paper.fills() == [(1001, 50), (1002, 40)]
    assert paper.last().leaves_quantity == 10
    assert isinstance(paper.last(), OrderExpired)


@pytest.mark.parametrize(("quantity", "fills"), [(90, [(1001, 50), (1002, 40)]), (91, [])])
def test_a_fok_fills_whole_or_not_at_all(quantity, fills):
    paper = with_book()
    paper.send(quantity=quantity, price=1002, tif=FOK)
    paper.wait()
    assert paper.fills() == fills
    if not fills:
        assert isinstance(paper.last(), OrderExpired)
        paper.send("o-2", quantity=50)
        paper.wait()
        assert paper.fills("o-2") == [(1001, 50)], "a failed FOK consumes nothing"


def test_a_limit_order_takes_first_and_its_rest_joins_the_book():
    paper = with_book()
    paper.send(quantity=70, price=1001)
    paper.wait()
    assert paper.fills() == [(1001, 50)]
    paper.trade(SELL, 1001, 5)  # nothing is displayed at our price: the next seller there meets us
    assert paper.fills() == [(1001, 50), (1001, 5)]
    assert paper.last().liquidity_side is LiquiditySide.MAKER


def test_post_only_joins_or_is_rejected():
    paper = with_book()
    paper.send("o-1", price=1000, post_only=True)
    paper.send("o-2", price=1001, post_only=True)
    paper.wait()
    assert isinstance(paper.last("o-1"), OrderAccepted)
    assert paper.last("o-2").reason == "post_only would take at 100.1"
    assert paper.fills("o-2") == []


# consumed liquidity


def test_consumed_liquidity_stays_consumed_until_that_level_updates():
    paper = with_book()
    paper.send("o-1", quantity=60)
    paper.wait()
    paper.send("o-2", quantity=60)
    paper.depth(asks={1003: 31}, bids={999: 1}, after_ms=10)  # other levels
    assert paper.fills("o-2") == [(1002, 30), (1003, 30)]
    paper.depth(asks={1001: 20})
    paper.send("o-3", quantity=25)
    paper.wait()
    assert paper.fills("o-3") == [(1001, 20), (1003, 1)]


def test_a_delta_with_the_same_quantity_is_an_update_too():
    paper = with_book()
    paper.send("far", price=900)  # it rests, so that every frame is seen
    paper.send("o-1", quantity=50)
    paper.wait()
    paper.depth(asks={1001: 50})
    paper.send("o-2", quantity=10)
    paper.wait()
    assert paper.fills("o-2") == [(1001, 10)]


def test_a_level_that_changed_while_no_frame_was_shown_is_whole_again():
    paper = with_book()
    paper.send("o-1", quantity=50)
    paper.wait()
    assert not paper.lanes[0].active  # nothing works: it shows no frames
    paper.depth(asks={1001: 45})
    paper.send("o-2", quantity=10)
    paper.wait()
    assert paper.fills("o-2") == [(1001, 10)]


def test_a_level_that_shows_what_it_showed_is_not_known_to_be_whole_where_no_frame_was_seen():
    paper = with_book()
    paper.send("o-1", quantity=50)
    paper.wait()
    paper.depth(asks={1001: 0})
    paper.depth(asks={1001: 50})
    paper.send("o-2", quantity=10)
    paper.wait()
    assert paper.fills("o-2") == [(1002, 10)]


def test_a_snapshot_makes_every_level_whole():
    paper = with_book()
    paper.send("far", price=900)
    paper.send("o-1", quantity=90)
    paper.wait()
    levels = [(EventKind.BOOK_CLEAR, 0, 0, 0), (EventKind.BOOK_DELTA, -1, 1001, 50), (EventKind.BOOK_DELTA, 1, 1000, 50)]
    paper.frame(levels, kind=FrameKind.SNAPSHOT)
    paper.send("o-2", quantity=50)
    paper.wait()
    assert paper.fills("o-2") == [(1001, 50)]


# resting


def test_trades_work_the_queue_off_and_then_fill_at_the_limit_price():
    paper = resting(quantity=10)
    paper.trade(SELL, 1000, 30)
    paper.trade(SELL, 1000, 20)
    assert paper.fills() == []
    paper.trade(SELL, 1000, 4)
    paper.trade(SELL, 1000, 100)
    assert paper.fills() == [(1000, 4), (1000, 6)]
    assert {fill.liquidity_side for fill in paper.of(OrderFilled)} == {LiquiditySide.MAKER}


def test_a_trade_that_exceeds_the_queue_fills_with_what_is_left_of_it():
    paper = resting(quantity=10)
    paper.trade(SELL, 1000, 53)
    assert paper.fills() == [(1000, 3)]


def test_buyers_and_trades_elsewhere_do_not_move_a_bid():
    paper = resting(quantity=10)
    paper.trade(BUY, 1001, 500)
    paper.trade(SELL, 1005, 500)
    assert paper.fills() == []


def test_a_trade_through_the_price_fills_without_a_queue():
    paper = resting(side=SELL, price=1002, quantity=10)
    paper.trade(BUY, 1003, 7)
    assert paper.fills() == [(1002, 7)]
    paper.trade(BUY, 1002, 1)
    assert paper.fills() == [(1002, 7), (1002, 1)]


def test_trades_that_are_no_market_trades_fill_nobody():
    paper = resting(quantity=10)
    paper.trade(SELL, 1000, 500, flags=EventFlag.NON_MARKET)
    paper.trade(SELL, 990, 500, flags=EventFlag.NON_MARKET)
    assert paper.fills() == []


def test_a_trade_of_unknown_side_fills_only_what_it_went_through():
    paper = resting(quantity=10)
    paper.trade(0, 1000, 500)
    assert paper.fills() == []
    paper.trade(0, 999, 4)
    assert paper.fills() == [(1000, 4)]


def test_a_depth_update_older_than_the_book_changes_nothing():
    paper = with_book()
    paper.send("o-1", quantity=50)
    paper.wait()
    paper.send("o-2", price=1000, quantity=10)
    paper.wait()
    apply, paper.books.apply = paper.books.apply, lambda *_: None  # the book drops it
    paper.books.ids[0] = 10**6
    paper.depth(asks={1001: 50}, bids={1000: 0})
    paper.books.apply = apply
    paper.send("o-3", quantity=10)
    paper.wait()
    assert paper.fills("o-3") == [(1002, 10)]
    paper.trade(SELL, 1000, 50)
    assert paper.fills("o-2") == []


def test_the_depth_update_that_reports_a_trade_is_not_counted_again():
    for queue in ("conservative", "proportional"):
        paper = resting(quantity=10, queue=queue)
        paper.trade(SELL, 1000, 20)  # 30 ahead
        paper.depth(bids={1000: 30})  # the same 20, seen in the book
        paper.trade(SELL, 1000, 29)
        assert paper.fills() == [], queue
        paper.trade(SELL, 1000, 2)
        assert paper.fills() == [(1000, 1)], queue


def test_a_trade_that_arrives_after_the_depth_update_that_contains_it_is_not_counted_again():
    paper = resting(quantity=10)
    paper.depth(bids={1000: 20}, after_ms=10)  # 30 went; at most 20 can still be ahead
    paper.trade(SELL, 1000, 30, after_ms=1, lag_ms=5)  # they were this trade
    assert paper.fills() == []
    paper.trade(SELL, 1000, 19)
    assert paper.fills() == []
    paper.trade(SELL, 1000, 2)
    assert paper.fills() == [(1000, 1)]


def test_a_trade_from_before_the_order_joined_was_never_ahead_of_it():
    paper = with_book()
    paper.send(price=1000, quantity=10)
    paper.depth(bids={998: 29}, after_ms=10)  # it joins the book of this moment
    paper.trade(SELL, 1000, 50, after_ms=1, lag_ms=5)
    paper.trade(SELL, 1000, 49)
    assert paper.fills() == []
    paper.trade(SELL, 1000, 2)
    assert paper.fills() == [(1000, 1)]


@pytest.mark.parametrize("price", [1000, 999], ids=["at the price", "through it"])
def test_a_trade_from_before_the_order_joined_is_known_even_where_no_depth_frame_was_seen(price):
    paper = with_book()  # before the order: the lane had nothing working, and its adapter saw none of it
    paper.send(price=1000, quantity=10)
    paper.trade(SELL, 998, 1, after_ms=6, lag_ms=8)  # it joins on this frame; all of these trades are in the 50 displayed
    paper.trade(SELL, price, 55, after_ms=1, lag_ms=9)
    assert paper.fills() == []
    paper.trade(SELL, 1000, 50)
    assert paper.fills() == []
    paper.trade(SELL, 1000, 1)
    assert paper.fills() == [(1000, 1)]


def test_a_trade_through_the_price_from_before_the_order_joined_fills_nothing():
    paper = with_book()
    paper.send(price=1000, quantity=10)
    paper.depth(bids={998: 29}, after_ms=10)
    paper.trade(SELL, 999, 50, after_ms=1, lag_ms=5)
    assert paper.fills() == []
    paper.trade(SELL, 999, 50)
    assert paper.fills() == [(1000, 10)]


def test_a_trade_told_late_is_not_taken_for_part_of_the_next_decrease():
    paper = resting(quantity=10, queue="proportional")
    paper.depth(bids={1000: 80})
    paper.depth(bids={1000: 60}, after_ms=10)  # a trade of 20, not yet told: 12 of it credited to us
    paper.trade(SELL, 1000, 20, after_ms=1, lag_ms=5)  # and the other 8: 30 ahead of 60
    paper.depth(bids={1000: 30})  # 30 leave, half of them from ahead of us
    paper.trade(SELL, 1000, 15)
    assert paper.fills() == []
    paper.trade(SELL, 1000, 1)
    assert paper.fills() == [(1000, 1)]


def test_a_depth_update_older_than_a_trade_that_was_told_still_lacks_that_trade():
    paper = resting(quantity=10)
    paper.trade(SELL, 1000, 10)
    paper.depth(bids={1000: 30}, lag_ms=5)  # from before the trade: 20 had left, so 20 of these 30 are still there
    paper.trade(SELL, 1000, 21)
    assert paper.fills() == [(1000, 1)]


def test_conservative_takes_cancellations_to_be_behind_us_and_proportional_shares_them():
    for queue, ahead in (("conservative", 50), ("proportional", 31)):
        paper = resting(quantity=10, queue=queue)
        paper.depth(bids={1000: 80})  # 30 join behind: 50 ahead of 80
        paper.depth(bids={1000: 50})  # 30 leave: all from behind, or 30 x 50 / 80 = 18 from ahead
        paper.trade(SELL, 1000, ahead)
        paper.trade(SELL, 1000, 1 if queue == "conservative" else 2)
        assert paper.fills() == [(1000, 1)], queue


def test_no_more_than_the_displayed_quantity_can_be_ahead():
    paper = resting(quantity=10)
    paper.depth(bids={1000: 5})
    paper.trade(SELL, 1000, 6)
    assert paper.fills() == [(1000, 1)]


def test_a_level_that_vanished_leaves_us_first_in_the_queue():
    paper = resting(quantity=10)
    paper.depth(bids={1000: 0})
    paper.trade(SELL, 1000, 3)
    assert paper.fills() == [(1000, 3)]


def test_a_book_that_moves_through_the_price_fills_with_what_it_displays_there():
    paper = resting(quantity=100)
    paper.depth(bids={1000: 0, 999: 0}, asks={999: 30, 1000: 20})
    assert paper.fills() == [(1000, 30), (1000, 20)]
    assert {fill.liquidity_side for fill in paper.of(OrderFilled)} == {LiquiditySide.MAKER}
    paper.wait()
    assert len(paper.fills()) == 2, "the same display does not fill twice"
    paper.depth(asks={1000: 8})
    assert paper.fills()[2:] == [(1000, 8)]


def test_two_of_our_orders_share_a_trade_in_order_of_arrival():
    paper = resting(quantity=10)
    paper.send("o-2", price=1000, quantity=10)
    paper.wait()
    paper.trade(SELL, 1000, 65)
    assert paper.fills("o-1") == [(1000, 10)]
    assert paper.fills("o-2") == [(1000, 5)]


def test_the_better_price_of_ours_is_filled_first():
    paper = resting(quantity=10, price=999)
    paper.send("o-2", price=1000, quantity=10)
    paper.wait()
    paper.trade(SELL, 998, 15)
    assert paper.fills("o-2") == [(1000, 10)]
    assert paper.fills("o-1") == [(999, 5)]


# cancels, states, refusals


def test_a_cancel_takes_its_latency_and_fills_count_until_then():
    paper = resting(quantity=10, latency_us=5_000, cancel_latency_us=2_000)
    paper.cancel()
    paper.trade(SELL, 1000, 53, after_ms=1.9)
    assert paper.fills() == [(1000, 3)]
    paper.wait(0.1)
    canceled = paper.last()
    assert isinstance(canceled, OrderCanceled)
    assert (canceled.leaves_quantity, canceled.reason) == (7, "test")
    paper.trade(SELL, 1000, 53)
    assert paper.fills() == [(1000, 3)]


def test_a_cancel_never_overtakes_its_order():
    paper = with_book(latency_us=5_000, cancel_latency_us=0)
    paper.send(price=1000)
    paper.cancel()
    paper.wait(1)
    assert paper.events == []
    paper.wait(5)
    assert [type(event) for event in paper.events] == [OrderAccepted, OrderCanceled]


def test_a_cancel_of_an_order_that_ended_says_nothing():
    paper = with_book()
    paper.send(quantity=10)
    paper.wait()
    before = list(paper.events)
    paper.cancel()
    paper.cancel("never sent")
    paper.wait()
    assert paper.events == before


def test_an_order_waits_until_the_book_is_live_and_a_cancel_does_not():
    paper = with_book()
    paper.books.states[0] = BookState.GAP
    paper.send("o-1", quantity=10)
    paper.send("o-2", price=1000)
    paper.wait()
    paper.cancel("o-2")
    paper.wait()
    assert [type(event) for event in paper.events] == [OrderCanceled]
    paper.books.states[0] = BookState.LIVE
    paper.wait()
    assert paper.fills("o-1") == [(1001, 10)]


def test_a_resting_order_is_not_filled_from_a_book_that_is_not_live_and_goes_to_the_back_when_it_is_again():
    paper = resting(quantity=10)
    paper.trade(SELL, 1000, 40)
    paper.books.states[0] = BookState.GAP
    paper.trade(SELL, 1000, 400)
    paper.depth(asks={990: 400}, bids={})
    assert paper.fills() == []
    levels = [(EventKind.BOOK_CLEAR, 0, 0, 0), (EventKind.BOOK_DELTA, -1, 1001, 50), (EventKind.BOOK_DELTA, 1, 1000, 70)]
    paper.books.states[0] = BookState.LIVE
    paper.frame(levels, kind=FrameKind.SNAPSHOT)
    paper.trade(SELL, 1000, 70)
    assert paper.fills() == []
    paper.trade(SELL, 1000, 1)
    assert paper.fills() == [(1000, 1)]


def test_stop_cancels_what_rests_and_what_is_under_way_at_once():
    paper = resting(quantity=10)
    paper.send("o-2", quantity=5)
    paper.adapter.stop()
    assert isinstance(paper.last("o-1"), OrderCanceled)
    assert paper.last("o-2") == OrderCanceled(
        client_order_id="o-2", ts_event=paper.clock.now_ns(), leaves_quantity=5, reason="stop"
    )
    paper.trade(SELL, 1000, 500)
    paper.adapter.stop()
    assert len(paper.events) == 3


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"quantity": 0}, "not a positive multiple of the lot size"),
        ({"quantity": -3}, "not a positive multiple of the lot size"),
        ({"price": 0}, "not a positive multiple of the tick size"),
        ({"price": -5}, "not a positive multiple of the tick size"),
        ({"order_type": OrderType.LIMIT, "price": None}, "a limit order needs a price"),
        ({"order_type": OrderType.MARKET, "price": 1000}, "a market order has no price"),
        ({"price": 1000, "tif": TimeInForce.DAY}, "time in force day is not supported on paper"),
        ({"price": 1000, "tif": TimeInForce.GTD}, "time in force gtd is not supported on paper"),
        ({"post_only": True}, "post_only needs a limit order"),
        ({"price": 1000, "tif": IOC, "post_only": True}, "post_only needs a limit order"),
        ({"reduce_only": True}, "there is nothing to reduce"),
        ({"quantity": 1, "price": 1000}, "notional 0.1000 is under the minimum 5"),
    ],
)
def test_what_a_venue_would_refuse_is_rejected_with_the_reason(order, reason):
    paper = with_book(LINEAR)
    paper.send(**{"quantity": 100, **order})
    paper.wait()
    assert [type(event) for event in paper.events] == [OrderRejected]
    assert reason in paper.last().reason


def test_prices_off_the_tick_and_quantities_off_the_lot_are_rejected():
    coarse = msgspec.structs.replace(LINEAR, tick_size=5, lot_size=10)
    paper = Paper(coarse)
    paper.depth(bids={1000: 50}, asks={1005: 50})
    paper.send("o-1", price=1001)
    paper.send("o-2", quantity=15)
    paper.wait()
    assert "price 100.1 is not a positive multiple of the tick size 0.5" in paper.last("o-1").reason
    assert "quantity 0.015 is not a positive multiple of the lot size 0.010" in paper.last("o-2").reason


def test_reduce_only_stops_at_zero():
    paper = with_book(INVERSE)
    paper.send("o-1", quantity=20)
    paper.wait()
    paper.send("o-2", side=SELL, quantity=30, reduce_only=True)
    paper.wait()
    assert paper.fills("o-2") == [(1000, 20)]
    assert isinstance(paper.last("o-2"), OrderExpired)
    assert paper.last("o-2").leaves_quantity == 10


def test_a_resting_reduce_only_order_is_canceled_when_there_is_nothing_left_to_reduce():
    paper = with_book(INVERSE)
    paper.send("o-1", quantity=20)
    paper.wait()
    paper.send("o-2", side=SELL, quantity=20, price=1003, reduce_only=True)
    paper.send("o-3", side=SELL, quantity=15)
    paper.wait()
    paper.trade(BUY, 1004, 50)
    assert paper.fills("o-2") == [(1003, 5)]
    assert paper.last("o-2").reason == "reduce_only: nothing left to reduce"


def test_spot_sells_only_what_it_holds():
    paper = Paper(SPOT)
    paper.depth(bids={6_000_000: 500}, asks={6_000_100: 500})
    paper.send("o-1", side=SELL, quantity=10)
    paper.wait()
    assert paper.last("o-1").reason == "insufficient balance: sells 0.00010, free 0.00000"
    paper.send("o-2", quantity=30)
    paper.wait()
    paper.send("o-3", side=SELL, quantity=20, price=6_100_000)
    paper.wait()
    paper.send("o-4", side=SELL, quantity=11)
    paper.send("o-5", side=SELL, quantity=10)
    paper.wait()
    assert paper.last("o-4").reason == "insufficient balance: sells 0.00011, free 0.00010"
    assert paper.fills("o-5") == [(6_000_000, 10)]


@pytest.mark.parametrize(
    "settings",
    [{"latency_us": -1}, {"latency_us": 61_000_000}, {"latency_us": "5"}, {"queue": "lucky"}, {"cancel_latency_us": -1}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, PaperAdapter)


def test_an_order_that_a_report_causes_meets_a_later_frame():
    paper = with_book(latency_us=0)

    def answer(fill, view):
        if fill.client_order_id == "o-1":
            paper.send("o-2", side=SELL, quantity=5)

    paper.lanes[0].strategy.on_fill = answer
    paper.send("o-1", quantity=10)
    paper.wait(1)
    assert paper.fills("o-1") == [(1001, 10)]
    assert paper.fills("o-2") == []
    paper.wait(1)
    assert paper.fills("o-2") == [(1000, 5)]


def test_half_a_millisecond_is_not_rounded_away():
    paper = with_book(latency_us=500)
    paper.send(quantity=10)
    paper.wait(0.499)
    assert paper.events == []
    paper.wait(0.001)
    assert paper.fills() == [(1001, 10)]
    assert paper.adapter._latency == MS // 2


class Shown:
    """A book of one level a price, whose quantities the test sets."""

    def __init__(self) -> None:
        self.quantities = dict.fromkeys(range(1, 301), 10)

    def levels(self, instrument, side, count):
        prices = sorted(self.quantities)[:count]
        return np.array(prices), np.array([self.quantities[price] for price in prices])

    def quantity_at(self, instrument, side, price):
        return self.quantities.get(price, 0)


def test_levels_that_have_changed_since_they_were_taken_from_are_forgotten_and_the_others_never():
    shown = Shown()
    liquidity = Liquidity(shown)
    for price in range(1, 301):
        liquidity.take(0, Side.SELL, price, 4)
        if price % 3:
            shown.quantities[price] = 11
    (levels,) = liquidity._taken.values()
    assert len(levels) < 150
    assert liquidity.walk(0, Side.SELL, None, 30) == [(1, 11), (2, 11), (3, 6), (4, 2)]
    assert liquidity.walk(0, Side.SELL, None, 10_000)[-1] == (300, 6)
