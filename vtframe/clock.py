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


class InputClock:
    """Time in a live session, as its decisions see it: what the inputs brought, so that it can be told again.

    ``advance`` takes the arrival of a message or of an answer; ``arrive`` reads the machine's clock, for an input that brings
    no time, and the journal has what it read. Between inputs it stands still.
    """

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._now = wall.now_ns()
        self.monotonic_ns = wall.monotonic_ns

    def advance(self, ts_ns: int) -> None:
        """Move to ``ts_ns``; a reading that went back leaves the clock where it is."""
        if ts_ns > self._now:
            self._now = ts_ns

    def arrive(self) -> None:
        """Move to what the machine's clock says."""
        self.advance(self._wall.now_ns())

    def now_ns(self) -> int:
        return self._now

    def read_ns(self) -> int:
        """The machine's clock, for the record: nothing moves."""
        return self._wall.now_ns()
