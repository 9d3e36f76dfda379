"""For how long the event loop left its sockets alone: what it reads after that may have waited as long, whatever it says."""

from __future__ import annotations

import asyncio
from typing import Final

from vtframe.clock import Clock

BEAT_S: Final = 0.005
_USUAL_NS: Final = 15_000_000  # three beats: a timer comes a little late at any time


class LoopBeat:
    """A timer of the session's event loop, which looks at every socket between two of its beats.

    So whatever arrived before the last beat but one was read before the last, and what is read now came later. In a loop that
    keeps up that is no more than two beats ago and says nothing; where something blocked it, it is as long as that took (and up
    to two beats more: too old is the side to err on).
    """

    __slots__ = ("_before", "_last", "_now")

    def __init__(self, clock: Clock) -> None:
        self._now = clock.now_ns
        self._last = self._before = 0

    async def run(self) -> None:
        """Until it is canceled."""
        while True:
            self._before, self._last = self._last or self._now(), self._now()
            await asyncio.sleep(BEAT_S)

    def waited_ns(self, ts_recv: int) -> int:
        """The longest that what was read at ``ts_recv`` can have waited, ns; 0 where that is no longer than usual."""
        waited = ts_recv - self._before if self._before else 0
        return waited if waited > _USUAL_NS else 0
