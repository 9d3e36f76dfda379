"""A lane: what is missing becomes orders, exits close, a late answer is answered as declared, and a failure stays inside."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_fakes import LINEAR, MS, SPOT, Bench, FixedRows, ListJournal, RecordingAdapter, model_info

from vtframe.api import RiskPolicy, Strategy
from vtframe.builtin.paper.adapter import PaperAdapter
from vtframe.builtin.risk.max_position import MaxPosition
from vtframe.builtin.risk.stale_prediction import StalePrediction
from vtframe.builtin.strategies.probability import ProbabilityStrategy
from vtframe.domain import (
    BookState,
    Exits,
    Intent,
    LiquiditySide,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderLost,
    OrderRejected,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    Verdict,
)
from vtframe.engine.meters import Meters
from vtframe.errors import ConfigError, Fault, JournalError, PluginError
from vtframe.journal.records import CancelSent, IntentFormed, LaneFailed, OrderApproved, OrderDenied, OrderReported

FREE = msgspec.structs.replace(LINEAR, minimum_notional=Decimal(0))


class Wants(Strategy):
    """Returns what the test puts into ``next``, once."""

    name = "wants"

    def start(self, view):
        self.next = None
        self.seen = []
        self.fills = []
        self.after_fill = None

    def on_prediction(self, prediction, view):
        self.seen.append(prediction)
        answer, self.next = self.next, None
        return answer(prediction, view) if callable(answer) else answer

    def on_fill(self, fill, view):
        self.fills.append((fill.quantity, view.position(0).quantity))
        answer, self.after_fill = self.after_fill, None
        return answer() if callable(answer) else answer


class Denies(RiskPolicy):
    name = "denies"

    def review(self, order, context):
        return self.denied(order, "never")


class Venue:
    """A bench with one lane whose adapter a test answers for."""

    def __init__(self, *, instrument=FREE, policies=(), **more):
        self.bench = Bench(instrument, policies=policies, rows=FixedRows(a=1.5, b=2.5))
        self.bench.depth(bids={100_000: 1_000}, asks={100_001: 1_000})
        self.strategy = Wants()
        self.adapter = RecordingAdapter()
        self.lane = self.bench.lane(self.strategy, self.adapter, **more)

    def want(self, target, **more):
        """A prediction arrives, and the strategy wants that position."""
        prediction = self.bench.prediction(0.1, 0.2, 0.7)
        self.strategy.next = Intent(instrument=0, target=target, prediction=prediction, **more)
        self.lane.on_prediction(prediction)

    def limit(self, target, price, **more):
        self.want(target, order_type=OrderType.LIMIT, price=price, time_in_force=TimeInForce.GTC, **more)

    @property
    def sent(self):
        """Signed quantities, in the order they were sent."""
        return [order.side * order.quantity for order in self.adapter.submitted]

    @property
    def position(self):
        return self.lane.ledger.position(0).quantity

    def fill(self, number=-1, quantity=None, price=100_000):
        order = self.adapter.submitted[number]
        already = self.bench.orders[order.client_order_id].filled_quantity
        quantity = order.quantity - already if quantity is None else quantity
        self.tell(
            OrderFilled(
                client_order_id=order.client_order_id,
                ts_event=self.bench.clock.now_ns(),
                price=price,
                quantity=quantity,
                leaves_quantity=order.quantity - already - quantity,
                liquidity_side=LiquiditySide.TAKER,
            )
        )

    def tell(self, event):
        self.lane.on_order_event(event)

    def end(self, kind, number=-1, **more):
        name = self.adapter.submitted[number].client_order_id
        self.tell(kind(client_order_id=name, ts_event=self.bench.clock.now_ns(), **more))

    def enter(self, target, *, price=100_000, **more):
        self.want(target, **more)
        self.fill(price=price)
        return self

    def top(self, bid, ask):
        old = self.bench.books.top(0)
        self.bench.depth(bids={old.bid: 0, bid: 1_000}, asks={old.ask: 0, ask: 1_000})


# intents and orders


def test_the_delta_to_the_target_is_ordered():
    venue = Venue()
    venue.want(10)
    venue.fill()
    venue.want(25)
    venue.fill()
    venue.want(5)
    venue.fill()
    assert venue.sent == [10, 15, -20]
    assert venue.position == 5


def test_a_target_that_is_held_or_already_working_is_not_repeated():
    venue = Venue()
    venue.want(10)
    venue.want(10)
    assert venue.sent == [10]
    venue.fill(quantity=4)
    venue.want(10)
    assert venue.sent == [10]
    venue.fill()
    venue.want(10)
    assert venue.sent == [10]
    assert venue.lane.counters.intents == 1


def test_a_larger_target_adds_what_is_missing_to_what_works():
    venue = Venue()
    venue.limit(10, 99_990)
    venue.limit(15, 99_990)
    assert venue.sent == [10, 5]


def test_a_smaller_target_cancels_what_works_and_goes_on_when_it_is_gone():
    venue = Venue()
    venue.limit(10, 99_990)
    venue.limit(4, 99_990)
    venue.limit(4, 99_990)
    assert len(venue.adapter.canceled) == 1
    assert venue.sent == [10]
    venue.end(OrderCanceled, leaves_quantity=10)
    assert venue.sent == [10, 4]


def test_a_target_of_nothing_cancels_the_entry_and_sends_nothing():
    venue = Venue()
    venue.limit(10, 99_990)
    venue.want(0)
    venue.end(OrderCanceled, leaves_quantity=10)
    assert venue.sent == [10]
    assert venue.lane.counters.canceled == 1


def test_a_fill_that_overtakes_the_cancel_is_closed_again():
    venue = Venue()
    venue.limit(10, 99_990)
    venue.want(0)
    venue.fill(quantity=6)
    venue.end(OrderCanceled, leaves_quantity=4)
    assert venue.sent == [10, -6]


def test_a_flip_reduces_first_and_opens_when_that_is_filled():
    venue = Venue().enter(10)
    venue.want(-7, exits=Exits(stop_loss_bps=10))
    assert venue.sent == [10, -10]
    assert venue.adapter.submitted[1].reduce_only
    venue.want(-7)
    assert venue.sent == [10, -10], "the opening part waits"
    venue.fill(quantity=3)
    assert venue.sent == [10, -10]
    venue.fill()
    assert venue.sent == [10, -10, -7]
    assert not venue.adapter.submitted[2].reduce_only
    venue.fill()
    assert venue.position == -7


def test_both_parts_of_a_flip_are_reviewed_and_only_the_opening_one_can_be_denied():
    venue = Venue(policies=[StalePrediction(max_age_ms=5)]).enter(10)
    venue.want(-7)
    venue.bench.wait(20)
    venue.fill()
    assert venue.position == 0
    assert venue.sent == [10, -10]
    assert venue.lane.counters.denials == {"stale_prediction": 1}


def test_an_order_that_came_to_nothing_ends_the_intent_that_waited_for_it():
    for end in (OrderRejected, OrderExpired):
        venue = Venue().enter(10)
        venue.want(-7)
        venue.end(end, reason="no")
        assert venue.sent == [10, -10]
        assert venue.position == 10


def test_a_part_filled_reduction_goes_on_with_the_rest():
    venue = Venue().enter(10)
    venue.want(-7)
    venue.fill(quantity=4)
    venue.end(OrderExpired, leaves_quantity=6)
    assert venue.sent == [10, -10, -6]


def test_quantities_are_rounded_down_to_lots():
    venue = Venue(instrument=msgspec.structs.replace(FREE, lot_size=10))
    venue.want(37)
    venue.fill()
    assert venue.sent == [30]
    venue.want(38)
    assert venue.sent == [30]


def test_under_the_minimum_notional_nothing_is_sent_unless_it_closes_everything():
    venue = Venue(instrument=msgspec.structs.replace(LINEAR, minimum_notional=Decimal(100)))  # a lot is worth 10
    venue.want(9)
    assert venue.sent == []
    assert venue.lane.counters.denials == {"minimum_notional": 1}
    denied = venue.bench.journal.of(OrderDenied)[0].denied
    assert denied.reason == "notional 90.00 USDT is under the venue's minimum 100 (0.009 at 10000.1)"
    venue.enter(12)
    venue.want(5)
    assert venue.sent == [12], "reducing by less than the minimum"
    venue.top(bid=50_000, ask=50_001)
    venue.want(0)
    assert venue.sent == [12, -12], "60 USDT, but it closes everything"


def test_a_quantity_that_a_policy_makes_too_small_is_not_sent():
    small = msgspec.structs.replace(LINEAR, minimum_notional=Decimal(100))
    venue = Venue(instrument=small, policies=[MaxPosition(notional=95)])
    venue.want(50)
    assert venue.sent == []
    assert venue.lane.counters.denials == {"minimum_notional": 1}


# journal


def test_the_decision_is_journalled_before_the_order_is_sent():
    venue = Venue(policies=[MaxPosition(notional=500)])
    order_at_submit = []
    submit = venue.adapter.submit

    def watched(order):
        order_at_submit.append([type(record) for record in venue.bench.journal.records])
        submit(order)

    venue.adapter.submit = watched
    venue.want(60, edge_bps=2.5, cause="enter")
    assert order_at_submit == [[IntentFormed, OrderApproved]]
    formed = venue.bench.journal.of(IntentFormed)[0]
    assert (formed.lane, formed.instrument, formed.target, formed.position) == ("lane1", "BTCUSDT@binance_usdm", 60, 0)
    assert (formed.edge_bps, formed.cause, formed.row, formed.bid, formed.ask) == (2.5, "enter", (1.5, 2.5), 100_000, 100_001)
    assert formed.prediction.outputs == (0.1, 0.2, 0.7)
    approved = venue.bench.journal.of(OrderApproved)[0]
    assert (approved.order.quantity, approved.asked_quantity) == (49, 60)
    assert approved.notes == ("max_position: quantity 60 made 49",)
    assert (approved.order.input, approved.order.row) == (formed.prediction.input, formed.prediction.row)


def test_a_fill_is_journalled_with_what_it_came_to():
    venue = Venue().enter(10)
    venue.want(0)
    venue.fill(price=101_000)
    reports = venue.bench.journal.of(OrderReported)
    assert [(report.position, report.currency, report.realized) for report in reports] == [
        (10, "USDT", "0"),
        (0, "USDT", "1.0000"),
    ]
    assert Decimal(reports[1].fee) == Decimal("0.010") * Decimal(10_100) * FREE.taker_fee
    assert venue.strategy.fills == [(10, 10), (10, 0)]


def test_a_denied_order_is_journalled_counted_and_in_the_table():
    venue = Venue(policies=[Denies()])
    venue.want(10)
    denied = venue.bench.journal.of(OrderDenied)[0]
    assert denied.denied.reason == "never"
    assert venue.lane.counters.denials == {"denies": 1}
    assert venue.bench.orders[denied.order.client_order_id].status is OrderStatus.DENIED
    assert venue.sent == []
    assert not venue.lane.active


def test_a_lanes_own_limits_come_before_the_account_gate():
    venue = Venue(limits=[MaxPosition(notional=300)], policies=[MaxPosition(notional=200)])
    venue.want(60)
    assert venue.sent == [19]
    approved = venue.bench.journal.of(OrderApproved)[0]
    assert approved.notes == ("max_position: quantity 60 made 29", "max_position: quantity 29 made 19")
    strict = Venue(limits=[Denies()], policies=[MaxPosition(notional=200)])
    strict.want(60)
    assert strict.lane.counters.denials == {"denies": 1}


def test_reducing_orders_pass_policies_that_deny_everything():
    venue = Venue(policies=[MaxPosition(notional=1_000)]).enter(10)
    venue.bench.gate._reviews = (("denies", Denies().review),)
    venue.want(4)
    venue.fill()
    venue.want(0)
    venue.fill()
    assert venue.sent == [10, -6, -4]


# exits


@pytest.mark.parametrize(
    ("target", "exits", "quiet", "hit", "cause"),
    [
        (10, Exits(stop_loss_bps=10), (99_901, 99_950), (99_900, 99_950), "stop_loss"),
        (10, Exits(take_profit_bps=10), (100_099, 100_200), (100_100, 100_200), "take_profit"),
        (-10, Exits(stop_loss_bps=10), (100_000, 100_099), (100_000, 100_100), "stop_loss"),
        (-10, Exits(take_profit_bps=10), (99_800, 99_901), (99_800, 99_900), "take_profit"),
    ],
)
def test_an_exit_fires_at_its_executable_price_and_not_a_tick_before(target, exits, quiet, hit, cause):
    venue = Venue().enter(target, exits=exits)
    assert venue.lane.active
    venue.top(*quiet)
    assert venue.sent == [target]
    venue.top(*hit)
    assert venue.sent == [target, -target]
    order = venue.adapter.submitted[1]
    assert (order.cause, order.reduce_only, order.order_type) == (cause, True, OrderType.MARKET)
    assert venue.bench.journal.of(IntentFormed)[1].cause == cause
    venue.fill(price=hit[0])
    assert not venue.lane.active, "a flat lane needs no frames"


def test_an_exit_is_not_sent_twice_while_one_works():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10))
    venue.top(99_000, 99_001)
    venue.bench.wait()
    venue.fill(quantity=4)
    venue.bench.wait()
    assert venue.sent == [10, -10]
    venue.end(OrderExpired, leaves_quantity=6)
    venue.bench.wait()
    assert venue.sent == [10, -10, -6]


def test_an_exit_that_came_to_nothing_is_tried_again_after_a_while():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10))
    venue.top(99_000, 99_001)
    venue.end(OrderRejected, reason="overloaded")
    for _ in range(9):
        venue.bench.wait(10)
    assert venue.sent == [10, -10]
    venue.bench.wait(10)
    assert venue.sent == [10, -10, -10]


def test_the_horizon_closes_on_the_market_clock_even_without_a_live_book():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10, horizon_ns=500 * MS))
    venue.bench.books.states[0] = BookState.GAP
    venue.top(90_000, 90_001)
    assert venue.sent == [10], "a stop loss needs a book"
    venue.bench.wait(498.9)
    assert venue.sent == [10]
    venue.bench.wait(0.2)
    assert venue.sent == [10, -10]
    assert venue.adapter.submitted[1].cause == "horizon"


def test_adding_moves_the_exits_with_the_average_price_and_keeps_the_horizon():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10, horizon_ns=500 * MS), price=100_000)
    venue.bench.wait(100)
    venue.want(20)
    venue.fill(price=102_000)  # average 10,100.0: the stop is at 10,089.9
    venue.top(100_900, 100_901)
    assert venue.sent == [10, 10]
    venue.top(100_899, 100_901)
    assert venue.sent == [10, 10, -20]
    venue.end(OrderExpired)
    venue.bench.wait(500)
    assert venue.adapter.submitted[-1].cause == "stop_loss"


def test_a_position_without_exits_is_not_watched():
    venue = Venue().enter(10)
    assert not venue.lane.active
    venue.top(50_000, 50_001)
    assert venue.sent == [10]


def test_an_exit_cancels_the_entries_that_still_work():
    venue = Venue()
    venue.limit(10, 99_990, exits=Exits(stop_loss_bps=10))
    venue.fill(quantity=4, price=99_990)
    venue.top(99_000, 99_001)
    assert venue.sent == [10, -4]
    assert [command.cause for command in venue.adapter.canceled] == ["stop_loss"]


def test_a_resting_take_profit_of_the_strategy_does_not_keep_the_stop_loss_from_closing():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10))
    venue.limit(0, 100_500)
    venue.top(99_000, 99_001)
    assert venue.sent == [10, -10, -10]
    assert all(order.reduce_only for order in venue.adapter.submitted[1:])
    assert len(venue.adapter.canceled) == 1


def test_new_exits_replace_the_old_ones():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10, take_profit_bps=10))
    venue.enter(20, exits=Exits(stop_loss_bps=30))
    venue.top(100_500, 100_501)
    venue.top(99_701, 99_702)
    assert venue.sent == [10, 10]
    venue.top(99_700, 99_702)
    assert venue.sent == [10, 10, -20]


def test_an_empty_side_fires_no_exit():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10))
    venue.bench.depth(bids={100_000: 0})
    assert venue.bench.books.top(0).bid == 0
    assert venue.sent == [10]


def test_flipped_positions_get_their_own_exits():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10))
    venue.want(-10, exits=Exits(stop_loss_bps=20))
    venue.fill(1)
    assert venue.lane.active
    venue.fill(2)
    venue.top(100_150, 100_199)
    assert venue.sent == [10, -10, -10]
    venue.top(100_150, 100_200)
    assert venue.sent == [10, -10, -10, 10]


# predictions that cannot be traded


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.OK])
def test_only_predictions_that_are_ok_reach_the_strategy(verdict):
    venue = Venue()
    venue.bench.predict(verdict=verdict)
    assert venue.strategy.seen == []
    assert venue.lane.counters.late == {verdict.value: 1}


@pytest.mark.parametrize(("answer", "canceled", "closed"), [("hold", 0, 0), ("cancel", 1, 0), ("flatten", 1, 1)])
def test_a_late_prediction_is_answered_as_declared(answer, canceled, closed):
    venue = Venue(when_late=answer).enter(10)
    venue.limit(15, 99_990)
    for _ in range(3):
        venue.bench.predict(verdict=Verdict.LATE)
    assert len(venue.adapter.canceled) == canceled
    assert venue.sent == [10, 5] + [-10] * closed
    if closed:
        assert venue.adapter.submitted[-1].cause == "when_late"


@pytest.mark.parametrize("verdict", [Verdict.LATE, Verdict.STALE, Verdict.INVALID, Verdict.FAILED])
def test_what_waits_for_another_orders_end_opens_nothing_once_predictions_cannot_be_traded(verdict):
    venue = Venue().enter(10)
    venue.want(-7)
    venue.fill(quantity=3)
    venue.bench.predict(verdict=verdict)
    venue.bench.predict(verdict=verdict)
    venue.end(OrderCanceled, leaves_quantity=7)
    assert venue.sent == [10, -10, -7], "the rest of the reduction goes on"
    venue.fill()
    assert venue.sent == [10, -10, -7]
    assert venue.position == 0
    venue.want(-7)
    assert venue.sent == [10, -10, -7, -7], "and a newer signal opens"


@pytest.mark.parametrize(("target", "after"), [(12, []), (6, [-4])])
def test_a_larger_target_that_waits_is_dropped_with_its_prediction_and_a_smaller_one_is_not(target, after):
    venue = Venue().enter(10)
    venue.limit(2, 99_990)
    venue.want(target)
    assert venue.sent == [10, -8]
    assert len(venue.adapter.canceled) == 1
    venue.bench.predict(verdict=Verdict.STALE)
    venue.end(OrderCanceled, leaves_quantity=8)
    assert venue.sent == [10, -8, *after]


def test_a_conflated_prediction_opens_what_waits_all_the_same():
    venue = Venue().enter(10)
    venue.want(-7)
    venue.bench.predict(verdict=Verdict.CONFLATED)
    venue.fill()
    assert venue.sent == [10, -10, -7]


def test_a_conflated_prediction_flattens_nothing():
    venue = Venue(when_late="flatten").enter(10)
    venue.bench.predict(verdict=Verdict.CONFLATED)
    assert venue.sent == [10]


# failures


def test_a_strategy_that_raises_stops_entering_and_its_exits_still_close():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10))
    venue.limit(20, 99_990)
    venue.strategy.next = lambda *_: 1 / 0
    venue.bench.predict(0.1)
    failed = venue.bench.journal.of(LaneFailed)
    assert len(failed) == 1
    assert "strategy wants raised ZeroDivisionError" in failed[0].problem
    assert venue.lane.failed == failed[0].problem
    assert len(venue.adapter.canceled) == 1
    venue.want(50)
    assert venue.sent == [10, 10], "no entry follows"
    venue.top(99_000, 99_001)
    assert venue.sent == [10, 10, -10]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("buy", "answered str, expected Intent"),
        (7, "answered int, expected Intent"),
        (Intent(instrument=3, target=5), "wants instrument 3, and the session has 1"),
        (Intent(instrument=-1, target=5), "wants instrument -1"),
        (Intent(instrument=0, target=1.5), "its target is 1.5, expected a whole number"),
        (Intent(instrument=0, target=5, order_type=OrderType.LIMIT), "a limit order needs a price"),
        (Intent(instrument=0, target=5, price=100), "a market order has none"),
    ],
)
def test_an_answer_that_is_no_intent_fails_the_lane_with_a_reason(answer, problem):
    venue = Venue()
    venue.strategy.next = answer
    venue.bench.predict(0.1)
    assert problem in venue.lane.failed
    assert venue.sent == []


def test_a_strategy_may_answer_with_several_intents():
    venue = Venue()
    venue.strategy.next = [Intent(instrument=0, target=5), Intent(instrument=0, target=8)]
    venue.bench.predict(0.1)
    assert venue.sent == [5, 3]


def test_a_strategy_may_answer_a_fill():
    venue = Venue()
    venue.want(10)
    venue.strategy.after_fill = Intent(instrument=0, target=0)
    venue.fill()
    assert venue.sent == [10, -10]
    venue.strategy.after_fill = lambda: 1 / 0
    venue.fill()
    assert "on a fill of" in venue.lane.failed


def test_an_adapter_that_raises_leaves_the_order_unknown_and_fails_the_lane():
    venue = Venue()

    def broken(order):
        raise ConnectionError("reset")

    venue.adapter.submit = broken
    venue.want(10)
    assert "ConnectionError('reset')" in venue.lane.failed
    order = next(venue.bench.orders.working_orders("lane1"))
    assert order.status is OrderStatus.PENDING_CANCEL, "it may work, so it is canceled, and never sent again"
    assert venue.bench.orders.working(0) == 10


@pytest.mark.parametrize(
    ("call", "problem"), [("on_frame", "raised OSError('gone') on input"), ("cancel", "cancel of test-1 raised")]
)
def test_an_adapter_that_raises_later_fails_the_lane_too(call, problem):
    venue = Venue()
    venue.limit(10, 99_990)

    def broken(*_):
        raise OSError("gone")

    setattr(venue.adapter, call, broken)
    venue.want(0)
    venue.bench.wait()
    assert problem in venue.lane.failed
    assert len(venue.bench.journal.of(LaneFailed)) == 1
    venue.want(30)
    assert venue.sent == [10]


def test_an_adapter_that_raises_while_it_stops_is_journalled_and_the_lane_is_stopped():
    venue = Venue()

    def broken():
        raise OSError("gone")

    venue.adapter.stop = broken
    venue.lane.stop()
    assert "while it stopped" in venue.lane.failed
    assert not venue.lane.active
    venue.bench.predict(0.1)
    assert venue.strategy.seen == []


def test_an_event_reported_twice_is_booked_once():
    venue = Venue().enter(10)
    fill = next(record.event for record in venue.bench.journal.of(OrderReported))
    venue.limit(30, 99_990)
    named = msgspec.structs.replace(fill, client_order_id="test-2", quantity=5, fill_id="f-1")
    venue.tell(named)
    venue.tell(named)
    assert venue.position == 15
    assert venue.lane.counters.fills == 2


def test_an_event_that_cannot_be_true_fails_the_lane():
    venue = Venue()
    venue.want(10)
    venue.fill()
    venue.end(OrderCanceled)
    assert "cannot go from filled to canceled" in venue.lane.failed
    assert venue.position == 10


def test_one_failed_lane_does_not_stop_another():
    venue = Venue()
    other, adapter = Wants(), RecordingAdapter()
    venue.bench.lane(other, adapter)
    venue.strategy.next = lambda *_: 1 / 0
    other.next = Intent(instrument=0, target=4)
    venue.bench.predict(0.1)
    assert venue.lane.failed
    assert [order.quantity for order in adapter.submitted] == [4]


@pytest.mark.parametrize("part", ["strategy", "adapter"])
def test_a_part_that_cannot_start_is_named(part):
    strategy, adapter = Wants(), RecordingAdapter()

    def fail(_):
        raise OSError("no licence")

    (strategy if part == "strategy" else adapter).start = fail
    with pytest.raises(PluginError, match=r"lane lane1: it cannot start: OSError\('no licence'\)"):
        Bench(FREE).lane(strategy, adapter)

    def refuse(_):
        raise ConfigError(Fault(problem="enter is wrong"))

    (strategy if part == "strategy" else adapter).start = refuse
    with pytest.raises(ConfigError, match="enter is wrong"):
        Bench(FREE).lane(strategy, adapter)


# the end


def test_stop_cancels_everything_and_takes_nothing_more():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=10))
    venue.limit(15, 99_990)
    venue.lane.stop()
    assert len(venue.adapter.canceled) == 1
    assert venue.adapter.stopped
    assert not venue.lane.active
    venue.want(50)
    venue.top(90_000, 90_001)
    venue.lane.stop()
    assert venue.sent == [10, 5]
    assert len(venue.bench.journal.of(CancelSent)) == 1


class Full(ListJournal):
    """A journal on a disk that is full for records of some kinds."""

    def __init__(self, *kinds):
        super().__init__()
        self.kinds = kinds

    def write(self, *records):
        if any(isinstance(record, self.kinds) for record in records):
            raise JournalError("journal", "No space left on device")
        super().write(*records)


def journal_of(venue, journal):
    for part in (venue.lane, venue.lane._desk, venue.lane._desk._denials):
        part._journal = journal
    return journal


def test_an_order_that_the_journal_did_not_take_is_never_sent_and_the_lane_stops_all_the_same():
    venue = Venue()
    journal = journal_of(venue, Full(OrderApproved))
    with pytest.raises(JournalError, match="No space left"):
        venue.want(10)
    assert venue.sent == []
    assert venue.bench.orders["test-1"].status is OrderStatus.CANCELED
    assert venue.lane.counters.orders == 0
    journal.kinds = ()
    venue.want(7)
    venue.lane.stop()
    assert venue.sent == [7], "what was never sent does not count as working"
    assert [order.client_order_id for order in venue.adapter.canceled] == ["test-2"]
    assert venue.adapter.stopped


def test_stop_cancels_every_order_and_stops_the_adapter_though_the_journal_takes_nothing():
    venue = Venue()
    venue.limit(10, 99_990)
    venue.limit(15, 99_980)
    journal_of(venue, Full(object))
    with pytest.raises(JournalError, match="No space left"):
        venue.lane.stop()
    assert [order.client_order_id for order in venue.adapter.canceled] == ["test-1", "test-2"]
    assert venue.adapter.stopped
    assert not venue.lane.active
    venue.lane.stop()


def test_stop_goes_on_where_a_cancel_raises_and_tells_the_first():
    venue = Venue()
    venue.limit(10, 99_990)
    venue.limit(15, 99_980)
    tried = []

    def broken(command):
        tried.append(command.client_order_id)
        raise OSError("gone")

    venue.adapter.cancel = broken
    venue.lane.stop()
    assert tried == ["test-1", "test-2"]
    assert "cancel of test-1 raised" in venue.lane.failed
    assert venue.adapter.stopped


def test_events_that_arrive_after_stop_are_still_booked():
    venue = Venue()
    venue.want(10)
    venue.lane.stop()
    venue.fill()
    assert venue.position == 10
    assert venue.strategy.fills == []


def test_the_stages_are_metered():
    meters = Meters()
    venue = Venue(meters=meters)
    venue.bench.clock.measured = True
    prediction = venue.bench.prediction(0.1)
    venue.strategy.next = Intent(instrument=0, target=5)
    venue.lane.on_prediction(prediction, started=venue.bench.clock.monotonic_ns())
    counts = {name: stage["count"] for name, stage in meters.report()["latency_ns"].items()}
    assert {name: counts[name] for name in ("strategy", "risk", "submit", "tick_to_order")} == dict.fromkeys(
        ("strategy", "risk", "submit", "tick_to_order"), 1
    )


def test_an_exit_and_a_late_answer_are_metered_from_the_arrival_of_their_own_input():
    meters = Meters()
    venue = Venue(meters=meters, when_late="flatten")
    ticks = iter(range(1_000, 10_000, 1_000))
    venue.lane._meters.now = lambda: next(ticks)
    on_frame = venue.lane.on_frame
    venue.lane.on_frame = lambda records, index: on_frame(records, index, started=1)
    venue.enter(10, exits=Exits(stop_loss_bps=10))  # its arrival is not known: not metered
    meters.fold()
    assert meters.report()["latency_ns"]["tick_to_order"]["count"] == 0
    ticks = iter(range(1_000_000, 2_000_000))
    venue.top(90_000, 90_001)
    assert venue.sent == [10, -10]
    exits = meters.report()["latency_ns"]["tick_to_order"]
    assert (exits["count"], exits["max"]) == (1, 1_000_003 - 1)
    venue.end(OrderRejected, reason="no")
    venue.bench.clock.advance(venue.bench.clock.now_ns() + 200 * MS)
    ticks = iter(range(5_000_000, 6_000_000))
    venue.lane.on_prediction(venue.bench.prediction(verdict=Verdict.LATE), started=4_000_000)
    assert venue.sent == [10, -10, -10]
    assert meters.report()["latency_ns"]["tick_to_order"]["max"] == 1_000_003


# with paper execution


def paper_bench(*instruments, policies=(), lanes=1, **settings):
    bench = Bench(*instruments or (FREE,), policies=policies)
    bench.depth(bids={100_000: 1_000}, asks={100_001: 1_000})
    for _ in range(lanes):
        strategy = ProbabilityStrategy(assume_fees_bps=0.0, **settings)
        bench.lane(strategy, PaperAdapter(), model=model_info())
    return bench


def test_a_signal_becomes_a_position_and_its_horizon_closes_it():
    bench = paper_bench()
    lane = bench.lanes[0]
    bench.predict(0.05, 0.1, 0.85)
    assert lane.active
    bench.wait(4)
    assert lane.ledger.position(0).quantity == 0, "the latency has not passed"
    bench.wait(1)
    assert lane.ledger.position(0).quantity == 999
    assert lane.active
    bench.wait(999)
    assert lane.ledger.position(0).quantity == 999
    bench.wait(1)
    bench.wait(5)
    assert lane.ledger.position(0).quantity == 0
    assert not lane.active
    causes = [record.order.cause for record in bench.journal.of(OrderApproved)]
    assert causes == ["enter", "horizon"]
    assert lane.counters.orders == lane.counters.fills == 2
    fills = [report for report in bench.journal.of(OrderReported) if isinstance(report.event, OrderFilled)]
    assert sum(Decimal(report.realized) for report in fills) == -Decimal("0.1") * Decimal("0.999")
    assert all(Decimal(report.fee) > 0 for report in fills)


def test_a_signal_that_turns_flips_the_position_in_two_orders():
    bench = paper_bench()
    lane = bench.lanes[0]
    bench.predict(0.05, 0.1, 0.85)
    bench.wait()
    bench.predict(0.85, 0.1, 0.05)
    bench.wait()
    assert lane.ledger.position(0).quantity == 0
    bench.depth(bids={100_000: 1_500}, after_ms=10)  # the first sale left 1 of what was displayed
    assert lane.ledger.position(0).quantity == -1_000  # 10,000 at 10,000.0
    sides = [(record.order.side, record.order.reduce_only) for record in bench.journal.of(OrderApproved)]
    assert sides == [(Side.BUY, False), (Side.SELL, True), (Side.SELL, False)]


def test_two_lanes_share_the_account_limit_and_keep_their_own_positions():
    bench = paper_bench(lanes=2, policies=[MaxPosition(notional=15_000)])
    bench.predict(0.05, 0.1, 0.85)
    bench.wait()
    quantities = [lane.ledger.position(0).quantity for lane in bench.lanes]
    assert quantities == [999, 500]
    assert bench.gate._context.position(0).quantity == 1499
    assert LINEAR.notional(100_001, 1499) <= 15_000


def test_lanes_with_different_adapters_work_side_by_side():
    bench = paper_bench()
    other, adapter = Wants(), RecordingAdapter()
    bench.lane(other, adapter)
    other.next = Intent(instrument=0, target=4)
    bench.predict(0.05, 0.1, 0.85)
    bench.wait()
    assert bench.lanes[0].ledger.position(0).quantity == 999
    assert [order.lane for order in adapter.submitted] == ["lane2"]
    name = adapter.submitted[0].client_order_id
    bench.lanes[1].on_order_event(OrderAccepted(client_order_id=name, ts_event=1))
    assert bench.orders[name].status is OrderStatus.ACCEPTED
    assert bench.orders.working(0) == 4


def test_stop_on_paper_leaves_no_order_working():
    bench = paper_bench(order="make")
    bench.predict(0.05, 0.1, 0.85)
    bench.wait()
    assert bench.orders.has_working("lane1")
    bench.lanes[0].stop()
    assert not bench.orders.has_working("lane1")
    assert bench.lanes[0].counters.canceled == 1


steps = st.one_of(
    st.tuples(st.just("want"), st.integers(-300, 300)),
    st.tuples(st.just("wait"), st.sampled_from([1, 3, 6])),
    st.tuples(st.just("take"), st.sampled_from([0, 5, 1_000])),
)


@settings(max_examples=150, deadline=None)
@given(script=st.lists(steps, max_size=30), limit=st.integers(500, 2_500), spot=st.booleans())
def test_no_sequence_of_intents_at_a_constant_price_takes_the_position_beyond_its_limit(script, limit, spot):
    instrument = msgspec.structs.replace(
        SPOT if spot else FREE, price_decimals=1, quantity_decimals=3, minimum_notional=Decimal(0)
    )
    bench = Bench(instrument, policies=[MaxPosition(notional=limit)])
    bench.depth(bids={100_000: 1_000}, asks={100_000: 1_000})  # one price for both sides
    strategy = Wants()
    lane = bench.lane(strategy, PaperAdapter())
    for kind, value in [*script, ("wait", 6), ("wait", 6), ("wait", 6)]:
        if kind == "want":
            strategy.next = Intent(instrument=0, target=max(value, 0) if spot else value)
            bench.predict(0.1)
        elif kind == "wait":
            bench.wait(value)
        else:
            bench.depth(bids={100_000: value}, asks={100_000: value})
        position = lane.ledger.position(0).quantity
        assert instrument.notional(100_000, position) <= limit
        assert position >= 0 or not spot
    assert not lane.failed
    assert not bench.orders.has_working("lane1")
    targets = [value for kind, value in script if kind == "want"]
    if targets and not any(kind == "take" for kind, _ in script):
        last = max(targets[-1], 0) if spot else targets[-1]
        worth = instrument.notional(100_000, last)
        position = lane.ledger.position(0).quantity
        assert position * last >= 0
        if worth <= limit:
            assert position == last


# a venue that cannot be reached


def test_what_opens_is_denied_with_the_reason_while_the_venue_takes_no_entries():
    venue = Venue().enter(10)
    venue.lane.on_entries(allowed=False, reason="user data was lost")
    assert not venue.lane.view.trading_available
    venue.want(25)
    assert venue.sent == [10]
    denied = venue.bench.journal.of(OrderDenied)[-1].denied
    assert (denied.policy, denied.reason) == ("venue_closed", "user data was lost")
    venue.lane.on_entries(allowed=True)
    assert venue.lane.view.trading_available
    venue.want(25)
    assert venue.sent == [10, 15]


def test_what_reduces_is_sent_while_the_venue_takes_no_entries():
    venue = Venue().enter(10)
    venue.lane.on_entries(allowed=False, reason="user data was lost")
    venue.want(4)
    assert venue.sent == [10, -6]
    venue.fill()
    venue.want(-5)  # through zero: the half that opens is denied
    venue.fill()
    assert venue.sent == [10, -6, -4]
    assert venue.position == 0


def test_exits_close_while_the_venue_takes_no_entries():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=5.0))
    venue.lane.on_entries(allowed=False, reason="user data was lost")
    venue.top(99_000, 99_001)
    assert venue.sent == [10, -10]


def test_an_unknown_order_is_neither_repeated_nor_forgotten():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=5.0))
    venue.top(99_000, 99_001)
    venue.end(OrderLost, reason="no answer")
    for _ in range(5):
        venue.bench.wait(1_000)
    assert venue.sent == [10, -10]  # the exit may be at the venue: a second one would turn the position over
    venue.fill()
    assert venue.position == 0


def test_an_unknown_order_that_was_not_found_is_followed_by_another_attempt():
    venue = Venue().enter(10, exits=Exits(stop_loss_bps=5.0))
    venue.top(99_000, 99_001)
    venue.end(OrderLost, reason="no answer")
    venue.end(OrderRejected, reason="NOT_FOUND")
    for _ in range(3):
        venue.bench.wait(200)
    assert venue.sent == [10, -10, -10]
    names = [order.client_order_id for order in venue.adapter.submitted]
    assert len(names) == len(set(names))


def test_a_lane_that_is_wound_down_cancels_and_hears_the_ends():
    venue = Venue()
    venue.limit(10, 99_000)
    venue.lane.wind_down("stop")
    (canceled,) = venue.adapter.canceled
    assert venue.lane.working_orders() == [canceled.client_order_id]
    venue.end(OrderCanceled)
    assert venue.lane.working_orders() == []
    venue.want(20)
    assert venue.sent == [10]
    venue.lane.stop()
    assert len(venue.adapter.canceled) == 1
    assert venue.adapter.stopped
