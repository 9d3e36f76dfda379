"""One connection that is to be there always: opened once by whoever needs it, again whenever it ends, and replaced in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.builtin.binance.execution.succession import Succession
from vtframe.transport import TransportError

_FIRST_S: Final = 0.1
_MOST_S: Final = 10.0
_log = logging.getLogger("vtframe.execution")


class Leg:
    """``over`` says that the connection has ended; ``keep`` makes it again, with pauses that grow and are not quite even.

    ``down(name, reason)`` and ``up(name)`` are told in the event loop; ``up`` not of the first time. Before the connection is
    ``renew_s`` old, another takes its place, of which nobody is told.
    """

    def __init__(
        self,
        name: str,
        lines: Succession[Any],
        down: Callable[[str, str], None],
        up: Callable[[str], None],
        *,
        renew_s: float,
    ) -> None:
        self._name = name
        self._lines = lines
        self._renew_s = renew_s
        lines.over = self.over
        self._down = down
        self._up = up
        self._ended = asyncio.Event()
        self._jitter = np.random.default_rng()
        self.is_up = False
        self.reconnects = 0
        self.renewals = 0

    async def open(self) -> None:
        """Raises TransportError or VenueError."""
        self._ended.clear()
        await self._lines.open()
        self.is_up = not self._ended.is_set()  # it may have ended while it was made

    def over(self, reason: str) -> None:
        was_up, self.is_up = self.is_up, False
        self._ended.set()
        if was_up:
            self._down(self._name, reason)

    async def keep(self) -> None:
        """Until it is canceled."""
        while True:
            if not await self._ends():
                await self._renew()
            pause = _FIRST_S
            was_up = self.is_up
            while not self.is_up:
                await asyncio.sleep(pause * self._jitter.uniform(0.5, 1.0))
                pause = min(_MOST_S, 2 * pause)
                try:
                    await self.open()
                except (TransportError, VenueError) as e:
                    _log.warning("the connection for %s is not back: %s", self._name, e)
            if not was_up:
                self.reconnects += 1
                self._up(self._name)

    async def _ends(self) -> bool:
        """Wait for the end of the connection; False where it comes to be replaced before."""
        try:
            async with asyncio.timeout(self._renew_s * self._jitter.uniform(0.95, 1.0)):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    async def _renew(self) -> None:
        """Try until another has taken its place, or it has ended by itself."""
        pause = _FIRST_S
        while self.is_up:
            try:
                await self._lines.replace()
            except (TransportError, VenueError) as e:
                _log.warning("the connection for %s could not be replaced: %s", self._name, e)
            else:
                self.renewals += 1
                if not self.is_up:  # the old one ended meanwhile, and that was told
                    self._ended.clear()
                    self.is_up = True
                    self._up(self._name)
                return
            await asyncio.sleep(pause * self._jitter.uniform(0.5, 1.0))
            pause = min(_MOST_S, 2 * pause)
