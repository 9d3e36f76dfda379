"""User data of USD-M: a stream of its own, under a listen key that must be kept alive and is told to nobody."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.builtin.binance.execution.rest import Rest
from vtframe.clock import Clock
from vtframe.transport import Connection, Library, TransportError, connect

KEEP_S: Final = 1_500.0  # a key lives for an hour
_RETRY_S: Final = 60.0
_LIMIT: Final = 1 << 20
_TIMEOUT_S: Final = 5.0
_log = logging.getLogger("vtframe.execution")


class PrivateStream:
    """A ``Receiver``: each message is one event. ``on_over`` is told the end of the stream, once a connection."""

    def __init__(
        self,
        base: str,
        rest: Rest,
        clock: Clock,
        *,
        library: Library,
        on_event: Callable[[bytes], None],
        on_over: Callable[[str], None],
    ) -> None:
        self._base = base
        self._rest = rest
        self._clock = clock
        self._library = library
        self._on_event = on_event
        self._on_over = on_over
        self._connection: Connection | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._messages = 0

    def pulse(self) -> int:
        """Another number whenever something has come, a ping of the venue's too."""
        return self._messages + (0 if self._connection is None else self._connection.pings())

    async def open(self) -> None:
        """Raises TransportError or VenueError."""
        key = await self._rest.listen_key()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                self._connection = await connect(
                    f"{self._base}{key}", self, self._clock.now_ns, library=self._library, limit=_LIMIT
                )
        except TransportError as e:
            raise TransportError(f"{self._base}...", e.problem.replace(key, "...")) from None
        except TimeoutError:
            raise TransportError(f"{self._base}...", f"does not answer within {_TIMEOUT_S:.0f} s") from None
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    async def close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
            self._keeping = None
        if self._connection is not None:
            await self._connection.close()

    async def drop(self) -> None:
        """End the connection, so that ``on_over`` is told and another is made."""
        if self._connection is not None:
            await self._connection.close()

    def on_message(self, data: bytes, ts_recv: int) -> None:
        self._messages += 1
        self._on_event(data)

    def on_close(self, reason: str) -> None:
        self._connection = None
        self._on_over(reason)

    async def _keep(self) -> None:
        wait = KEEP_S
        while True:
            await asyncio.sleep(wait)
            try:
                await self._rest.keep_listen_key()
                wait = KEEP_S
            except VenueError as e:  # the key has gone, and with it what comes over the stream
                _log.warning("the listen key is not valid any more: %d %s", e.code, e.words)
                await self.drop()
            except TransportError as e:
                _log.warning("the listen key could not be kept: %s", e.problem)
                wait = _RETRY_S
