"""How rows are written, one at an event, or one of every instrument: at a clock's boundary, and after a leader's row.

Compiled as a part of ``loop``; what it says of hooks and of constants in capitals holds here as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vtframe.book import meta as m
from vtframe.domain import BookState
from vtframe.features import layout as at

OUT = at.TOP + 4  # the features' cells in f
COLUMNS = 0  # of a row
WARMUP = 0  # rows after a resync that are not valid
LED = False  # whether a feature shows another instrument's cells

LIVE = int(BookState.LIVE)


def borrow(ints: Any, floats: Any, n: Any, f: Any) -> None:
    """Show the leaders' cells as they are; nan where a leader's book is not live or not warm."""


def on_row(ts_event: int, ts_recv: int, n: Any, f: Any) -> None:
    """A row is about to be written."""


def tick(number: int, ts_recv: int, ints: Any, floats: Any, values: Any, rows: Any, control: Any) -> bool:
    """Make the clock rows that are due before ``ts_recv``'s input; False where there is no room for them."""
    interval = control[at.INTERVAL]
    if control[at.NEXT_CLOCK] == 0:
        control[at.NEXT_CLOCK] = (ts_recv // interval + 1) * interval
    while control[at.NEXT_CLOCK] <= ts_recv:
        if control[at.COUNT] + len(ints) >= control[at.LIMIT]:
            return False
        for place in range(len(ints)):
            instrument = ints[place, at.ORDER]  # leaders first
            n = ints[instrument]
            f = floats[instrument]
            if LED:
                borrow(ints, floats, n, f)
            write_row(instrument, number, control[at.NEXT_CLOCK], n, f, values, rows, control)
        control[at.NEXT_CLOCK] += interval
    return True


def follow(leader: int, number: int, ts_recv: int, ints: Any, floats: Any, values: Any, rows: Any, control: Any) -> None:
    """A leader's row was made: make one of every other instrument, leaders first, so that each shows the same moment."""
    for place in range(len(ints)):
        instrument = ints[place, at.ORDER]
        if instrument != leader:
            n = ints[instrument]
            f = floats[instrument]
            borrow(ints, floats, n, f)
            write_row(instrument, number, ts_recv, n, f, values, rows, control)


def write_row(instrument: int, number: int, ts_recv: int, n: Any, f: Any, values: Any, rows: Any, control: Any) -> None:
    """Append a row to the ring, twice. Only a live book's row carries values; it is valid once warm, if all are finite."""
    ts_event = n[m.TS_EVENT]
    live = n[m.STATE] == LIVE
    valid = live and n[at.AGE] >= WARMUP
    if live:
        on_row(ts_event, ts_recv, n, f)
        n[at.AGE] += 1
    slot = n[at.SLOT]
    capacity = rows.shape[1] >> 1
    once = values[instrument, slot]
    again = values[instrument, slot + capacity]
    for k in range(COLUMNS):
        once[k] = f[OUT + k] if live else np.nan
        value = once[k]  # as the ring's type holds it
        if not value - value == 0.0:  # noqa: SIM201 - nan or infinite
            valid = False
            if value != value:  # noqa: PLR0124
                once[k] = np.nan  # one nan, whatever bits the kernel made
        again[k] = once[k]
    for place in range(slot, slot + capacity + 1, capacity):
        row = rows[instrument, place]
        row["number"] = n[at.HEAD]
        row["input"] = number
        row["ts_event"] = ts_event
        row["ts_recv"] = ts_recv
        row["update_id"] = n[m.LAST_ID]
        row["bid"] = n[m.BID]
        row["bid_quantity"] = n[m.BID_QUANTITY]
        row["ask"] = n[m.ASK]
        row["ask_quantity"] = n[m.ASK_QUANTITY]
        row["instrument"] = instrument
        row["state"] = n[m.STATE]
        row["valid"] = valid
    n[at.HEAD] += 1
    n[at.SLOT] = slot + 1 if slot + 1 < capacity else 0
    control[at.NEW + control[at.COUNT]] = instrument
    control[at.COUNT] += 1
    control[at.ROWS] += 1
