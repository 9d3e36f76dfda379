"""What happens to every frame of an order-by-order feed: the book, and the same news by levels. Compiled as one entry.

An ORDERS or SNAPSHOT frame becomes a TRADE frame (where orders were filled) and a DEPTH or SNAPSHOT frame; any other frame goes
through as it is. What contradicts the book becomes a STATUS frame with a GAP, and the book then waits for a snapshot.
"""

from __future__ import annotations

from typing import Any

from vtframe.book import meta as m
from vtframe.book.l3 import layout as at
from vtframe.book.l3.orders import find
from vtframe.book.l3.queues import clear, join, lessen, lessen_unnamed, level_at, state_total, truncate
from vtframe.book.sequence import FOLLOWS, OLD, check
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind

LIVE, GAP = int(BookState.LIVE), int(BookState.GAP)
ORDERS_FRAME, SNAPSHOT_FRAME = int(FrameKind.ORDERS), int(FrameKind.SNAPSHOT)
DEPTH_FRAME, TRADE_FRAME, STATUS_FRAME = int(FrameKind.DEPTH), int(FrameKind.TRADE), int(FrameKind.STATUS)
DELTA, CLEAR, TRADE, STATUS = int(EventKind.BOOK_DELTA), int(EventKind.BOOK_CLEAR), int(EventKind.TRADE), int(EventKind.STATUS)
ADD, REDUCE = int(EventKind.ORDER_ADD), int(EventKind.ORDER_REDUCE)
REMOVE, FILL = int(EventKind.ORDER_REMOVE), int(EventKind.ORDER_FILL)
SNAPSHOT_FLAG, IN_STREAM, LAST = int(EventFlag.SNAPSHOT), int(EventFlag.IN_STREAM), int(EventFlag.LAST)
GAP_FLAG = int(EventFlag.GAP)


def run(
    frames: Any,
    events: Any,
    first: int,
    last: int,
    levels: Any,
    orders: Any,
    table: Any,
    meta: Any,
    out_frames: Any,
    out_events: Any,
    control: Any,
) -> int:
    """Handle frames ``first`` to ``last``; returns one of layout's codes."""
    for index in range(first, last):
        control[at.POSITION] = index
        frame = frames[index]
        begin = frame["first_event"]
        count = frame["n_events"]
        if begin < 0 or count < 0 or begin + count > len(events):
            return at.BAD
        held = meta[m.N_BIDS] + meta[m.N_ASKS]
        need = 2 * count + held + 2  # trades, and a level for each event; a snapshot tells all levels
        if control[at.OUT_FRAMES] + 2 > len(out_frames) or control[at.OUT_EVENTS] + need > len(out_events):
            control[at.NEED] = need
            return at.MORE_OUTPUT
        kind = frame["kind"]
        if kind != ORDERS_FRAME and kind != SNAPSHOT_FRAME:
            start = control[at.OUT_EVENTS]
            for k in range(count):
                out_events[start + k] = events[begin + k]
            close(frame, kind, count, out_frames, control)
            continue
        if meta[at.ORDERS] + count > len(orders):
            control[at.NEED] = meta[at.ORDERS] + count
            return at.MORE_ORDERS
        if max(meta[m.N_BIDS], meta[m.N_ASKS]) + count > levels.shape[2]:
            control[at.NEED] = max(meta[m.N_BIDS], meta[m.N_ASKS]) + count
            return at.MORE_LEVELS
        meta[m.FRAMES] += 1
        meta[m.EVENTS] += count
        if kind == SNAPSHOT_FRAME:
            clear(table, meta)
            meta[m.DEPTH] = 0
            meta[m.STATE] = LIVE
        elif meta[m.STATE] != LIVE:
            meta[at.IGNORED] += 1
            continue
        else:
            verdict = check(meta, frame["first_id"], frame["last_id"], frame["previous_id"])
            if verdict == OLD:
                meta[m.OLD_FRAMES] += 1
                continue
            if verdict != FOLLOWS:
                lose(frame, 0, out_frames, out_events, control, meta)
                continue
        trades(frame, events, begin, begin + count, out_frames, out_events, control)
        mark = control[at.OUT_EVENTS]
        wrong = apply(events, begin, begin + count, levels, orders, table, meta, out_events, control)
        if wrong == at.BAD:
            return at.BAD
        if wrong:
            meta[at.FAULTS] += 1
            control[at.OUT_EVENTS] = mark
            lose(frame, events[begin]["ts_event"], out_frames, out_events, control, meta)
            continue
        if meta[m.DEPTH] > 0:
            truncate(levels, orders, table, meta)
        meta[m.LAST_ID] = frame["last_id"]
        if kind == SNAPSHOT_FRAME:
            meta[m.FIRST] = 2 if count > 0 and events[begin]["flags"] & IN_STREAM else 1
            control[at.OUT_EVENTS] = mark
            tell_all(frame, events[begin]["ts_event"] if count > 0 else 0, levels, meta, out_frames, out_events, control)
        else:
            meta[m.FIRST] = 0
            told = control[at.OUT_EVENTS] - mark
            control[at.OUT_EVENTS] = mark
            close_flagged(frame, DEPTH_FRAME, told, out_frames, out_events, control)
    control[at.POSITION] = last
    return at.DONE


