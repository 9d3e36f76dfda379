"""What the venue tells the world: the market's changes as FRAME and EVENT records, and the loop that makes them.

A market order's trades come in one TRADE frame (one event for each price), before the DEPTH frame with the levels that it
changed. Update ids count depth frames; ``previous_id`` names the one before, as Binance futures does it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.domain import EventFlag, EventKind, FrameKind
from vtframe.sim.flow import follow, refresh_all, refresh_level, start, step
from vtframe.sim.intensities import Tables
from vtframe.sim.matching import cancel_outside, place, quantity_at
from vtframe.sim.state import (
    FEED,
    FLOW,
    FRAMES,
    INSTRUMENT,
    JITTER,
    LATENCY,
    LEVELS,
    MARK,
    MOVED,
    NEXT,
    NO_ASK,
    NOW,
    PRINTS,
    QUANTITY,
    RECEIVED,
    REFERENCE,
    REPORTED,
    REPORTS,
    SHOWN,
    SIDE,
    SLOTS,
    STARTED,
    TOUCHED,
    TOUCHED_LIMIT,
    UPDATE_ID,
    W_LOTS,
    W_PRICE,
    W_SIDE,
    W_TOUCHED,
    State,
)
from vtframe.sim.xoshiro import exponential

_MASK = SLOTS - 1
_NOTHING = 1e-9  # rates add up to this or less: nothing will happen
_NEVER = 1 << 62
STEP_FRAMES = 2  # at most, for one instant
STEP_EVENTS = 3 * TOUCHED_LIMIT
_SNAPSHOT, _LAST = int(EventFlag.SNAPSHOT), int(EventFlag.LAST)
_DELTA, _CLEAR, _TRADE = int(EventKind.BOOK_DELTA), int(EventKind.BOOK_CLEAR), int(EventKind.TRADE)
_F_DEPTH, _F_SNAPSHOT, _F_TRADE = int(FrameKind.DEPTH), int(FrameKind.SNAPSHOT), int(FrameKind.TRADE)

LIMIT_ORDER, MARKET_ORDER, CANCEL_ORDER = 1, 2, 3


def _event(
    state: State, events: Any, counts: NDArray[np.int64], kind: int, side: int, price: int, lots: int, flags: int
) -> None:
    event = events[counts[1]]
    event["frame"] = state.scalars[FRAMES]
    event["ts_event"] = state.scalars[NOW]
    event["price"] = price
    event["quantity"] = lots
    event["order_id"] = 0
    event["instrument"] = state.scalars[INSTRUMENT]
    event["flags"] = flags
    event["kind"] = kind
    event["side"] = side
    counts[1] += 1


def _frame(
    state: State, frames: Any, events: Any, counts: NDArray[np.int64], kind: int, first: int, ids: tuple[int, int, int]
) -> None:
    """Close a frame of the events from ``first`` on; it arrives after the feed's latency, never before the last one."""
    scalars = state.scalars
    delay = scalars[LATENCY] + int(exponential(state.random, FEED) * scalars[JITTER])
    scalars[RECEIVED] = max(scalars[RECEIVED], scalars[NOW] + delay)
    last = events[counts[1] - 1]
    last["flags"] = last["flags"] | _LAST
    frame = frames[counts[0]]
    frame["input"] = scalars[FRAMES]
    frame["ts_recv"] = scalars[RECEIVED]
    frame["first_id"], frame["last_id"], frame["previous_id"] = ids
    frame["checksum"] = -1
    frame["connection"] = 0
    frame["instrument"] = scalars[INSTRUMENT]
    frame["kind"] = kind
    frame["n_events"] = counts[1] - first
    frame["first_event"] = first
    counts[0] += 1
    scalars[FRAMES] += 1


def publish(state: State, frames: Any, events: Any, counts: NDArray[np.int64]) -> None:
    """Emit this instant's trades, then every level whose total changed."""
    scalars, work, levels = state.scalars, state.work, state.levels
    first = counts[1]
    for index in range(scalars[PRINTS]):
        _event(state, events, counts, _TRADE, work[index, W_SIDE], work[index, W_PRICE], work[index, W_LOTS], 0)
    if counts[1] > first:
        _frame(state, frames, events, counts, _F_TRADE, first, (-1, -1, -1))
    first = counts[1]
    for index in range(scalars[TOUCHED]):
        price = work[index, W_TOUCHED]
        slot = price & _MASK
        levels[slot, MARK] = 0
        shown, now = levels[slot, SHOWN], levels[slot, SIDE] * levels[slot, QUANTITY]
        if shown == now:
            continue
        if shown > 0 >= now:
            _event(state, events, counts, _DELTA, 1, price, 0, 0)
        elif shown < 0 <= now:
            _event(state, events, counts, _DELTA, -1, price, 0, 0)
        if now != 0:
            _event(state, events, counts, _DELTA, levels[slot, SIDE], price, levels[slot, QUANTITY], 0)
        levels[slot, SHOWN] = now
    if counts[1] > first:
        last = scalars[UPDATE_ID]
        scalars[UPDATE_ID] = last + 1
        # the first diff after a snapshot overlaps it, as a venue's does; from then on ids follow each other
        first_id = last if scalars[STARTED] == 1 else last + 1
        scalars[STARTED] = 2
        _frame(state, frames, events, counts, _F_DEPTH, first, (first_id, last + 1, last))
    scalars[PRINTS] = 0


