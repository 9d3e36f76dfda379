"""A connection and its successor: the second is made ready while the first works, takes its place, and the first waits for what
it still owes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Generic, Protocol, TypeVar

from vtframe.transport import TransportError

_LOOK_S: Final = 0.01
_LINGER_S: Final = 1.0  # user data of before may still come on the old one; what comes on both is known by its trade ID
_log = logging.getLogger("vtframe.execution")


class Replaceable(Protocol):
    """A connection that is opened, and closed for good."""

    @property
    def is_open(self) -> bool: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...


T = TypeVar("T", bound=Replaceable)


class Succession(Generic[T]):
    """``current`` is the one in use. ``make`` is given whom a new one tells its end; ``over`` hears of the current one's alone.

    ``begin`` is what is said on a connection before it is used. ``due(old)`` is asked at the moment of a change: the answer
    says whether ``old`` still owes something, and is asked until it does not, or ``patience_s`` are over.
    """

    def __init__(
        self,
        make: Callable[[Callable[[str], None]], T],
        *,
        begin: Callable[[T], Awaitable[None]] | None = None,
        due: Callable[[T], Callable[[], bool]] | None = None,
        patience_s: float = 0,
    ) -> None:
        self.over: Callable[[str], None] = _nobody
        self._construct = make
        self._begin = begin
        self._due = due
        self._patience = max(patience_s, _LINGER_S)
        self._retiring: set[asyncio.Task[None]] = set()
        self.current = self._make()

    async def open(self) -> None:
        """The current one, for the first time or again. Raises TransportError or VenueError."""
        await self._ready(self.current)

    async def replace(self) -> None:
        """Another takes its place. Raises TransportError or VenueError, and then nothing has changed."""
        fresh = self._make()
        await self._ready(fresh)
        if not fresh.is_open:  # it ended with the last answer
            raise TransportError("the new connection", "ended before it was used")
        old, self.current = self.current, fresh
        task = asyncio.create_task(self._retire(old, _nothing if self._due is None else self._due(old)))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def close(self) -> None:
        """All of them."""
        retiring = tuple(self._retiring)
        for task in retiring:
            task.cancel()
        await asyncio.gather(*retiring, return_exceptions=True)
        await self.current.close()

    def _make(self) -> T:
        line = self._construct(lambda reason: self._ended(line, reason))
        return line

    def _ended(self, line: T, reason: str) -> None:
        if line is self.current:
            self.over(reason)

    async def _ready(self, line: T) -> None:
        await line.open()
        try:
            if self._begin is not None:
                await self._begin(line)
        except BaseException:
            await line.close()
            raise

    async def _retire(self, old: T, owes: Callable[[], bool]) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            while old.is_open and clock() - began < (self._patience if owes() else _LINGER_S):
                await asyncio.sleep(_LOOK_S)
            if owes():
                _log.warning("a connection was replaced, and ended before all of its answers had come")
        finally:
            await old.close()


def _nobody(reason: str) -> None:
    """Until a leg takes it."""


def _nothing() -> bool:
    return False