def apply(
    events: Any, begin: int, end: int, levels: Any, orders: Any, table: Any, meta: Any, out_events: Any, control: Any
) -> int:
    """Every event on the book, and the level that it changed into the output; 1 at the first that contradicts the book."""
    for k in range(begin, end):
        event = events[k]
        kind = event["kind"]
        side = event["side"]
        price = event["price"]
        quantity = event["quantity"]
        order_id = event["order_id"]
        if kind == CLEAR:
            clear(table, meta)
            meta[m.DEPTH] = quantity
            tell(event, 0, 0, 0, CLEAR, out_events, control)
            continue
        if (side != 1 and side != -1) or quantity < 0:
            return at.BAD
        if kind == DELTA:
            state_total(side, price, quantity, levels, orders, table, meta)
            tell(event, side, price, quantity, DELTA, out_events, control)
            continue
        if kind == ADD:
            if quantity == 0 or find(order_id, orders, table) != at.NONE:
                return 1
            total = join(order_id, side, price, quantity, levels, orders, table, meta)
        elif kind == REDUCE or kind == REMOVE or kind == FILL:
            slot = find(order_id, orders, table)
            if kind == FILL:
                note_fill(slot, levels, orders, meta)
            if slot == at.NONE:
                total = lessen_unnamed(side, price, quantity, levels, meta)
            else:
                side, price = orders[slot, at.SIDE], orders[slot, at.AT]
                total = lessen(slot, orders[slot, at.LEFT] if kind == REMOVE else quantity, levels, orders, table, meta)
            if total == at.NONE:
                return 1
        else:
            return at.BAD
        tell(event, side, price, total, DELTA, out_events, control)
    return 0


def note_fill(slot: int, levels: Any, orders: Any, meta: Any) -> None:
    """Count fills, and those of an order that is not the first of its queue."""
    meta[at.FILLS] += 1
    if slot == at.NONE:
        return
    place = level_at(levels, meta, orders[slot, at.SIDE], orders[slot, at.AT])
    index = 0 if orders[slot, at.SIDE] == 1 else 1
    if orders[slot, at.BEFORE] != at.NONE or levels[index, at.UNNAMED, place] > 0:
        meta[at.OUT_OF_TURN] += 1


def tell(event: Any, side: int, price: int, quantity: int, kind: int, out_events: Any, control: Any) -> None:
    """One event of the output."""
    out = out_events[control[at.OUT_EVENTS]]
    out["frame"] = event["frame"]
    out["ts_event"] = event["ts_event"]
    out["price"] = price
    out["quantity"] = quantity
    out["order_id"] = 0
    out["instrument"] = event["instrument"]
    out["flags"] = event["flags"] & ~LAST
    out["kind"] = kind
    out["side"] = side
    control[at.OUT_EVENTS] += 1


