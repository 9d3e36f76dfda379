"""The order table: legal changes happen, others are errors that change nothing, and the sums are those of its orders."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_fakes import submit

from vtframe.domain import (
    LiquiditySide,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderLost,
    OrderRejected,
    OrderStatus,
    Side,
)
from vtframe.errors import InvariantError
from vtframe.execution.client_order_ids import ClientOrderIds
from vtframe.execution.order_table import TRANSITIONS, OrderTable

MINUTE = 60_000_000_000


def fill(name, quantity, fill_id="", leaves=0):
    return OrderFilled(
        client_order_id=name,
        ts_event=1,
        price=100,
        quantity=quantity,
        leaves_quantity=leaves,
        liquidity_side=LiquiditySide.TAKER,
        fill_id=fill_id,
    )


def accepted(name):
    return OrderAccepted(client_order_id=name, ts_event=1)


def canceled(name):
    return OrderCanceled(client_order_id=name, ts_event=1)


def expired(name):
    return OrderExpired(client_order_id=name, ts_event=1)


def rejected(name):
    return OrderRejected(client_order_id=name, ts_event=1, reason="no")


def table_with(*orders):
    table = OrderTable()
    for order in orders:
        table.approve(order)
        table.submitted(order.client_order_id)
    return table


def test_an_order_goes_from_approved_to_filled():
    table = OrderTable()
    order = table.approve(submit("a", quantity=10))
    assert order.status is OrderStatus.APPROVED
    table.submitted("a")
    table.apply(accepted("a"))
    assert order.status is OrderStatus.ACCEPTED
    table.apply(fill("a", 4))
    assert (order.status, order.leaves_quantity, table.working(0)) == (OrderStatus.PARTIALLY_FILLED, 6, 6)
    table.apply(fill("a", 6))
    assert (order.status, order.leaves_quantity, table.working(0)) == (OrderStatus.FILLED, 0, 0)
    assert not table.has_working("lane1")


def test_a_fill_that_overtook_the_cancel_counts():
    table = table_with(submit("a", quantity=10))
    table.cancel_sent("a")
    order = table.apply(canceled("a"))
    assert table.working(0) == 0
    table.apply(fill("a", 3))
    assert (order.status, order.filled_quantity, table.late_fills, table.working(0)) == (OrderStatus.CANCELED, 3, 1, 0)
    table.apply(fill("a", 7))
    assert order.status is OrderStatus.FILLED


def test_a_partial_fill_leaves_a_pending_cancel_pending():
    table = table_with(submit("a", quantity=10))
    table.cancel_sent("a")
    assert table.apply(fill("a", 3)).status is OrderStatus.PENDING_CANCEL
    assert table.working(0) == 7
    assert table.apply(accepted("a")).status is OrderStatus.PENDING_CANCEL


def test_an_order_whose_answer_was_lost_works_until_the_venue_says_otherwise():
    table = table_with(submit("a", quantity=10))
    table.lost("a")
    assert (table["a"].status, table.working(0)) == (OrderStatus.UNKNOWN, 10)
    assert table.apply(accepted("a")).status is OrderStatus.ACCEPTED


def test_an_event_reported_again_changes_nothing_and_is_counted():
    table = table_with(submit("a", quantity=10))
    table.apply(fill("a", 4, "f1"))
    assert table.apply(fill("a", 4, "f1")) is None
    assert table["a"].filled_quantity == 4
    table.apply(canceled("a"))
    assert table.apply(canceled("a")) is None
    assert table.repeated == 2


@pytest.mark.parametrize(
    ("before", "event", "problem"),
    [
        ([], fill("zzz", 1), "not in the order table"),
        ([], fill("a", 11), "of which 10 is unfilled"),
        ([fill("a", 6)], fill("a", 5), "of which 4 is unfilled"),
        ([], fill("a", 0), "fill of 0"),
        ([], fill("a", -1), "fill of -1"),
        ([rejected("a")], fill("a", 1), "cannot go from rejected"),
        ([fill("a", 10)], canceled("a"), "cannot go from filled to canceled"),
        ([accepted("a")], rejected("a"), "cannot go from accepted to rejected"),
        ([rejected("a")], accepted("a"), "which is rejected"),
        ([canceled("a")], expired("a"), "cannot go from canceled to expired"),
    ],
)
def test_what_cannot_be_is_an_error_and_changes_nothing(before, event, problem):
    table = table_with(submit("a", quantity=10))
    for earlier in before:
        table.apply(earlier)
    order = table["a"]
    state = (order.status, order.filled_quantity, table.working(0))
    with pytest.raises(InvariantError, match=problem):
        table.apply(event)
    assert (order.status, order.filled_quantity, table.working(0)) == state


def test_an_order_is_not_sent_twice_under_one_name():
    table = table_with(submit("a"))
    with pytest.raises(InvariantError, match="used twice"):
        table.approve(submit("a"))
    table.apply(canceled("a"))
    with pytest.raises(InvariantError, match="used twice"):
        table.deny(submit("a"))


def test_a_denied_order_is_in_the_table_and_never_works():
    table = OrderTable()
    table.propose("a", None)
    assert table.deny(submit("a")).status is OrderStatus.DENIED
    assert table.working(0) == 0
    with pytest.raises(InvariantError):
        table.apply(fill("a", 1))


def test_lanes_instruments_and_sides_are_kept_apart():
    table = table_with(
        submit("a", lane="one", quantity=10),
        submit("b", lane="one", side=Side.SELL, quantity=3),
        submit("c", lane="two", quantity=5),
        submit("d", lane="one", instrument=1, quantity=7),
    )
    assert table.working(0, lane="one") == 7
    assert table.working(0, lane="one", side=Side.BUY) == 10
    assert table.working(0, lane="one", side=Side.SELL) == -3
    assert table.working(0) == 12
    assert table.working(1) == 7
    assert [order.command.client_order_id for order in table.working_orders("one", 0)] == ["a", "b"]


def test_approved_orders_are_counted_from_a_time_on_and_by_lane():
    table = OrderTable()
    for number, (ts, lane) in enumerate([(10, "one"), (20, "two"), (20, "one"), (30, "one")]):
        table.approve(submit(f"o{number}", lane=lane, ts_created=ts))
    assert [table.approved_since(ts) for ts in (10, 11, 20, 21, 31)] == [4, 3, 3, 1, 0]
    assert table.approved_since(20, lane="two") == 1


def test_a_clock_that_was_set_back_hides_no_approved_order():
    table = OrderTable()
    for number, ts in enumerate([100, 50, 60]):
        table.approve(submit(f"o{number}", ts_created=ts))
    assert table.approved_since(90) == 3


def test_old_ended_orders_are_forgotten_and_working_ones_never():
    table = OrderTable(keep=10)
    table.approve(submit("keep"))
    for number in range(50):
        table.deny(submit(f"d{number}", ts_created=number * MINUTE))
    assert table.find("keep") is not None
    assert table.find("d38") is None
    assert table.find("d40") is not None


def test_an_ended_order_is_found_for_ten_minutes_however_many_follow_it():
    table = OrderTable(keep=10)
    for number in range(600):
        table.approve(submit(f"o{number}", ts_created=number * MINUTE // 60))
        table.withdraw(f"o{number}")
    assert table.find("o0") is not None
    assert table.find("o0").prediction is None
    table.approve(submit("last", ts_created=10 * MINUTE))
    table.withdraw("last")
    assert table.find("o0") is None
    assert table.find("o1") is not None


events = st.lists(
    st.tuples(
        st.sampled_from(["accept", "fill", "cancel", "expire", "reject", "lost", "cancel_sent"]),
        st.sampled_from("abc"),
        st.integers(1, 12),
    ),
    max_size=40,
)


@given(script=events)
def test_whatever_a_venue_reports_the_sums_are_those_of_the_orders_and_states_follow_the_table(script):
    sides = {"a": Side.BUY, "b": Side.SELL, "c": Side.BUY}
    table = table_with(*(submit(name, side=side, quantity=10) for name, side in sides.items()))
    makers = {"accept": accepted, "cancel": canceled, "expire": expired, "reject": rejected}
    for step, (kind, name, quantity) in enumerate(script):
        before = table[name].status
        with contextlib.suppress(InvariantError):
            if kind == "fill":
                table.apply(fill(name, quantity, f"f{step}"))
            elif kind == "lost":
                table.lost(name)
            elif kind == "cancel_sent":
                table.cancel_sent(name)
            else:
                table.apply(makers[kind](name))
        after = table[name].status
        assert after is before or after in TRANSITIONS[before]
        orders = [table[other] for other in sides]
        assert all(0 <= order.filled_quantity <= 10 for order in orders)
        assert table.working(0) == sum(
            order.command.side * (10 - order.filled_quantity) for order in orders if not order.status.final
        )
        assert table.has_working("lane1") is any(not order.status.final for order in orders)


@pytest.mark.parametrize("session", ["20240808-101500-ab12", "x", "a session with spaces", "s" * 200, "sitzung-ü"])
def test_client_order_ids_are_unique_derived_and_fit_a_venue(session):
    first, second = ClientOrderIds(session), ClientOrderIds(session)
    names = [first.next() for _ in range(100)]
    assert names == [second.next() for _ in range(100)]
    assert len(set(names)) == 100
    assert all(len(name) <= 36 and name.replace("-", "").replace("_", "").isalnum() and name.isascii() for name in names)
    assert ClientOrderIds(session, start=101).next() not in names


def test_sessions_do_not_share_client_order_ids():
    assert ClientOrderIds("one").next() != ClientOrderIds("two").next()
    with pytest.raises(ValueError, match="empty"):
        ClientOrderIds("")


def lost(name):
    return OrderLost(client_order_id=name, ts_event=1, reason="no answer")


def test_an_order_whose_answer_is_lost_is_unknown_and_counts_as_working():
    table = table_with(submit("a", quantity=10))
    assert table.apply(lost("a")).status is OrderStatus.UNKNOWN
    assert table.working(0) == 10
    assert table.apply(lost("a")) is None  # nothing new
    assert table.apply(fill("a", 4, "t1")).status is OrderStatus.PARTIALLY_FILLED
    assert table.apply(lost("a")).status is OrderStatus.UNKNOWN
    assert table.apply(canceled("a")).status is OrderStatus.CANCELED
    assert table.working(0) == 0


@pytest.mark.parametrize("end", [canceled, expired, rejected])
def test_an_order_that_has_ended_is_lost_no_more(end):
    table = table_with(submit("a", quantity=10))
    ended = table.apply(end("a")).status
    assert table.apply(lost("a")) is None
    assert table["a"].status is ended


def test_an_unknown_order_may_be_canceled_and_its_answer_lost_again():
    table = table_with(submit("a", quantity=10))
    table.apply(lost("a"))
    table.cancel_sent("a")
    assert table.apply(lost("a")).status is OrderStatus.UNKNOWN
