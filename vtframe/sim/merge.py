"""Several books on one connection: their frames in the order of market time, arriving in that order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtframe.domain import EVENT, FRAME, Records


class Merger:
    """Joins slices of market time. Each slice must begin where the one before ended."""

    def __init__(self) -> None:
        self._received = 0  # arrival of the last frame: one connection delivers in order
        self._frames = 0

    def merge(self, parts: Sequence[Records]) -> Records:
        """The frames of ``parts`` (one per book, each in order, of the same slice) in one; ties go to the earlier part."""
        frames = np.concatenate([part.frames[: part.n_frames] for part in parts])
        offsets = np.cumsum([0, *(part.n_events for part in parts[:-1])])
        events = np.concatenate([part.events[: part.n_events] for part in parts])
        frames["first_event"] += np.repeat(offsets, [part.n_frames for part in parts])
        frames = frames[np.argsort(events["ts_event"][frames["first_event"]], kind="stable")]
        counts = frames["n_events"]
        ends = np.cumsum(counts, dtype=np.int64)
        starts = ends - counts
        events = events[np.repeat(frames["first_event"] - starts, counts) + np.arange(len(events))]
        frames["first_event"] = starts
        numbers = self._frames + np.arange(len(frames))
        frames["input"] = numbers
        events["frame"] = np.repeat(numbers, counts)
        if len(frames):
            frames["ts_recv"] = np.maximum.accumulate(np.maximum(frames["ts_recv"], self._received))
            self._received = int(frames["ts_recv"][-1])
            self._frames += len(frames)
        records = Records(frames=1, events=1)
        records.frames, records.events = frames.astype(FRAME, copy=False), events.astype(EVENT, copy=False)
        records.n_frames, records.n_events = len(frames), len(events)
        return records
