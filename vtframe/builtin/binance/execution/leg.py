"""One connection that is to be there always: opened once by whoever needs it, and again whenever it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import numpy as np

from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.transport import TransportError

_FIRST_S: Final = 0.1
_MOST_S: Final = 10.0
_log = logging.getLogger("vtframe.execution")


class Leg:
    """``over`` says that the connection has ended; ``keep`` makes it again, with pauses that grow and are not quite even.

    ``down(name, reason)`` and ``up(name)`` are told in the event loop; ``up`` not of the first time.
    """

    def __init__(
        self, name: str, make: Callable[[], Awaitable[None]], down: Callable[[str, str], None], up: Callable[[str], None]
    ) -> None:
        self._name = name
        self._make = make
        self._down = down
        self._up = up
        self._ended = asyncio.Event()
        self._jitter = np.random.default_rng()
        self.is_up = False
        self.reconnects = 0

    async def open(self) -> None:
        """Raises what ``make`` raises: TransportError or VenueError."""
        self._ended.clear()
        await self._make()
        self.is_up = not self._ended.is_set()  # it may have ended while it was made

    def over(self, reason: str) -> None:
        was_up, self.is_up = self.is_up, False
        self._ended.set()
        if was_up:
            self._down(self._name, reason)

    async def keep(self) -> None:
        """Until it is canceled."""
        while True:
            await self._ended.wait()
            pause = _FIRST_S
            while not self.is_up:
                await asyncio.sleep(pause * self._jitter.uniform(0.5, 1.0))
                pause = min(_MOST_S, 2 * pause)
                try:
                    await self.open()
                except (TransportError, VenueError) as e:
                    _log.warning("the connection for %s is not back: %s", self._name, e)
            self.reconnects += 1
            self._up(self._name)
