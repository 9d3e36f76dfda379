"""Diffs and snapshots from their bytes. Plain Python that is compiled with the codec."""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLEAR_EVENT,
    CLOSE_OBJECT,
    DEPTH_FRAME,
    GROUP,
    INSTRUMENT,
    LENGTH,
    MISSING,
    MS,
    N_EVENTS,
    N_FRAMES,
    ORDER,
    RANGE,
    REPEATED,
    SHAPE,
    SNAPSHOT_FLAG,
    SNAPSHOT_FRAME,
    Output,
    find_symbol,
    name,
    next_item,
    put_event,
    put_frame,
    put_levels,
    same,
    scan_id,
    scan_key,
    scan_millis,
    scan_string,
    skip_value,
)
from vtframe.builtin.binance.kernel_members import (
    ABSENT,
    DEPTH,
    FUTURES,
    KEY_ASKS,
    KEY_BIDS,
    KEY_E,
    KEY_SYMBOL,
    KEY_T,
    KEY_U,
    LAST_UPDATE_ID,
    SEEN,
    SMALL,
    SNAPSHOT,
    SPOT,
    STRANGER,
    STRAY_SNAPSHOT,
    UNSEEN,
    USDM,
    KEY_a,
    KEY_b,
    KEY_pu,
    KEY_s,
    KEY_u,
    skip_other,
)


def read_depth(text: Any, at: int, out: Output, symbols: Any) -> tuple[int, int]:
    """A diff, from behind its type. Sides come last: only then are symbol, market (by ``pu``) and time known."""
    time, engine_time, first_id, last_id, previous_id = ABSENT, ABSENT, ABSENT, ABSENT, ABSENT
    symbol, symbol_stop = ABSENT, ABSENT
    row = -1
    n = out.counts[N_EVENTS]
    found = 0
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_b or key == KEY_a:
            bit = 1 if key == KEY_b else 2
            if bit == 1:
                if found & (4 | 8) != 4 | 8:
                    return ORDER, ORDER
                row = find_symbol(text, symbol, symbol_stop, SPOT if previous_id < 0 else FUTURES, symbols)
            elif not found & 1:
                return ORDER, ORDER
            if row < 0:
                at = skip_value(text, at)
            else:
                ts_event = (time if engine_time < 0 else engine_time) * MS
                n, at = put_levels(text, at, out.events, n, ts_event, 1 if bit == 1 else -1, symbols[row], 0, 2)
        elif key == KEY_s:
            bit = 4
            symbol, symbol_stop, at = scan_string(text, at)
        elif key == KEY_E:
            bit = 8
            time, at = scan_millis(text, at)
        elif key == KEY_T:
            bit = 16
            engine_time, at = scan_millis(text, at)
        elif key == KEY_U:
            bit = 32
            first_id, at = scan_id(text, at)
        elif key == KEY_u:
            bit = 64
            last_id, at = scan_id(text, at)
        elif key == KEY_pu:
            bit = 128
            previous_id, at = scan_id(text, at)
        else:
            at = skip_other(text, at, key)
        if bit:
            if found & bit:
                return REPEATED, REPEATED
            if bit & (16 | 128) and found & 1:
                return ORDER, ORDER  # it decides what the levels already read are
            found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return at, at
    if found | 16 | 128 != 255:
        return MISSING, MISSING
    if row < 0:
        return DEPTH, at
    if last_id < first_id:
        return RANGE, RANGE
    code = put_frame(out, n, DEPTH_FRAME, symbols[row, INSTRUMENT], first_id, last_id, previous_id, -1)
    return (DEPTH, at) if code == 0 else (code, code)


def note_seen(out: Output, cells: Any) -> None:
    """Remember which ids a book's diffs reach over: a snapshot that names no symbol is told by them."""
    frame = out.frames[out.counts[N_FRAMES] - 1]
    place = SEEN + 2 * frame["instrument"]
    if cells[place] == UNSEEN:
        cells[place] = frame["first_id"]
    cells[place + 1] = frame["last_id"]