def trades(frame: Any, events: Any, begin: int, end: int, out_frames: Any, out_events: Any, control: Any) -> None:
    """A TRADE frame of the fills; the aggressor is on the other side of the order that rested."""
    mark = control[at.OUT_EVENTS]
    for k in range(begin, end):
        event = events[k]
        if event["kind"] == FILL:
            tell(event, -event["side"], event["price"], event["quantity"], TRADE, out_events, control)
    told = control[at.OUT_EVENTS] - mark
    control[at.OUT_EVENTS] = mark
    if told > 0:
        close_flagged(frame, TRADE_FRAME, told, out_frames, out_events, control)


def tell_all(frame: Any, ts_event: int, levels: Any, meta: Any, out_frames: Any, out_events: Any, control: Any) -> None:
    """A SNAPSHOT frame of the whole book, best levels first."""
    mark = control[at.OUT_EVENTS]
    flags = SNAPSHOT_FLAG | IN_STREAM
    write(frame, ts_event, CLEAR, 0, 0, meta[m.DEPTH], flags, out_events, control)
    for index in range(2):
        count = meta[m.N_BIDS + index]
        for place in range(count - 1, -1, -1):
            price, total = levels[index, at.PRICE, place], levels[index, at.QUANTITY, place]
            write(frame, ts_event, DELTA, 1 - 2 * index, price, total, flags, out_events, control)
    told = control[at.OUT_EVENTS] - mark
    control[at.OUT_EVENTS] = mark
    close_flagged(frame, SNAPSHOT_FRAME, told, out_frames, out_events, control)


def lose(frame: Any, ts_event: int, out_frames: Any, out_events: Any, control: Any, meta: Any) -> None:
    """The book waits for a snapshot, and whoever reads the output is told."""
    meta[m.STATE] = GAP
    meta[m.GAPS] += 1
    mark = control[at.OUT_EVENTS]
    write(frame, ts_event, STATUS, 0, 0, 0, GAP_FLAG, out_events, control)
    control[at.OUT_EVENTS] = mark
    close_flagged(frame, STATUS_FRAME, 1, out_frames, out_events, control)


def write(
    frame: Any, ts_event: int, kind: int, side: int, price: int, quantity: int, flags: int, out_events: Any, control: Any
) -> None:
    """One event of the output that no event of the input stands for."""
    out = out_events[control[at.OUT_EVENTS]]
    out["frame"] = frame["input"]
    out["ts_event"] = ts_event
    out["price"] = price
    out["quantity"] = quantity
    out["order_id"] = 0
    out["instrument"] = frame["instrument"]
    out["flags"] = flags
    out["kind"] = kind
    out["side"] = side
    control[at.OUT_EVENTS] += 1


def close_flagged(frame: Any, kind: int, count: int, out_frames: Any, out_events: Any, control: Any) -> None:
    """A frame over the next ``count`` events of the output, the last of which is flagged so."""
    if count > 0:
        final = out_events[control[at.OUT_EVENTS] + count - 1]
        final["flags"] = final["flags"] | LAST
    close(frame, kind, count, out_frames, control)


def close(frame: Any, kind: int, count: int, out_frames: Any, control: Any) -> None:
    """A frame over the next ``count`` events of the output: ids and checksum only where it stands for the whole input."""
    out = out_frames[control[at.OUT_FRAMES]]
    whole = kind != TRADE_FRAME or frame["kind"] == TRADE_FRAME
    out["input"] = frame["input"]
    out["ts_recv"] = frame["ts_recv"]
    out["first_id"] = frame["first_id"] if whole else -1
    out["last_id"] = frame["last_id"] if whole else -1
    out["previous_id"] = frame["previous_id"] if whole else -1
    out["checksum"] = -1
    out["connection"] = frame["connection"]
    out["instrument"] = frame["instrument"]
    out["kind"] = kind
    out["n_events"] = count
    out["first_event"] = control[at.OUT_EVENTS]
    control[at.OUT_EVENTS] += count
    control[at.OUT_FRAMES] += 1
