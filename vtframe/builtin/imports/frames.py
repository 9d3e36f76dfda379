"""Events in arrays become frames in Records, in bulk: no event is handled by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.domain import EVENT, EventFlag, EventKind, FrameKind, Records

BLOCK = 65_536  # events read at once


def deltas(
    ts_event: NDArray[Any], side: NDArray[Any] | int, price: NDArray[Any], quantity: NDArray[Any] | int, *, kind: EventKind
) -> NDArray[Any]:
    """EVENT records of one kind, one for each price."""
    events = np.zeros(len(price), EVENT)
    events["ts_event"], events["side"], events["price"], events["quantity"] = ts_event, side, price, quantity
    events["kind"] = int(kind)
    return events


def clear(ts_event: int) -> NDArray[Any]:
    """The one event that a snapshot begins with."""
    event = np.zeros(1, EVENT)
    event["ts_event"], event["kind"], event["flags"] = ts_event, int(EventKind.BOOK_CLEAR), int(EventFlag.SNAPSHOT)
    return event


def starts_of(*keys: NDArray[Any]) -> NDArray[np.int64]:
    """Where a run of rows that are equal in every key begins."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    new = np.zeros(len(keys[0]), np.bool_)
    new[0] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


def append(
    records: Records, events: NDArray[Any], starts: NDArray[np.int64], kinds: NDArray[Any], ts_recv: NDArray[Any]
) -> None:
    """Append frames: frame ``k`` has the events from ``starts[k]`` to the next frame's start, and arrives at ``ts_recv[k]``."""
    count, more = len(starts), len(events)
    if not count:
        return
    records.reserve(frames=count, events=more)
    first = records.n_events
    frames = records.frames[records.n_frames : records.n_frames + count]
    frames["input"] = frames["connection"] = frames["instrument"] = 0
    frames["ts_recv"], frames["kind"] = ts_recv, kinds
    for name in ("first_id", "last_id", "previous_id", "checksum"):
        frames[name] = -1
    ends = np.append(starts[1:], more)
    frames["first_event"], frames["n_events"] = first + starts, ends - starts
    records.events[first : first + more] = events
    flags = records.events["flags"]
    flags[first : first + more] &= ~np.uint16(EventFlag.LAST)
    flags[first + ends - 1] |= np.uint16(EventFlag.LAST)
    records.n_frames += count
    records.n_events += more


def append_snapshot(records: Records, ts_event: int, ts_recv: int, levels: NDArray[Any]) -> None:
    """Append one frame that replaces the book by ``levels`` (EVENT records)."""
    levels["flags"] |= np.uint16(EventFlag.SNAPSHOT)
    events = np.concatenate([clear(ts_event), levels])
    append(records, events, np.zeros(1, np.int64), np.array([int(FrameKind.SNAPSHOT)]), np.array([ts_recv]))
