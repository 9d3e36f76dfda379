"""The venue's own time: the machine's, a faster or slower one, or a virtual one that moves only when it is told to."""

from __future__ import annotations

from vtframe.clock import Clock, LiveClock

VIRTUAL_START_NS = 1_723_161_600_000_000_000  # 2024-08-09 00:00 UTC


class VenueClock:
    """Nanoseconds UTC as the venue tells them. ``speed`` 1 is real time; a virtual clock moves by ``advance`` only."""

    def __init__(self, *, speed: float = 1.0, virtual: bool = False, machine: Clock | None = None) -> None:
        self._machine = machine or LiveClock()
        self.virtual = virtual
        self.speed = speed
        self._start = VIRTUAL_START_NS if virtual else self._machine.now_ns()
        self._began = self._machine.monotonic_ns()
        self._now = self._start

    def now_ns(self) -> int:
        if not self.virtual:
            elapsed = self._machine.monotonic_ns() - self._began
            self._now = self._start + (elapsed if self.speed == 1.0 else int(elapsed * self.speed))
        return self._now

    def advance(self, by_ns: int) -> None:
        """Move a virtual clock; raises ValueError for one that runs by itself, or backwards."""
        if not self.virtual or by_ns < 0:
            raise ValueError("only a virtual clock is moved, and only forward")
        self._now += by_ns
