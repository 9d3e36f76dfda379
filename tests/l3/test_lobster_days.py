"""A day of NASDAQ order by order: message i on the book of row i-1 gives the book of row i, in every transition."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from lobster_files import ABSENT, EXECUTED, HIDDEN, Day, read_day, records_of

from vtframe.api import OrderBook
from vtframe.book import meta as m
from vtframe.book.l3 import layout as at
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind, Instrument, InstrumentKind, Records, SequenceRule, Side
from vtframe.features.pipeline import Pipeline

PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)
DELTA = int(EventKind.BOOK_DELTA)


class Count(NamedTuple):
    transitions: int
    by_type: list[int]  # LOBSTER's types 1 to 5
    revealed: int  # levels that came into view
    fills: int
    out_of_turn: int


DAYS = {
    "GOOG": Count(147_915, [71_258, 19, 64_961, 7_765, 3_913], 44_451, 7_764, 5),
    "AAPL": Count(118_496, [54_818, 252, 28_437, 23_658, 11_332], 30_071, 23_658, 25),
}


def stated(row: np.ndarray, place: int, side: int) -> tuple[int, ...] | None:
    """The event that states one level's total; None where there is no such level."""
    price, size = row[place, 2:].tolist() if side == 1 else row[place, :2].tolist()
    return (0, 0, price, size, 0, 0, 0, DELTA, side) if size > 0 and 0 < price < ABSENT else None


def picture(day: Day, index: int) -> Records:
    """A row as a snapshot: levels, whose orders have no names yet."""
    row = day.rows[index]
    depth = row.shape[0]
    events = [(0, 0, 0, depth, 0, 0, PICTURE, int(EventKind.BOOK_CLEAR), 0)]
    for side in (1, -1):
        events += [event for place in range(depth) if (event := stated(row, place, side)) is not None]
    records = Records()
    records.append(kind=int(FrameKind.SNAPSHOT), instrument=0, events=events)
    return records


def assert_equals_row(book: OrderBook, row: np.ndarray, index: int) -> list[tuple[int, ...]]:
    """Every level of ours is the row's, price and size; returns the levels that came into view: at most the last of a side."""
    depth = row.shape[0]
    revealed = []
    for side, column in ((1, 2), (-1, 0)):
        held = int(book.meta[m.N_BIDS if side == 1 else m.N_ASKS])
        levels = book.levels_array[0 if side == 1 else 1]
        assert held >= depth - 1, index
        for line, offset in ((at.PRICE, 0), (at.QUANTITY, 1)):
            assert levels[line, :held][::-1].tobytes() == np.ascontiguousarray(row[:held, column + offset]).tobytes(), index
        if held < depth and (event := stated(row, held, side)) is not None:
            revealed.append(event)
    return revealed


@pytest.mark.parametrize("name", DAYS)
def test_every_message_of_the_day_turns_one_row_into_the_next(name: str, data: Path) -> None:
    """The book runs through the day on messages alone; only a level that comes into view at the end is taken from the rows."""
    expected = DAYS[name]
    day = read_day(data, name)
    messages = records_of(day)
    book, out, seen = OrderBook(), Records(), Records()
    book.apply(picture(day, 0), out)
    compared = revealed = 0
    for index in range(1, len(day.type)):
        out.clear()
        book.apply(messages, out, index, index + 1)
        news = assert_equals_row(book, day.rows[index], index)
        compared += 1
        if news:
            revealed += len(news)
            seen.clear()
            seen.append(kind=int(FrameKind.ORDERS), instrument=0, events=news)
            book.apply(seen, out)
    counts = book.counts()
    assert compared == expected.transitions == len(day.rows) - 1
    assert np.bincount(day.type, minlength=6)[1:6].tolist() == expected.by_type
    assert revealed == expected.revealed
    assert (counts.fills, counts.out_of_turn) == (expected.fills, expected.out_of_turn)  # price-time priority, all but always
    assert (counts.gaps, counts.faults, counts.ignored) == (0, 0, 0)
    assert book.state == BookState.LIVE


def test_what_it_tells_by_levels_keeps_a_level_book_equal_and_tells_every_trade(data: Path) -> None:
    day = read_day(data, "GOOG")
    last = 20_000
    messages = records_of(day)
    apple = Instrument(
        venue="nasdaq",
        symbol="GOOG",
        kind=InstrumentKind.SPOT,
        base="GOOG",
        quote="USD",
        settlement="USD",
        price_decimals=4,
        quantity_decimals=0,
        tick_size=100,
        lot_size=1,
    )
    pipeline = Pipeline([], [apple], [SequenceRule.NONE])
    book, out, seen = OrderBook(), Records(), Records()
    book.apply(picture(day, 0), out)
    pipeline.process(out)
    trades = compared = 0
    for index in range(1, last):
        out.clear()
        book.apply(messages, out, index, index + 1)
        news = assert_equals_row(book, day.rows[index], index)
        if news:
            seen.clear()
            seen.append(kind=int(FrameKind.ORDERS), instrument=0, events=news)
            book.apply(seen, out)
        trades += int((out.events["kind"][: out.n_events] == EventKind.TRADE).sum())
        pipeline.process(out)
        if index % 10 == 0:
            assert pipeline.books.top(0) == book.top()
            compared += 1
    assert compared == 1_999
    assert trades == int(np.isin(day.type[1:last], [EXECUTED, HIDDEN]).sum()) > 1_000
    prices, quantities = pipeline.books.levels(0, Side.BUY, 10)
    np.testing.assert_array_equal(prices, book.levels(Side.BUY, 10)[0])
    np.testing.assert_array_equal(quantities, book.levels(Side.BUY, 10)[1])
