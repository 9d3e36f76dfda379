"""The order-by-order book against a plain one, and what it does with what cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from vtframe.api import OrderBook, RestingOrder
from vtframe.book.l3.book import START_LEVELS, START_ORDERS
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind, Records, SequenceRule, Side
from vtframe.errors import InvariantError

ADD, REDUCE = int(EventKind.ORDER_ADD), int(EventKind.ORDER_REDUCE)
REMOVE, FILL = int(EventKind.ORDER_REMOVE), int(EventKind.ORDER_FILL)
DELTA, CLEAR = int(EventKind.BOOK_DELTA), int(EventKind.BOOK_CLEAR)
Row = tuple[int, int, int, int, int]  # kind, order id, side, price, quantity


def frame(*rows: Row, kind: FrameKind = FrameKind.ORDERS, last_id: int = -1) -> Records:
    records = Records()
    events = [(0, 5, price, quantity, order_id, 0, 0, what, side) for what, order_id, side, price, quantity in rows]
    records.append(kind=int(kind), instrument=0, events=events, last_id=last_id)
    return records


def empty(rule: SequenceRule = SequenceRule.NONE, *, depth: int = 0, last_id: int = -1) -> OrderBook:
    book = OrderBook(rule)
    book.apply(frame((CLEAR, 0, 0, 0, depth), kind=FrameKind.SNAPSHOT, last_id=last_id), Records())
    return book


def told(book: OrderBook, *rows: Row, last_id: int = -1) -> list[tuple[int, list[tuple[int, int, int, int]]]]:
    """What one frame is by levels: (frame kind, [(event kind, side, price, quantity)])."""
    out = Records()
    book.apply(frame(*rows, last_id=last_id), out)
    found = []
    for index in range(out.n_frames):
        start, count = int(out.frames["first_event"][index]), int(out.frames["n_events"][index])
        block = out.events[start : start + count]
        columns = (block[name].tolist() for name in ("kind", "side", "price", "quantity"))
        found.append((int(out.frames["kind"][index]), list(zip(*columns, strict=True))))
        assert block["flags"][-1] & EventFlag.LAST
    return found


class PlainBook:
    """Lists and dictionaries; queues in the order of arrival."""

    def __init__(self) -> None:
        self.queues: dict[tuple[int, int], list[list[int]]] = {}

    def add(self, order_id: int, side: int, price: int, quantity: int) -> None:
        self.queues.setdefault((side, price), []).append([order_id, quantity])

    def lessen(self, order_id: int, side: int, price: int, quantity: int) -> None:
        queue = self.queues[side, price]
        entry = next(entry for entry in queue if entry[0] == order_id)
        entry[1] -= quantity
        if not entry[1]:
            queue.remove(entry)
        if not queue:
            del self.queues[side, price]

    def levels(self, side: int) -> list[tuple[int, int]]:
        found = [(price, sum(q for _, q in queue)) for (of, price), queue in self.queues.items() if of == side]
        return sorted(found, reverse=side == 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_random_day_equals_a_plain_book_queue_by_queue(seed: int) -> None:
    """Also through growth: more orders and levels than the book begins with."""
    rng = np.random.default_rng(seed)
    book, plain, out = empty(), PlainBook(), Records()
    live: dict[int, tuple[int, int, int]] = {}
    next_id = int(rng.integers(1, 2**40))
    events = 0
    for step in range(1_200):
        rows: list[Row] = []
        for _ in range(int(rng.integers(1, 20))):
            growing = step < 600
            if not live or rng.random() < (0.75 if growing else 0.35):
                next_id += int(rng.integers(1, 1_000))
                side = int(rng.choice([1, -1]))
                price = 100_000 - side * int(rng.integers(1, 3_000))
                quantity = int(rng.integers(1, 100))
                live[next_id] = (side, price, quantity)
                plain.add(next_id, side, price, quantity)
                rows.append((ADD, next_id, side, price, quantity))
            else:
                order_id = list(live)[int(rng.integers(len(live)))]
                side, price, left = live[order_id]
                what = int(rng.choice([REDUCE, REMOVE, FILL]))
                quantity = left if what == REMOVE else int(rng.integers(1, left + 1))
                plain.lessen(order_id, side, price, quantity)
                if quantity == left:
                    del live[order_id]
                else:
                    live[order_id] = (side, price, left - quantity)
                rows.append((what, order_id, side, price, quantity))
        events += len(rows)
        out.clear()
        book.apply(frame(*rows), out)
        if step % 100 == 0:
            for side in Side:
                prices, quantities = book.levels(side, 10_000)
                assert list(zip(prices.tolist(), quantities.tolist(), strict=True)) == plain.levels(int(side))
    for (side, price), queue in plain.queues.items():
        assert book.queue(Side(side), price) == [tuple(entry) for entry in queue]
    counts = book.counts()
    assert (counts.orders, counts.events, counts.faults) == (len(live), events + 1, 0)
    assert events > 10_000


def test_the_book_grows_and_keeps_every_order() -> None:
    book = empty()
    count = 2 * START_ORDERS + 7
    book.apply(frame(*((ADD, k + 1, 1, 1 + k % (START_LEVELS + 50), 3) for k in range(count))), Records())
    assert book.counts().orders == count
    assert len(book.levels(Side.BUY, 10**6)[0]) == START_LEVELS + 50
    out = Records()
    book.apply(frame(*((REMOVE, k + 1, 1, 0, 0) for k in range(count))), out)
    assert (book.counts().orders, book.counts().faults, len(book.levels(Side.BUY, 9)[0])) == (0, 0, 0)


def test_a_fill_is_told_as_a_trade_of_the_other_side_and_then_by_level() -> None:
    book = empty()
    assert told(book, (ADD, 7, -1, 101, 5), (ADD, 8, -1, 101, 4)) == [
        (FrameKind.DEPTH, [(DELTA, -1, 101, 5), (DELTA, -1, 101, 9)])
    ]
    trade = (int(EventKind.TRADE), 1, 101, 2)
    assert told(book, (FILL, 7, -1, 101, 2)) == [(FrameKind.TRADE, [trade]), (FrameKind.DEPTH, [(DELTA, -1, 101, 7)])]
    assert book.queue(Side.SELL, 101) == [(7, 3), (8, 4)]
    assert book.order(8) == RestingOrder(8, Side.SELL, 101, 4, ahead=3)
    assert book.order(9) is None


def test_orders_that_were_there_before_stand_first_and_pay_for_unknown_ones() -> None:
    book = empty()
    told(book, (DELTA, 0, 1, 99, 10), (ADD, 5, 1, 99, 2))
    assert book.queue(Side.BUY, 99) == [(0, 10), (5, 2)]
    assert told(book, (REMOVE, 4711, 1, 99, 4))[-1] == (FrameKind.DEPTH, [(DELTA, 1, 99, 8)])
    assert book.order(5) == RestingOrder(5, Side.BUY, 99, 2, ahead=6)
    assert told(book, (DELTA, 0, 1, 99, 2))[-1] == (FrameKind.DEPTH, [(DELTA, 1, 99, 2)])  # the one that is known is all
    assert book.queue(Side.BUY, 99) == [(5, 2)]
    told(book, (DELTA, 0, 1, 99, 1))  # less than it: what is there is not known any more
    assert book.queue(Side.BUY, 99) == [(0, 1)]
    told(book, (DELTA, 0, 1, 99, 0))
    assert book.top().bid_quantity == 0


@pytest.mark.parametrize(
    "row",
    [
        (REMOVE, 99, 1, 100, 1),  # nobody knows it, and nothing unnamed is there
        (FILL, 1, 1, 100, 6),  # more than it has
        (REDUCE, 1, 1, 100, 6),
        (ADD, 1, 1, 100, 5),  # it is there already
        (ADD, 2, 1, 100, 0),
        (REDUCE, 99, -1, 100, 1),
    ],
)
def test_what_contradicts_the_book_is_a_gap_until_a_picture(row: Row) -> None:
    book = empty()
    told(book, (ADD, 1, 1, 100, 5))
    frames = told(book, row)
    assert frames[-1][0] == FrameKind.STATUS
    assert book.state == BookState.GAP
    assert told(book, (ADD, 3, 1, 100, 5)) == []
    counts = book.counts()
    assert (counts.faults, counts.gaps, counts.ignored) == (1, 1, 1)
    out = Records()
    book.apply(frame((CLEAR, 0, 0, 0, 0), (ADD, 1, 1, 90, 5), kind=FrameKind.SNAPSHOT), out)
    assert book.state == BookState.LIVE
    assert out.frames["kind"][0] == FrameKind.SNAPSHOT
    assert out.events["quantity"][:2].tolist() == [0, 5]


def test_ids_are_checked_by_the_venues_rule() -> None:
    book = empty(SequenceRule.INCREMENT, last_id=10)
    told(book, (ADD, 1, 1, 100, 5), last_id=11)
    assert book.state == BookState.LIVE
    assert told(book, (ADD, 2, 1, 100, 5), last_id=13)[0][0] == FrameKind.STATUS
    assert (book.state, book.counts().gaps, book.counts().faults) == (BookState.GAP, 1, 0)


def test_a_book_of_few_levels_forgets_the_orders_of_those_that_fall_out() -> None:
    book = empty(depth=2)
    told(book, (ADD, 1, 1, 98, 1), (ADD, 2, 1, 99, 1), (ADD, 3, 1, 100, 1))
    assert book.levels(Side.BUY, 9)[0].tolist() == [100, 99]
    assert (book.counts().orders, book.order(1)) == (2, None)


def test_other_frames_go_through_as_they_are() -> None:
    book = empty()
    hidden = (int(EventKind.TRADE), 0, -1, 100, 5)
    out = Records()
    book.apply(frame(hidden, kind=FrameKind.TRADE), out)
    assert out.frames["kind"][: out.n_frames].tolist() == [FrameKind.TRADE]
    assert out.events["price"][0] == 100
    assert book.counts().fills == 0


def test_a_record_that_no_codec_may_make_is_told() -> None:
    book = empty()
    with pytest.raises(InvariantError, match="not a valid record"):
        book.apply(frame((ADD, 1, 0, 100, 5)), Records())
