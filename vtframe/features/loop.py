"""What happens to every frame: book, features, sampling, row. Live and batch run this same compiled code.

Plain Python that is compiled when a pipeline is built. The hooks and the constants in capitals at the top stand for what
the pipeline's own features put in their place. ``n`` and ``f`` are one instrument's integers and floats (features.layout).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vtframe.book import meta as m
from vtframe.book.checksum import verified
from vtframe.book.frame import ASKS, BIDS, CLEAR_EVENT, CLEARED, DELTA_EVENT, WRONG, apply, end_frame, is_wrong, touches
from vtframe.book.levels import LOWEST, after_level, change, clear, fits, is_crossed, level_at, note_best
from vtframe.book.sequence import BROKEN, NONE, OLD, check, mark_gap
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind
from vtframe.features import layout as at
from vtframe.features.row import borrow, follow, tick, write_row

FRAME, BBO, TRADE, CLOCK = 0, 1, 2, 3

EVERY = FRAME  # the sampling rule
DEPTH = 1  # levels that kernels see
WITH_DELTAS = False  # whether a feature takes level changes
LED = False  # whether a feature shows another instrument's cells
FOLLOW = False  # whether a leader's rows make rows of the others

LIVE = int(BookState.LIVE)
SYNCING = int(BookState.SYNCING)
CROSSED = int(BookState.CROSSED)
STALE = int(BookState.STALE)
DEPTH_FRAME = int(FrameKind.DEPTH)
SNAPSHOT_FRAME = int(FrameKind.SNAPSHOT)
TRADE_FRAME = int(FrameKind.TRADE)
STATUS_FRAME = int(FrameKind.STATUS)
TRADE_EVENT = int(EventKind.TRADE)
GAP_FLAG = int(EventFlag.GAP)
STALE_FLAG = int(EventFlag.STALE)
IN_STREAM_FLAG = int(EventFlag.IN_STREAM)
NON_MARKET_FLAG = int(EventFlag.NON_MARKET)


def restart(n: Any, f: Any) -> None:
    """Every feature starts afresh: empty memory, nan in its cells; those of a leader stay as they are."""


def on_delta(ts_event: int, ts_recv: int, side: int, price: float, quantity: float, previous: float, n: Any, f: Any) -> None:
    """A level changes."""


def on_trade(ts_event: int, ts_recv: int, side: int, price: float, quantity: float, n: Any, f: Any) -> None:
    """A market trade."""


def on_frame(ts_event: int, ts_recv: int, n: Any, f: Any) -> None:
    """The book changed."""


def run(
    frames: Any,
    events: Any,
    first: int,
    last: int,
    nears: Any,
    fars: Any,
    ints: Any,
    floats: Any,
    values: Any,
    rows: Any,
    control: Any,
) -> int:
    """Handle frames ``first`` to ``last``; returns one of layout's codes. Rows go to the ring and are noted in control."""
    for index in range(first, last):
        frame = frames[index]
        instrument = frame["instrument"]
        begin = frame["first_event"]
        end = begin + frame["n_events"]
        control[at.POSITION] = index
        if instrument < 0 or instrument >= len(ints) or begin < 0 or end < begin or end > len(events):
            return at.BAD
        if control[at.COUNT] + (len(ints) if FOLLOW else 1) > control[at.LIMIT]:
            return at.FULL
        if EVERY == CLOCK and not tick(frame["input"], frame["ts_recv"], ints, floats, values, rows, control):
            return at.FULL
        n = ints[instrument]
        f = floats[instrument]
        if LED:
            borrow(ints, floats, n, f)
        near = nears[instrument]
        far = fars[instrument]
        kind = frame["kind"]
        if kind == DEPTH_FRAME or kind == SNAPSHOT_FRAME:
            need = fits(events, begin, end, n, far.shape[2], kind == SNAPSHOT_FRAME)
            if need > 0:
                control[at.NEED] = need
                return at.GROW
        n[m.FRAMES] += 1
        n[m.EVENTS] += end - begin
        due = False
        code = at.DONE
        if kind == DEPTH_FRAME:
            code, due = take_depth(frame, events, begin, end, near, far, n, f)
        elif kind == TRADE_FRAME:
            code, due = take_trades(frame, events, begin, end, n, f)
        elif kind == SNAPSHOT_FRAME:
            code, due = take_snapshot(frame, events, begin, end, near, far, n, f)
        elif kind == STATUS_FRAME:
            due = take_status(events, begin, end, near, n)
        if due:
            write_row(instrument, frame["input"], frame["ts_recv"], n, f, values, rows, control)
            if FOLLOW and n[at.LEADS]:
                follow(instrument, frame["input"], frame["ts_recv"], ints, floats, values, rows, control)
        if code != at.DONE:
            return code
    control[at.POSITION] = last
    return at.DONE


