"""The book events of a recording, in the order in which a book can take them: what every engine of benchmarks/peers.py replays.

The peers apply what they are given: they know no update ids. So the part that vtframe does with frames that came before
their snapshot is done here once, for all of them: the picture first, then the frames that follow it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.book.sequence import NEXT, PREVIOUS
from vtframe.domain import EventKind, FrameKind, SequenceRule


class Replay(msgspec.Struct, frozen=True):
    """Records (domain.FRAME, domain.EVENT) of one instrument's depth, whole and in order."""

    frames: NDArray[Any]
    events: NDArray[Any]


def book_replay(frames: NDArray[Any], events: NDArray[Any], rule: SequenceRule) -> Replay:
    """Depth and snapshot frames from the first snapshot on, and nothing else.

    Frames that waited for the snapshot and end after it stand behind it and carry its two times, since no book could take
    them earlier; those that end before it are in it already and fall away. Events are otherwise what they were.
    Raises ValueError where there is no snapshot, or more instruments than one.
    """
    depth = frames[np.isin(frames["kind"], (FrameKind.DEPTH, FrameKind.SNAPSHOT))]
    if len(np.unique(depth["instrument"])) > 1:
        raise ValueError("recordings of more than one instrument: name files of one")
    pictures = np.flatnonzero(depth["kind"] == FrameKind.SNAPSHOT)
    if not len(pictures):
        raise ValueError("no snapshot in the recordings: a book cannot be built")
    first = int(pictures[0])
    picture = depth[first]
    waited = depth[:first]
    waited = waited[~_is_old(waited, int(picture["last_id"]), rule)]
    ordered = np.concatenate([depth[first : first + 1], waited, depth[first + 1 :]])
    taken = _take(events, ordered["first_event"], ordered["n_events"])
    ordered["ts_recv"][: len(waited) + 1] = picture["ts_recv"]
    ordered["first_event"] = np.cumsum(ordered["n_events"]) - ordered["n_events"]
    pictured = int(ordered["n_events"][0])
    stamped = pictured + int(waited["n_events"].sum())
    taken["ts_event"][pictured:stamped] = taken["ts_event"][pictured - 1]
    return Replay(ordered, taken)


def _is_old(frames: NDArray[Any], last_id: int, rule: SequenceRule) -> NDArray[np.bool_]:
    """Whether a frame that waited is in the picture already (book.sequence)."""
    if int(rule) == NEXT:
        return frames["last_id"] <= last_id
    if int(rule) == PREVIOUS:
        return frames["last_id"] < last_id
    return np.ones(len(frames), np.bool_)


def _take(events: NDArray[Any], starts: NDArray[Any], counts: NDArray[Any]) -> NDArray[Any]:
    """The events of frames, one frame behind the other."""
    ends = np.cumsum(counts)
    places = np.arange(int(ends[-1])) - np.repeat(ends - counts, counts) + np.repeat(starts, counts)
    return events[places]


def by_arrival(ts_recv: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The last value at each arrival time: what engines that wake once a time, a frame or an event have in common."""
    last = np.append(np.flatnonzero(np.diff(ts_recv)), len(ts_recv) - 1)
    return ts_recv[last], values[last]


def is_delta(events: NDArray[Any]) -> NDArray[np.bool_]:
    return events["kind"] == EventKind.BOOK_DELTA
