"""Gets one book live: subscribed first, then a snapshot that joins the diffs that waited for it. The others go on meanwhile."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from vtframe.api import BookWatch
from vtframe.builtin.binance.back_off import BackOff
from vtframe.builtin.binance.known import SPOT
from vtframe.builtin.binance.notes import snapshot_envelope
from vtframe.builtin.binance.rest import RestError
from vtframe.builtin.binance.streams import NO_ID, Stream
from vtframe.domain import BookState, Instrument, SequenceRule

_LAST_ID: Final = re.compile(rb'\s*\{\s*"lastUpdateId"\s*:\s*(\d{1,19})\s*[,}]')


def last_update_id(body: bytes) -> int:
    """Of a snapshot; NO_ID where it does not begin with one."""
    found = _LAST_ID.match(body)
    return NO_ID if found is None else int(found[1])


def joins(rule: SequenceRule, snapshot_id: int, first_id: int, previous_id: int) -> bool:
    """Whether nothing is missing between a snapshot and the oldest diff that waits for it."""
    if rule is SequenceRule.PREVIOUS:
        return first_id <= snapshot_id or 0 <= previous_id <= snapshot_id
    return first_id <= snapshot_id + 1


class Resync:
    """One instrument's book. ``get(symbol)`` answers a snapshot's body, ``deliver`` hands a message to the session, ``failed``
    is told why there was no snapshot. ``wake`` may be called at any time, and often."""

    def __init__(
        self,
        index: int,
        instrument: Instrument,
        streams: Sequence[Stream],
        *,
        books: BookWatch,
        get: Callable[[str], Awaitable[bytes]],
        deliver: Callable[[bytes], None],
        failed: Callable[[str], None],
        back_off: BackOff,
        now_ns: Callable[[], int],
    ) -> None:
        self.instrument = instrument
        self.depth = next(stream for stream in streams if stream.kind == "depth")
        self.too_old = 0  # snapshots that would have left a hole
        self.synced = 0  # times that the book became live
        self.mended: list[
            tuple[int, int]
        ] = []  # ns from a gap to a live book, and of its snapshot's round trip; the newest 1,000
        self._gap_ns: int | None = None  # monotonic: when a gap was seen that one snapshot may mend
        self._now = now_ns
        self._index = index
        self._streams = streams
        self._rule = SequenceRule.NEXT if instrument.venue == SPOT else SequenceRule.PREVIOUS
        self._books = books
        self._get = get
        self._deliver = deliver
        self._failed = failed
        self._back_off = back_off
        self._wake = asyncio.Event()

    def wake(self, *, gap: bool = False) -> None:
        """The book may need a snapshot, or may get one now. ``gap``: its own frames have just said so."""
        if not self.ready:
            self._gap_ns = None  # a connection has to come first: no snapshot alone mends it
        elif gap and self._gap_ns is None and not self.live:
            self._gap_ns = self._now()
        self._wake.set()

    @property
    def live(self) -> bool:
        return self._books.state(self._index) is BookState.LIVE

    @property
    def ready(self) -> bool:
        """Whether a book that becomes live now would stay right: all its streams are carried, and diffs have come."""
        return self.depth.verified and all(stream.carried for stream in self._streams)

    async def run(self) -> None:
        """Until it is canceled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while not self.live and self.ready and not await self._once():
                await asyncio.sleep(self._back_off.next_s())

    async def _once(self) -> bool:
        """Ask for a snapshot and hand it on; whether there is nothing more to do."""
        asked_ns = self._now()
        try:
            body = await self._get(self.instrument.symbol)
        except RestError as e:
            self._gap_ns = None
            self._failed(e.problem)
            return False
        round_trip = self._now() - asked_ns
        if self.live or not self.ready:
            return True
        at = last_update_id(body)
        waiting = self._books.oldest_waiting(self._index)
        whole = at >= self.depth.last if waiting is None else joins(self._rule, at, *waiting)
        if at != NO_ID and not whole:
            self.too_old += 1
            self._gap_ns = None
            return False
        self._deliver(snapshot_envelope(self.instrument.symbol, body))
        if not self.live:
            return False
        self.synced += 1
        self._back_off.reset()
        if self._gap_ns is not None:
            self.mended = [*self.mended[-999:], (self._now() - self._gap_ns, round_trip)]
            self._gap_ns = None
        return True