def take_depth(frame: Any, events: Any, begin: int, end: int, near: Any, far: Any, n: Any, f: Any) -> tuple[int, bool]:
    """Apply a diff to a live book; any other book makes it wait. Returns a code and whether a row is due."""
    if n[m.STATE] != LIVE:
        return at.PEND, EVERY == FRAME
    verdict = check(n, frame["first_id"], frame["last_id"], frame["previous_id"])
    if verdict == OLD:
        n[m.OLD_FRAMES] += 1
        return at.DONE, False
    if verdict == BROKEN or (end > begin and events[begin]["flags"] & GAP_FLAG):
        mark_gap(n)
        return at.PEND, EVERY == FRAME or EVERY == BBO
    ts_recv = frame["ts_recv"]
    if WITH_DELTAS:
        touched = apply_and_tell(events, begin, end, ts_recv, near, far, n, f)
    else:
        touched = apply(events, begin, end, near, far, n)
    if touched == WRONG:
        return at.BAD, False
    n[m.FIRST] = 0
    n[m.LAST_ID] = frame["last_id"]
    n[m.TS_RECV] = ts_recv
    moved = touched != 0 and note_best(near, far, n)
    if is_crossed(n):
        n[m.STATE] = CROSSED
        n[m.CROSSED] += 1
        return at.PEND, EVERY == FRAME or EVERY == BBO
    if not verified(frame["checksum"], touched != 0, near, far, n):
        mark_gap(n)
        return at.PEND, EVERY == FRAME or EVERY == BBO
    if touched == CLEARED:
        start_features(n, f)
    if touched & BIDS:
        show_top(0, near, far, n, f)
    if touched & ASKS:
        show_top(1, near, far, n, f)
    on_frame(n[m.TS_EVENT], ts_recv, n, f)
    return at.DONE, EVERY == FRAME or (EVERY == BBO and moved)


def apply_and_tell(events: Any, begin: int, end: int, ts_recv: int, near: Any, far: Any, n: Any, f: Any) -> int:
    """What ``book.frame.apply`` does, and every change told to the features; from a CLEAR on they are told nothing."""
    touched = 0
    for index in range(begin, end):
        event = events[index]
        kind = event["kind"]
        if kind == DELTA_EVENT:
            side = event["side"]
            price = event["price"]
            quantity = event["quantity"]
            if is_wrong(side, quantity):
                return WRONG
            previous = change(near, far, n, side, price, quantity)
            touched |= touches(side, price, n)
            if touched != CLEARED:
                on_delta(
                    event["ts_event"],
                    ts_recv,
                    side,
                    price / f[at.PRICE_SCALE],
                    quantity / f[at.QUANTITY_SCALE],
                    previous / f[at.QUANTITY_SCALE],
                    n,
                    f,
                )
        elif kind == CLEAR_EVENT:
            clear(near, n)
            n[m.DEPTH] = event["quantity"]
            touched = CLEARED
    end_frame(events, begin, end, near, far, n)
    return touched


def take_trades(frame: Any, events: Any, begin: int, end: int, n: Any, f: Any) -> tuple[int, bool]:
    """Show market trades to the features of a live book."""
    live = n[m.STATE] == LIVE
    market = False
    for index in range(begin, end):
        event = events[index]
        n[m.TS_EVENT] = event["ts_event"]
        if event["kind"] != TRADE_EVENT or event["flags"] & NON_MARKET_FLAG:
            continue
        side = event["side"]
        if side != 1 and side != -1:
            return at.BAD, False
        market = True
        if live:
            price = event["price"] / f[at.PRICE_SCALE]
            quantity = event["quantity"] / f[at.QUANTITY_SCALE]
            on_trade(event["ts_event"], frame["ts_recv"], side, price, quantity, n, f)
    return at.DONE, EVERY == TRADE and market


def take_snapshot(frame: Any, events: Any, begin: int, end: int, near: Any, far: Any, n: Any, f: Any) -> tuple[int, bool]:
    """Replace the book, unless it is live and newer. With frames waiting, Python replays them before the row is made."""
    last_id = frame["last_id"]
    in_stream = end > begin and events[begin]["flags"] & IN_STREAM_FLAG
    if n[m.STATE] == LIVE and 0 <= last_id < n[m.LAST_ID] and not in_stream:
        n[m.OLD_SNAPSHOTS] += 1
        return at.DONE, False
    clear(near, n)
    n[m.DEPTH] = 0
    if apply(events, begin, end, near, far, n) == WRONG:
        return at.BAD, False
    n[m.LAST_ID] = last_id
    n[m.FIRST] = 2 if in_stream else 1
    n[m.TS_RECV] = frame["ts_recv"]
    n[m.STATE] = LIVE
    note_best(near, far, n)
    if is_crossed(n):
        n[m.STATE] = CROSSED
        n[m.CROSSED] += 1
    elif not verified(frame["checksum"], True, near, far, n):
        mark_gap(n)
    elif n[m.PENDING] > 0:
        return at.RESYNC, False
    settle(frame["ts_recv"], near, far, n, f)
    return at.DONE, EVERY == FRAME or EVERY == BBO


