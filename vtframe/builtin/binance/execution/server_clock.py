"""The venue's time as we know it: ours and an offset, with the most that it can be wrong by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.clock import Clock
from vtframe.transport import TransportError

_SAMPLES: Final = 5
_EVERY_S: Final = 60.0
_DRIFT_PPM: Final = 100  # of a machine's clock against the venue's, at most, between two measurements
_log = logging.getLogger("vtframe.execution")


class ServerClock:
    """``measure`` asks for the venue's time a few times and keeps the answer that took least: half of that is its error."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ns = 0
        self._error_ns = 0
        self._measured_ns = -1
        self.measuring = False

    @property
    def offset_ns(self) -> int:
        """Venue less ours."""
        return self._offset_ns

    def now_ms(self) -> int:
        """The venue's time, as nearly as it is known; for timestamps of requests."""
        return (self._clock.now_ns() + self._offset_ns) // 1_000_000

    def error_ms(self) -> float:
        """How far ``now_ms`` can be off."""
        drifted = (self._clock.monotonic_ns() - self._measured_ns) * _DRIFT_PPM // 1_000_000 if self._measured_ns >= 0 else 0
        return (self._error_ns + drifted) / 1e6

    def is_past(self, ms: int) -> bool:
        """Whether the venue's time is later than ``ms`` for certain."""
        return self.now_ms() - self.error_ms() > ms

    async def measure(self, ask: Callable[[], Awaitable[int]]) -> None:
        """``ask`` answers with the venue's time in ms."""
        self.measuring = True
        try:
            await self._measure(ask)
        finally:
            self.measuring = False

    async def keep(self, ask: Callable[[], Awaitable[int]]) -> None:
        """Measure once a minute, until it is canceled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.refresh(ask)

    async def refresh(self, ask: Callable[[], Awaitable[int]]) -> None:
        """Measure; where the venue does not answer, what was known stays."""
        try:
            await self.measure(ask)
        except (TransportError, VenueError) as e:
            _log.warning("the venue's time could not be asked for: %s", e)

    async def _measure(self, ask: Callable[[], Awaitable[int]]) -> None:
        best: tuple[int, int] | None = None
        for _ in range(_SAMPLES):
            before, started = self._clock.now_ns(), self._clock.monotonic_ns()
            theirs_ns = await ask() * 1_000_000 + 500_000  # whole milliseconds: half of one is what they leave out
            took = self._clock.monotonic_ns() - started
            if best is None or took < best[0]:
                best = (took, theirs_ns - before - took // 2)
        if best is not None:
            self._offset_ns = best[1]
            self._error_ns = best[0] // 2 + 1_000_000
            self._measured_ns = self._clock.monotonic_ns()
