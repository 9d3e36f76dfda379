"""One market connection that is kept up: watched for silence, and made again after growing, jittered waits.

What a live feed is built on. The socket's bytes go to the sink as they are; a connection that ends is told, and every book that
lived on it waits for a snapshot from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from vtframe.api.source import FeedSink
from vtframe.clock import Clock
from vtframe.domain import EventFlag, EventKind, FrameKind, Records
from vtframe.errors import VtframeError
from vtframe.transport import MESSAGE_LIMIT, Connection, Library, TransportError, connect

TURN_S = 0.05  # between two looks at whether the session wants to stop, and whether the socket is silent
_SECRET = 8  # characters of a header's word that may be a key
JITTER = 0.25  # of a wait, either way: clients that lost one venue do not all come back at once


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    """How a connection is kept up; a table in a feed's settings."""

    silence_s: Annotated[float, Meta(gt=0)] = 30.0  # a socket that says nothing for so long is taken for dead
    connect_s: Annotated[float, Meta(gt=0)] = 10.0  # for the connection and its handshake
    first_wait_s: Annotated[float, Meta(gt=0)] = 0.5  # doubled after every connection that brought nothing
    longest_wait_s: Annotated[float, Meta(gt=0)] = 30.0
    library: Library = "websockets"
    receive_buffer: Annotated[int, Meta(ge=0, le=1 << 30)] = 4 << 20  # bytes; 0: what the kernel makes it

    def wait_s(self, failures: int, random: np.random.Generator) -> float:
        """Before the next attempt, after so many in a row that brought nothing."""
        whole = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(failures, 32))
        return float(whole * random.uniform(1 - JITTER, 1 + JITTER))