def replay(frames: Any, events: Any, first: int, last: int, nears: Any, fars: Any, ints: Any, control: Any) -> int:
    """Apply the frames that waited for a snapshot, to the book only. Leaves in POSITION the first that must go on waiting."""
    for index in range(first, last):
        control[at.POSITION] = index
        frame = frames[index]
        n = ints[frame["instrument"]]
        near = nears[frame["instrument"]]
        far = fars[frame["instrument"]]
        begin = frame["first_event"]
        end = begin + frame["n_events"]
        verdict = OLD  # without ids, or in one stream, whatever came before the snapshot is in it
        if n[m.RULE] != NONE and n[m.FIRST] != 2:
            verdict = check(n, frame["first_id"], frame["last_id"], frame["previous_id"])
        if verdict == OLD:
            n[m.OLD_FRAMES] += 1
            continue
        if verdict == BROKEN:
            mark_gap(n)
            return at.DONE
        need = fits(events, begin, end, n, far.shape[2], False)
        if need > 0:
            control[at.NEED] = need
            return at.GROW
        touched = apply(events, begin, end, near, far, n)
        if touched == WRONG:
            return at.BAD
        n[m.FIRST] = 0
        n[m.LAST_ID] = frame["last_id"]
        note_best(near, far, n)
        if is_crossed(n):
            n[m.STATE] = CROSSED
            n[m.CROSSED] += 1
            return at.DONE
        if not verified(frame["checksum"], touched != 0, near, far, n):
            mark_gap(n)
            return at.DONE
    control[at.POSITION] = last
    return at.DONE


def finish(
    number: int,
    ts_recv: int,
    instrument: int,
    nears: Any,
    fars: Any,
    ints: Any,
    floats: Any,
    values: Any,
    rows: Any,
    control: Any,
) -> None:
    """After a replay: the features start on the resynced book, and its row is made, with the snapshot's number and time."""
    n = ints[instrument]
    f = floats[instrument]
    n[m.TS_RECV] = ts_recv
    settle(ts_recv, nears[instrument], fars[instrument], n, f)
    if EVERY == FRAME or EVERY == BBO:
        write_row(instrument, number, ts_recv, n, f, values, rows, control)
        if FOLLOW and n[at.LEADS]:
            follow(instrument, number, ts_recv, ints, floats, values, rows, control)


def settle(ts_recv: int, near: Any, far: Any, n: Any, f: Any) -> None:
    """A snapshot is in: if the book is live, the features start on it."""
    if n[m.STATE] != LIVE:
        return
    n[m.RESYNCS] += 1
    start_features(n, f)
    show_top(0, near, far, n, f)
    show_top(1, near, far, n, f)
    on_frame(n[m.TS_EVENT], ts_recv, n, f)


def take_status(events: Any, begin: int, end: int, near: Any, n: Any) -> bool:
    """A cleared book waits for a snapshot; so does one with a stated loss, or silence. Returns whether a row is due."""
    was = n[m.STATE]
    for index in range(begin, end):
        event = events[index]
        n[m.TS_EVENT] = event["ts_event"]
        if event["kind"] == CLEAR_EVENT:
            clear(near, n)
            n[m.BID] = n[m.BID_QUANTITY] = n[m.ASK] = n[m.ASK_QUANTITY] = 0
            n[m.STATE] = SYNCING
        elif event["flags"] & GAP_FLAG and n[m.STATE] == LIVE:
            mark_gap(n)
        elif event["flags"] & STALE_FLAG and n[m.STATE] == LIVE:
            n[m.STATE] = STALE
    return (EVERY == FRAME or EVERY == BBO) and was == LIVE and n[m.STATE] != LIVE


def start_features(n: Any, f: Any) -> None:
    """Empty memory, nan in every cell, no row yet."""
    restart(n, f)
    n[at.AGE] = 0


def show_top(side: int, near: Any, far: Any, n: Any, f: Any) -> None:
    """Write a side's best levels where kernels see them, as float64 in the instrument's units; note from where on a change
    touches them, or those that the venue's checksum covers."""
    price_scale = f[at.PRICE_SCALE]
    quantity_scale = f[at.QUANTITY_SCALE]
    start = at.TOP + 2 * DEPTH * side
    count = n[m.N_BIDS + side]
    covered = max(DEPTH, n[m.CHECK] & 255)
    key = n[m.BEST + side]
    place = n[m.FAR + side] - 1
    price = 0
    for k in range(min(covered, count)):
        if k > 0:
            key, place = after_level(near, far, n, side, key, place)
        price, quantity = level_at(near, far, n, side, key, place)
        if k < DEPTH:
            f[start + k] = price / price_scale
            f[start + DEPTH + k] = quantity / quantity_scale
    for k in range(count, DEPTH):
        f[start + k] = np.nan
        f[start + DEPTH + k] = 0.0
    n[m.LIMIT + side] = LOWEST if count < covered else price * (1 - 2 * side)
