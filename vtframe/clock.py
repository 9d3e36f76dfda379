"""Time comes from a Clock and from nowhere else: ambient time would make a replay differ from the run it replays."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings: what time it is (UTC), and a monotonic one that deadlines run on. Both int64 nanoseconds."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds from an arbitrary start; never goes back."""
        ...


class LiveClock:
    """The machine's own clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.perf_counter_ns()


class EventClock:
    """Market time: ``now_ns`` is what the inputs say it is.

    With ``measured`` (the default) the monotonic reading is the machine's, so that processing time still counts against
    deadlines; without it that reading is market time too, and two runs over one input make the same decisions.
    """

    def __init__(self, *, start_ns: int = 0, measured: bool = True) -> None:
        self._now = start_ns
        self.measured = measured

    def advance(self, ts_ns: int) -> None:
        """Move to ``ts_ns``; a reading that went back leaves the clock where it is."""
        self._now = max(self._now, ts_ns)

    def now_ns(self) -> int:
        return self._now

    def monotonic_ns(self) -> int:
        return time.perf_counter_ns() if self.measured else self._now
