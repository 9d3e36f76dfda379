"""Depth frames that wait for a snapshot, per instrument, bounded: the oldest are dropped and counted."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.domain import EVENT, FRAME

MAX_FRAMES = 10_000
MAX_EVENTS = 1 << 20  # 48 MB: what a venue sends while no snapshot comes


class PendingFrames:
    """Copies of frames and of the events that they own, oldest first."""

    def __init__(self, limit: int = MAX_FRAMES) -> None:
        self._frames: deque[tuple[NDArray[Any], NDArray[Any]]] = deque()
        self._limit = limit
        self._events = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._frames)

    def keep(self, frame: NDArray[Any], events: NDArray[Any]) -> None:
        """Copy one frame record and its events."""
        self._events += len(events)
        while self._frames and (len(self._frames) >= self._limit or self._events > MAX_EVENTS):
            self.drop(1)
            self.dropped += 1
        self._frames.append((frame.copy(), events.copy()))

    def oldest(self) -> tuple[int, int] | None:
        """Its first and previous update id; None where none waits."""
        if not self._frames:
            return None
        frame = self._frames[0][0]
        return int(frame["first_id"]), int(frame["previous_id"])

    def arrays(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """All of them as the arrays of one Records."""
        frames = np.array([frame for frame, _ in self._frames], FRAME)
        events = np.concatenate([events for _, events in self._frames]) if self._frames else np.zeros(0, EVENT)
        frames["first_event"] = np.cumsum(frames["n_events"]) - frames["n_events"]
        return frames, events

    def drop(self, count: int) -> None:
        """Forget the oldest ``count``: they were applied, or ended before the snapshot."""
        for _ in range(count):
            self._events -= len(self._frames.popleft()[1])
