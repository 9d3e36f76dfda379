"""The matching engine against a reference of plain lists: an empty, silent market in which only outside orders act."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtframe.domain import EventKind, Records, Side
from vtframe.sim import CANCELED, MAKER_FILL, TAKER_FILL, SimulatedMarket, Tables, read_calibration, tables

MIDDLE = 618_000


def silent() -> Tables:
    """No simulated order ever arrives, and every queue starts empty."""
    real = tables(read_calibration(), "busy")
    return real._replace(rates=np.zeros_like(real.rates), lots=np.zeros_like(real.lots), chances=np.zeros(3))


class Reference:
    """Price-time priority in the plainest way: a list of orders per price."""

    def __init__(self) -> None:
        self.books: dict[int, dict[int, list[list[int]]]] = {1: {}, -1: {}}  # side, price: [[number, lots], ...]
        self.reports: list[tuple[int, int, int, int, int]] = []  # kind, order, price, quantity, leaves

    def submit(self, number: int, side: int, price: int | None, lots: int, *, rests: bool) -> None:
        opposite = self.books[-side]
        while lots and opposite:
            best = min(opposite, key=lambda p: p * side)
            if price is not None and (best - price) * side > 0:
                break
            traded, queue = 0, opposite[best]
            while lots and queue:
                part = min(lots, queue[0][1])
                queue[0][1] -= part
                lots -= part
                traded += part
                self.reports.append((MAKER_FILL, queue[0][0], best, part, queue[0][1]))
                if not queue[0][1]:
                    queue.pop(0)
            if not queue:
                del opposite[best]
            self.reports.append((TAKER_FILL, number, best, traded, lots))
        if lots and rests and price is not None:
            self.books[side].setdefault(price, []).append([number, lots])
        elif lots:
            self.reports.append((CANCELED, number, -1, lots, 0))

    def cancel(self, number: int) -> int:
        for book in self.books.values():
            for price, queue in book.items():
                for order in queue:
                    if order[0] == number:
                        queue.remove(order)
                        if not queue:
                            del book[price]
                        self.reports.append((CANCELED, number, price, order[1], 0))
                        return order[1]
        return 0

    def totals(self, side: int) -> dict[int, int]:
        return {price: sum(lots for _, lots in queue) for price, queue in self.books[side].items()}


SIDES = st.sampled_from([Side.BUY, Side.SELL])
LOTS = st.integers(1, 50)
COMMANDS = st.lists(
    st.one_of(
        st.tuples(st.just("limit"), SIDES, st.integers(-4, 4), LOTS, st.booleans()),
        st.tuples(st.just("limit"), SIDES, st.integers(-4, 4), LOTS, st.just(True)),  # noqa: FBT003
        st.tuples(st.just("market"), SIDES, st.just(0), LOTS, st.just(False)),  # noqa: FBT003
        st.tuples(st.just("cancel"), SIDES, st.integers(0, 60), st.just(1), st.just(False)),  # noqa: FBT003
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(COMMANDS)
def test_orders_match_by_price_and_then_by_time(commands: list[tuple[str, Side, int, int, bool]]) -> None:
    market = SimulatedMarket(silent(), seed=1, start_price=MIDDLE, start_ns=0)
    reference, records = Reference(), Records()
    numbers: list[int] = []
    submitted = 0
    for ts, (what, side, at, lots, rests) in enumerate(commands, start=1):
        if what == "cancel":
            number = numbers[at % len(numbers)] if numbers else 12345
            assert market.cancel(records, ts=ts, order=number) == reference.cancel(number)
            continue
        submitted += lots
        if what == "limit":
            number = market.submit_limit(records, ts=ts, side=side, price=MIDDLE + at, quantity=lots, rests=rests)
            reference.submit(number, side, MIDDLE + at, lots, rests=rests)
        else:
            number = market.submit_market(records, ts=ts, side=side, quantity=lots)
            reference.submit(number, side, None, lots, rests=False)
        numbers.append(number)
        assert market.book(Side.BUY) == reference.totals(1)
        assert market.book(Side.SELL) == reference.totals(-1)
        bid, ask = market.best
        assert bid is None or ask is None or bid < ask
    reports = market.take_reports()
    found = [tuple(int(row[key]) for key in ("kind", "order", "price", "quantity", "leaves")) for row in reports]
    expected = reference.reports
    assert [(*row[:2], *row[3:]) for row in found] == [(*row[:2], *row[3:]) for row in expected]
    assert all(row[2] == wanted[2] for row, wanted in zip(found, expected, strict=True) if wanted[2] != -1)
    filled = {kind: sum(row[3] for row in found if row[0] == kind) for kind in (MAKER_FILL, TAKER_FILL, CANCELED)}
    resting = sum(sum(market.book(side).values()) for side in Side)
    assert filled[MAKER_FILL] == filled[TAKER_FILL]
    assert submitted == 2 * filled[MAKER_FILL] + filled[CANCELED] + resting
    trades = records.events[: records.n_events]
    assert int(trades["quantity"][trades["kind"] == EventKind.TRADE].sum()) == filled[TAKER_FILL]


def test_an_earlier_order_at_a_price_fills_first() -> None:
    market, records = SimulatedMarket(silent(), seed=1, start_price=MIDDLE, start_ns=0), Records()
    first = market.submit_limit(records, ts=1, side=Side.SELL, price=MIDDLE + 1, quantity=5)
    second = market.submit_limit(records, ts=2, side=Side.SELL, price=MIDDLE + 1, quantity=5)
    taker = market.submit_market(records, ts=3, side=Side.BUY, quantity=7)
    reports = [(int(row["kind"]), int(row["order"]), int(row["quantity"])) for row in market.take_reports()]
    assert reports == [(MAKER_FILL, first, 5), (MAKER_FILL, second, 2), (TAKER_FILL, taker, 7)]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"ts": -1, "price": MIDDLE, "quantity": 1}, "ts must not be before"),
        ({"ts": 5, "price": MIDDLE, "quantity": 0}, "quantity must be in"),
        ({"ts": 5, "price": MIDDLE + 20_000, "quantity": 1}, "price must be within"),
    ],
)
def test_an_order_that_no_venue_would_take_is_refused(order: dict[str, int], message: str) -> None:
    market = SimulatedMarket(silent(), seed=1, start_price=MIDDLE, start_ns=0)
    with pytest.raises(ValueError, match=message):
        market.submit_limit(Records(), side=Side.BUY, **order)


def test_more_outside_orders_than_the_venue_holds_are_refused() -> None:
    market, records = SimulatedMarket(silent(), seed=1, start_price=MIDDLE, start_ns=0), Records()
    for number in range(1024):
        market.submit_limit(records, ts=number + 1, side=Side.BUY, price=MIDDLE - number % 7, quantity=1)
    with pytest.raises(ValueError, match="1024 orders from outside are working"):
        market.submit_limit(records, ts=2000, side=Side.BUY, price=MIDDLE, quantity=1)
    market.submit_market(records, ts=2001, side=Side.SELL, quantity=1024)
    assert market.book(Side.BUY) == {}
