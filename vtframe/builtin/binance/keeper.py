"""Keeps a set of streams coming: connects, connects again, and replaces a connection by another while both run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from vtframe.builtin.binance.back_off import BackOff
from vtframe.builtin.binance.line import Line
from vtframe.builtin.binance.streams import Stream
from vtframe.transport import Library, TransportError

_LOOK_S: Final = 0.01  # between two looks at whether a new connection has what the old one has
_STEADY_S: Final = 10.0  # a connection that lasted so long was a good one


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds."""

    connect: float
    reconnect: float
    reconnect_most: float
    renew: float
    overlap: float


class Keeper:
    """One connection after the other for ``streams``. ``line`` is the one that is up, or was last."""

    def __init__(
        self,
        root: str,
        streams: Sequence[Stream],
        *,
        make_line: Callable[[Sequence[Stream]], Line],
        failed: Callable[[str, str], None],
        now_ns: Callable[[], int],
        generator: np.random.Generator,
        times: Times,
        library: Library,
        receive_buffer: int,
    ) -> None:
        """``failed(root, problem)`` is told of each attempt that came to nothing."""
        self.line: Line | None = None
        self.lines: list[Line] = []  # that are not closed yet
        self.renewals = 0
        self.reconnects = 0
        self._root = root
        self._streams = streams
        self._make_line = make_line
        self._failed = failed
        self._now = now_ns
        self._times = times
        self._generator = generator
        self._back_off = BackOff(generator, first_s=times.reconnect, most_s=times.reconnect_most)
        self._library: Library = library
        self._buffer = receive_buffer

    async def run(self) -> None:
        """Until it is canceled."""
        clock = asyncio.get_running_loop().time
        while True:
            line = await self._open()
            began = clock()
            while line is not None and not line.over:
                line = await self._stay(line)
            if clock() - began >= _STEADY_S:
                self._back_off.reset()
            self.reconnects += 1
            await asyncio.sleep(self._back_off.next_s())

    async def _open(self) -> Line | None:
        """A new line with all streams acknowledged; None where that failed."""
        self.lines = [line for line in self.lines if not line.over]
        line = self._make_line(self._streams)
        self.lines.append(line)
        if self.line is None or self.line.over:
            self.line = line
        times = self._times
        try:
            await line.open(self._root, self._now, library=self._library, receive_buffer=self._buffer, timeout_s=times.connect)
        except TransportError as e:
            self._failed(e.url, e.problem)
            return None
        return line

    async def _stay(self, line: Line) -> Line:
        """Wait until the line is over, or to be replaced; returns the one that is up afterwards (or that one, over)."""
        self.line = line
        try:
            async with asyncio.timeout(self._times.renew * float(self._generator.uniform(0.95, 1.0))):
                await line.wake.wait()
        except TimeoutError:
            line.renew = "its time is nearly up"
        if line.over:
            return line
        line.wake.clear()
        fresh = await self._open()
        if fresh is None:
            line.wake.set()  # try again
            await asyncio.sleep(self._back_off.next_s())
            return line
        await self._overlap(line, fresh)
        self.renewals += 1
        self._back_off.reset()
        line.give_up(f"replaced by connection {fresh.number}: {line.renew}")
        self.line = fresh
        return fresh

    async def _overlap(self, old: Line, fresh: Line) -> None:
        """Return once the new line has brought something of every stream of which the old one still brings something."""
        before = {name: tap.frames for name, tap in old.taps.items()}
        until = asyncio.get_running_loop().time() + self._times.overlap
        while asyncio.get_running_loop().time() < until and not old.over and not fresh.over:
            await asyncio.sleep(_LOOK_S)
            moving = [name for name, tap in old.taps.items() if tap.frames > before[name]]
            if moving and all(fresh.taps[name].frames and fresh.taps[name].held is None for name in moving):
                return
