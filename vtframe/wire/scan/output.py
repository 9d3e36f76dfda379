"""Writing FRAME and EVENT records from compiled code, straight into the arrays of a ``Records``.

Plain Python that is compiled with the codec that uses it. Every write is checked: FULL where there is no room, and then the
scanner makes room and scans the message again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from vtframe.domain import EventFlag, EventKind, FrameKind
from vtframe.wire.scan.codes import FULL

N_FRAMES, N_EVENTS = 0, 1  # in counts
LAST, NON_MARKET, SNAPSHOT_FLAG = int(EventFlag.LAST), int(EventFlag.NON_MARKET), int(EventFlag.SNAPSHOT)
PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)  # a snapshot that came with the diffs
DELTA_EVENT, CLEAR_EVENT = int(EventKind.BOOK_DELTA), int(EventKind.BOOK_CLEAR)
TRADE_EVENT, QUOTE_EVENT = int(EventKind.TRADE), int(EventKind.QUOTE)
DEPTH_FRAME, SNAPSHOT_FRAME = int(FrameKind.DEPTH), int(FrameKind.SNAPSHOT)
TRADE_FRAME, QUOTE_FRAME = int(FrameKind.TRADE), int(FrameKind.QUOTE)


class Output(NamedTuple):
    """Where a kernel writes: ``counts`` says how many frames and events are filled."""

    frames: Any  # dtype FRAME
    events: Any  # dtype EVENT
    counts: Any  # int64: N_FRAMES, N_EVENTS


def put_event(
    events: Any,
    n: int,
    ts_event: int,
    kind: int,
    side: int,
    price: int,
    quantity: int,
    instrument: int,
    flags: int,
    order_id: int,
) -> int:
    """Write the event at place ``n``; returns the next place, or a code. ``n`` may be a code, which is handed on."""
    if n < 0:
        return n
    if n >= len(events):
        return FULL
    event = events[n]
    event["frame"] = 0
    event["ts_event"] = ts_event
    event["price"] = price
    event["quantity"] = quantity
    event["order_id"] = order_id
    event["instrument"] = instrument
    event["flags"] = flags
    event["kind"] = kind
    event["side"] = side
    return n + 1


def put_frame(
    out: Output,
    n: int,
    kind: int,
    instrument: int,
    first_id: int,
    last_id: int,
    previous_id: int,
    checksum: int,
) -> int:
    """Close a frame: its events are those from ``counts[N_EVENTS]`` to place ``n``, the last of them is flagged LAST.

    Returns 0, or a code (``n`` may be one), and then nothing is appended. Input number, time of arrival and connection are
    the engine's to fill in.
    """
    if n < 0:
        return n
    first = out.counts[N_EVENTS]
    index = out.counts[N_FRAMES]
    if index >= len(out.frames):
        return FULL
    frame = out.frames[index]
    frame["input"] = 0
    frame["ts_recv"] = 0
    frame["first_id"] = first_id
    frame["last_id"] = last_id
    frame["previous_id"] = previous_id
    frame["checksum"] = checksum
    frame["connection"] = 0
    frame["instrument"] = instrument
    frame["kind"] = kind
    frame["n_events"] = n - first
    frame["first_event"] = first
    if n > first:
        event = out.events[n - 1]
        event["flags"] = event["flags"] | LAST
    out.counts[N_FRAMES] = index + 1
    out.counts[N_EVENTS] = n
    return 0