class Link:
    """Connects to ``url``, sends what ``greeting`` says, and hands every message on until the sink is stopping.

    ``instruments`` are those whose books live on this connection: when it ends, ``on_lost`` is called with the reason and the
    time and says so in the venue's form (so that a recording says it, too); by default STATUS frames do. ``receive`` takes
    the messages in the sink's place; ``on_turn`` is called some times a second while the connection is up. ``refusal`` may
    turn an attempt that failed into an error that ends the feed (a key that is not accepted does not become right by
    waiting). ``seed`` fixes the jitter.
    """

    def __init__(
        self,
        url: str,
        sink: FeedSink,
        clock: Clock,
        *,
        greeting: Callable[[], Iterable[str]],
        instruments: Sequence[int] = (),
        upkeep: Upkeep | None = None,
        connection: int = 0,
        headers: Mapping[str, str] | None = None,
        receive: Callable[[bytes, int], None] | None = None,
        on_lost: Callable[[str, int], None] | None = None,
        on_turn: Callable[[], None] | None = None,
        refusal: Callable[[TransportError], VtframeError | None] | None = None,
        seed: int | None = None,
        limit: int = MESSAGE_LIMIT,
    ) -> None:
        self.url = url
        self.upkeep = upkeep or Upkeep()
        self.connections = 0  # that were made
        self.up = False
        self.most_unread = 0  # bytes that were seen waiting in the socket
        self.buffer = 0  # bytes that the kernel keeps for them
        self._sink = sink
        self._clock = clock
        self._greeting = greeting
        self._instruments = tuple(instruments)
        self._number = connection
        self._headers = dict(headers or {})
        self._receive = receive or self._hand_on
        self._on_lost = on_lost or self._tell_lost
        self._on_turn = on_turn
        self._refusal = refusal
        self._random = np.random.default_rng(seed)
        self._limit = limit
        self._told_down = False
        self._latest = 0  # arrival of the newest message: a machine's clock that is set back does not take it back
        self._heard_at = 0.0
        self._heard = False
        self._open: Connection | None = None
        self._over: asyncio.Future[str] | None = None

    def send(self, text: str) -> bool:
        """Send to the venue; False where there is no connection (the greeting says all of it again)."""
        if self._open is None:
            return False
        try:
            self._open.send(text)
        except TransportError:
            return False  # it is ending; that is told in on_close
        return True

    def renew(self, reason: str) -> None:
        """End the connection, as if the venue had: it is made again, and everything is asked for anew."""
        if self._over is not None and not self._over.done():
            self._over.set_result(reason)

    async def run(self) -> None:
        """Until the sink is stopping. Raises what ``refusal`` returns, and what the sink raises."""
        work = asyncio.create_task(self._keep_up())
        try:
            while not (self._sink.stopping or work.done()):
                await asyncio.wait({work}, timeout=TURN_S)
                self._watch()
        finally:
            if not work.done():
                work.cancel()
            outcome = (await asyncio.gather(work, return_exceptions=True))[0]
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome

    def on_message(self, data: bytes, ts_recv: int) -> None:
        """As a transport's receiver."""
        if self._over is None or self._over.done():
            return  # it was given up; what still comes belongs to nothing
        self._heard = True
        self._heard_at = asyncio.get_running_loop().time()
        self._latest = max(self._latest, ts_recv)
        if self._sink.stopping:
            return
        try:
            if not self.up:
                self._tell_up()  # the venue spoke with its handshake
            self._receive(data, self._latest)
        except Exception as e:  # noqa: BLE001 - the event loop would only log it: it ends the feed
            self._over.set_exception(e)

    def on_close(self, reason: str) -> None:
        """As a transport's receiver."""
        self.renew(reason)

    async def _keep_up(self) -> None:
        failures = 0
        while True:
            self._heard = False
            await self._once()
            failures = 0 if self._heard else failures + 1
            await asyncio.sleep(self.upkeep.wait_s(max(0, failures - 1), self._random))

    async def _once(self) -> None:
        """One connection, from its first packet to its end."""
        over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._over = over
        try:
            async with asyncio.timeout(self.upkeep.connect_s):
                opened = await connect(
                    self.url,
                    self,
                    self._clock.now_ns,
                    library=self.upkeep.library,
                    headers=self._headers,
                    limit=self._limit,
                    receive_buffer=self.upkeep.receive_buffer,
                )
        except TimeoutError:
            self._tell_down(f"no answer to the handshake within {self.upkeep.connect_s:g} s")
            return
        except TransportError as e:
            e = TransportError(e.url, self._without_secrets(e.problem))
            error = self._refusal(e) if self._refusal is not None else None
            if error is not None:
                raise error from None
            self._tell_down(e.problem)
            return
        reason = "stopped"
        try:
            if not self.up:
                self._tell_up()
            self._open = opened
            for text in self._greeting():
                self.send(text)
            reason = await over
        finally:
            self._open = None
            try:
                if not self._sink.stopping:
                    self._tell_down(reason)
            finally:
                await opened.close()

    def report(self) -> dict[str, int]:
        """Numbers for a feed's ``report``."""
        return {
            "connections": self.connections,
            "most_unread_bytes": self.most_unread,
            "receive_buffer_bytes": self.buffer,
        }

    def _watch(self) -> None:
        if self._open is not None:
            self.most_unread = max(self.most_unread, self._open.unread())
            self.buffer = self._open.buffer() or self.buffer
        silent = asyncio.get_running_loop().time() - self._heard_at
        if self._open is not None and silent > self.upkeep.silence_s:
            self.renew(f"silent for {self.upkeep.silence_s:g} s")
        elif self._open is not None and self._on_turn is not None:
            self._on_turn()

    def _tell_up(self) -> None:
        self.connections += 1
        self.up = True
        self._told_down = False
        self._heard_at = asyncio.get_running_loop().time()
        self._sink.on_connection(self._number, up=True)

    def _tell_down(self, reason: str) -> None:
        """Once, however many attempts fail after it."""
        if self._told_down:
            return
        self._told_down = True
        was_up, self.up = self.up, False
        self._sink.on_connection(self._number, up=False, reason=reason)
        if was_up:
            self._latest = max(self._latest, self._clock.now_ns())
            self._on_lost(reason, self._latest)

    def _without_secrets(self, text: str) -> str:
        """What a library says of a request may quote it, headers and all."""
        for value in self._headers.values():
            for part in (value, *value.split()):
                if len(part) >= _SECRET:
                    text = text.replace(part, "(hidden)")
        return text

    def _hand_on(self, data: bytes, ts_recv: int) -> None:
        self._sink.on_message(data, ts_recv, connection=self._number)

    def _tell_lost(self, reason: str, ts: int) -> None:
        if self._instruments:
            self._sink.on_records(lost(self._instruments, ts, connection=self._number))


def lost(instruments: Iterable[int], ts: int, *, connection: int = 0) -> Records:
    """A STATUS frame with a GAP for each instrument: whatever its book says, something after it is missing."""
    records = Records()
    for instrument in instruments:
        event = (0, ts, 0, 0, 0, instrument, int(EventFlag.GAP | EventFlag.LAST), int(EventKind.STATUS), 0)
        records.append(kind=int(FrameKind.STATUS), instrument=instrument, events=[event], ts_recv=ts, connection=connection)
    return records
