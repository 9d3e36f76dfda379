"""A depth frame's events into the book, in order. Plain Python that is compiled when a pipeline is built."""

from __future__ import annotations

from typing import Any

from vtframe.book import meta as m
from vtframe.book.levels import change, clear, truncate
from vtframe.domain import EventKind

DELTA_EVENT = int(EventKind.BOOK_DELTA)
CLEAR_EVENT = int(EventKind.BOOK_CLEAR)

BIDS, ASKS = 1, 2  # sides of which one of the best levels was touched
CLEARED = 7  # both: the frame emptied the book
WRONG = -8  # an event that a codec must not make


def apply(events: Any, begin: int, end: int, near: Any, far: Any, meta: Any) -> int:
    """Apply a frame's level changes; returns which sides' best levels they touched, CLEARED or WRONG."""
    touched = 0
    for index in range(begin, end):
        event = events[index]
        kind = event["kind"]
        if kind == DELTA_EVENT:
            side = event["side"]
            price = event["price"]
            if is_wrong(side, event["quantity"]):
                return WRONG
            change(near, far, meta, side, price, event["quantity"])
            touched |= touches(side, price, meta)
        elif kind == CLEAR_EVENT:
            clear(near, meta)
            meta[m.DEPTH] = event["quantity"]
            touched = CLEARED
    end_frame(events, begin, end, near, far, meta)
    return touched


def is_wrong(side: int, quantity: int) -> Any:
    """Whether a delta breaks the contract of records."""
    return (side != 1 and side != -1) or quantity < 0


def touches(side: int, price: int, meta: Any) -> int:
    """The side whose best levels a change is among, or was before it; 0 where it is beyond them."""
    if side == 1:
        return BIDS if price >= meta[m.LIMIT] else 0
    return ASKS if -price >= meta[m.LIMIT + 1] else 0


def end_frame(events: Any, begin: int, end: int, near: Any, far: Any, meta: Any) -> None:
    """All of a frame is applied: its time is the book's, and what is beyond the book's depth goes."""
    if end > begin:
        ts_event = events[end - 1]["ts_event"]
        meta[m.TS_EVENT] = ts_event
        if ts_event > meta[m.DEPTH_TS_EVENT]:
            meta[m.DEPTH_TS_EVENT] = ts_event
    if meta[m.DEPTH] > 0:
        truncate(near, far, meta)