def _settle(state: State, tables: Tables, frames: Any, events: Any, counts: NDArray[np.int64]) -> None:
    """Publish, and bring the rates up to date with the queues."""
    scalars = state.scalars
    publish(state, frames, events, counts)
    if scalars[MOVED] or scalars[FRAMES] & 4095 == 0:
        refresh_all(state, tables)
    else:
        for index in range(scalars[TOUCHED]):
            distance = scalars[REFERENCE] - state.work[index, W_TOUCHED]
            if 0 <= distance < scalars[LEVELS]:
                refresh_level(state, tables, 1, distance + 1)
            elif 0 < -distance <= scalars[LEVELS]:
                refresh_level(state, tables, -1, -distance)
    scalars[TOUCHED] = 0
    scalars[MOVED] = 0


def _snapshot(state: State, frames: Any, events: Any, counts: NDArray[np.int64]) -> None:
    """The whole simulated book, best first."""
    scalars = state.scalars
    first = counts[1]
    _event(state, events, counts, _CLEAR, 0, 0, 0, _SNAPSHOT)
    for side in (1, -1):
        for level in range(scalars[LEVELS]):
            price = scalars[REFERENCE] - level if side == 1 else scalars[REFERENCE] + 1 + level
            lots = quantity_at(state, side, price)
            if lots:
                _event(state, events, counts, _DELTA, side, price, lots, _SNAPSHOT)
                state.levels[price & _MASK, SHOWN] = side * lots
    for index in range(scalars[TOUCHED]):
        state.levels[state.work[index, W_TOUCHED] & _MASK, MARK] = 0
    scalars[TOUCHED] = scalars[MOVED] = 0
    scalars[STARTED] = 1
    _frame(state, frames, events, counts, _F_SNAPSHOT, first, (scalars[UPDATE_ID], scalars[UPDATE_ID], -1))


def advance(state: State, tables: Tables, frames: Any, events: Any, counts: NDArray[np.int64], limit: int, until: int) -> bool:
    """Append what happens up to ``until`` (ns) to the records; True when that time is reached, False when there is no more
    room for a whole instant, ``limit`` frames are made, or reports wait to be fetched. ``counts``: frames and events so far.
    """
    scalars = state.scalars
    stop = min(len(frames) - STEP_FRAMES, limit - 1)
    if scalars[STARTED] == 0:
        if counts[0] > stop or counts[1] + STEP_EVENTS > len(events):
            return False
        start(state, tables)
        _snapshot(state, frames, events, counts)
    last = len(state.rates) - 1
    while True:
        if scalars[NEXT] < 0:
            waiting = exponential(state.random, FLOW) * 1e9
            total = state.rates[last]
            scalars[NEXT] = scalars[NOW] + int(waiting / total) if total > _NOTHING else _NEVER
        if scalars[NEXT] > until:
            return True
        if counts[0] > stop or counts[1] + STEP_EVENTS > len(events) or scalars[REPORTED] > REPORTS // 2:
            return False
        scalars[NOW] = scalars[NEXT]
        scalars[NEXT] = -1
        step(state, tables)
        _settle(state, tables, frames, events, counts)


def obey(
    state: State,
    tables: Tables,
    frames: Any,
    events: Any,
    counts: NDArray[np.int64],
    order: tuple[int, int, int, int, int, int],
) -> int:
    """An outside command ``(what, ts, side, price or number, lots, rests)`` takes effect; the order's number, or the lots
    canceled. Called when everything up to ``ts`` is made; the flow's next arrival is drawn afresh, as it has no memory."""
    what, ts, side, price, lots, rests = order
    scalars = state.scalars
    scalars[NOW] = ts
    scalars[NEXT] = -1
    reference = scalars[REFERENCE]
    bid_lots, ask_lots = quantity_at(state, 1, reference), quantity_at(state, -1, reference + 1)
    if what == LIMIT_ORDER:
        answer = place(state, side, price, lots, 1, rests)
    elif what == MARKET_ORDER:
        answer = place(state, side, NO_ASK if side == 1 else 0, lots, 1, 0)
    else:
        answer = cancel_outside(state, price)
    follow(state, tables, bid_lots, ask_lots)
    _settle(state, tables, frames, events, counts)
    return answer