def read_snapshot(text: Any, at: int, out: Output, symbols: Any, cells: Any, outer: int, outer_stop: int) -> tuple[int, int]:
    """A REST depth snapshot, from behind the name of its first member, ``lastUpdateId``.

    From ``outer`` to ``outer_stop`` is the symbol that its envelope names (ABSENT where none does)."""
    time, engine_time = ABSENT, ABSENT
    symbol, symbol_stop = ABSENT, ABSENT
    row = -1
    n = out.counts[N_EVENTS]
    found = 0
    last_id, at = scan_id(text, at)
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_BIDS or key == KEY_ASKS:
            bit = 1 if key == KEY_BIDS else 2
            ts_event = max(engine_time if engine_time >= 0 else time, 0) * MS
            if bit == 1:
                group = SPOT if time < 0 else FUTURES
                if outer_stop < 0:
                    row = snapshot_row(text, symbol, symbol_stop, last_id, group, symbols, cells)
                else:
                    row = enveloped_row(text, symbol, symbol_stop, outer, outer_stop, group, symbols)
                    if row == STRANGER:
                        return SHAPE, SHAPE
                if row >= 0:
                    instrument = symbols[row, INSTRUMENT]
                    n = put_event(out.events, n, ts_event, CLEAR_EVENT, 0, 0, 0, instrument, SNAPSHOT_FLAG, 0)
            elif not found & 1:
                return ORDER, ORDER
            if row < 0:
                at = skip_value(text, at)
            else:
                n, at = put_levels(text, at, out.events, n, ts_event, 1 if bit == 1 else -1, symbols[row], SNAPSHOT_FLAG, 2)
        elif key == KEY_E:
            bit = 4
            time, at = scan_millis(text, at)
        elif key == KEY_T:
            bit = 8
            engine_time, at = scan_millis(text, at)
        elif key == KEY_SYMBOL:
            bit = 16
            symbol, symbol_stop, at = scan_string(text, at)
        elif same(text, start, stop, LAST_UPDATE_ID):
            return REPEATED, REPEATED
        else:
            at = skip_other(text, at, key)
        if found & bit:
            return REPEATED, REPEATED
        if bit > 2 and found & 3:
            return ORDER, ORDER  # it decides what the levels already read are
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return at, at
    if found & 3 != 3:
        return MISSING, MISSING
    if row < 0:
        return (STRAY_SNAPSHOT if symbol < 0 and outer_stop < 0 else SNAPSHOT), at
    code = put_frame(out, n, SNAPSHOT_FRAME, symbols[row, INSTRUMENT], -1, last_id, -1, -1)
    return (SNAPSHOT, at) if code == 0 else (code, code)


def enveloped_row(text: Any, symbol: int, symbol_stop: int, outer: int, outer_stop: int, group: int, symbols: Any) -> Any:
    """The row of the book that a snapshot's envelope names; -1 where the session does not have it. STRANGER where the snapshot
    names another itself."""
    small = find_symbol(text, outer, outer_stop, SMALL + group, symbols)
    if symbol >= 0:
        row = find_symbol(text, symbol, symbol_stop, FUTURES, symbols)
        if (row < 0) != (small < 0) or (row >= 0 and symbols[row, INSTRUMENT] != symbols[small, INSTRUMENT]):
            return STRANGER
    return small


def snapshot_row(text: Any, symbol: int, symbol_stop: int, last_id: int, group: int, symbols: Any, cells: Any) -> int:
    """Whose book a snapshot is: its symbol's, else that of the market's only instrument, or of the only one whose diffs
    reach over its id; -1 where that is none, or not one alone. ``group`` is FUTURES for USD-M."""
    if symbol >= 0:
        return find_symbol(text, symbol, symbol_stop, FUTURES, symbols)
    count, reached = 0, 0
    only, reaching = -1, -1
    for row in range(len(symbols)):
        if symbols[row, LENGTH] != 0 and symbols[row, GROUP] == group and (group == SPOT or symbols[row, USDM]):
            count += 1
            only = row
            place = SEEN + 2 * symbols[row, INSTRUMENT]
            if cells[place] != UNSEEN and cells[place] <= last_id <= cells[place + 1]:
                reached += 1
                reaching = row
    if count == 1:
        return only
    return reaching if reached == 1 else -1
