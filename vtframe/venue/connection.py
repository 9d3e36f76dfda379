"""One client's socket, on the way out: frames are gathered and written in one go; a client that does not read is dropped."""

from __future__ import annotations

import asyncio
import itertools
from typing import NamedTuple

from vtframe.venue.frame import CLOSE, TEXT, Message, frame

_numbers = itertools.count(1)
_REPEAT_S = 0.001


class Tally(NamedTuple):
    """What went out to one client."""

    number: int
    port: int | None  # the client's: by it one knows whose connection this is
    path: str
    sent: int  # messages
    unsent: int  # bytes of them that still waited when the connection was cut


class Connection:
    """Never waits: what the socket does not take stays in the transport's buffer, up to ``limit`` bytes."""

    def __init__(self, transport: asyncio.Transport, *, market: str, path: str, combined: bool, limit: int) -> None:
        self.number = next(_numbers)
        peer = transport.get_extra_info("peername")
        self.port: int | None = peer[1] if peer else None
        self.market = market
        self.path = path
        self.combined = combined
        self.streams: list[str] = []  # as subscribed, for LIST_SUBSCRIPTIONS
        self.heard: list[str] = []  # of them, those that this route serves
        self.sent = 0
        self.unsent = 0
        self.closed = False
        self.deaf = False  # half open: nothing goes in or out, and the socket stays
        self.slow = False  # it was dropped because it did not read
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._waiting: list[bytes] = []
        self._bytes = 0  # in ``_waiting``
        self._held: dict[str, list[bytes]] = {}  # by stream: frames that come after its next one
        self._stalled = False
        self._endless = False  # in a message without an end
        self._silent_until = 0.0

    def send(self, message: Message) -> None:
        """A stream's message; it leaves with the next ``flush``."""
        self.send_raw(message.framed(combined=self.combined))
        if self._held:
            self.let_go(message.stream)

    def send_raw(self, framed: bytes) -> None:
        """A stream's message as bytes."""
        if self.closed or self._is_silent():
            return
        self._add(framed)
        self.sent += 1

    def send_text(self, text: bytes) -> None:
        """An answer, after everything that was sent before it."""
        self.send_frame(frame(text, TEXT))

    def send_frame(self, data: bytes) -> None:
        self._add(data)
        self.flush()

    def hold(self, stream: str, framed: bytes) -> None:
        """A message that comes after the next one of its stream."""
        self._held.setdefault(stream, []).append(framed)

    def let_go(self, stream: str) -> None:
        """The next one of the stream has been sent."""
        for framed in self._held.pop(stream, ()):
            self.send_raw(framed)

    def never_end(self, fragments: bytes) -> None:
        """From here on nothing else is sent, as fast as the client reads, for as long as it stays."""
        self.flush()
        self._endless = True
        self._repeat(fragments)

    def _repeat(self, fragments: bytes) -> None:
        if self.closed or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() < len(fragments):
            self._transport.write(fragments)
        self._loop.call_later(_REPEAT_S, self._repeat, fragments)

    def stall(self, seconds: float) -> None:
        """Nothing leaves for so long; then everything does, in order."""
        if not self._stalled:
            self._stalled = True
            self._loop.call_later(seconds, self._go_on)

    def silence(self, seconds: float) -> None:
        """Stream messages vanish for so long; answers and pings do not."""
        self._silent_until = self._loop.time() + seconds

    def go_deaf(self, seconds: float) -> None:
        """Half open, for ``seconds`` or (0) until the client leaves; at the end the connection is cut."""
        self.deaf = True
        if seconds:
            self._loop.call_later(seconds, self.abort)

    @property
    def tally(self) -> Tally:
        return Tally(self.number, self.port, self.path, self.sent, self.unsent)

    @property
    def unread(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._transport.get_write_buffer_size()

    def write(self, frames: bytes, count: int) -> None:
        """Many messages at once, after what waits."""
        if self.closed or self._is_silent():
            return
        self._add(frames)
        self.sent += count
        self.flush()

    def flush(self) -> None:
        if self._stalled and self._bytes <= self._limit and not self.closed:
            return
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if self.closed or self.deaf or not waiting:
            return
        if self._transport.is_closing():
            self.closed = True
            return
        self._transport.write(b"".join(waiting) if len(waiting) > 1 else waiting[0])
        if self._transport.get_write_buffer_size() > self._limit:
            self.slow = True
            self.abort()

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye as the protocol has it, and close when the buffer is empty."""
        if not self.closed:
            self._stalled = False
            self.send_frame(frame(code.to_bytes(2, "big") + reason.encode(), CLOSE))
            self.closed = True
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection: no goodbye, nothing more is sent."""
        if not self.closed:
            self.unsent = self._bytes + self.unread
        self.closed = True
        self._waiting.clear()
        self._held.clear()
        self._transport.abort()

    def _is_silent(self) -> bool:
        return bool(self._silent_until) and self._loop.time() < self._silent_until

    def _add(self, framed: bytes) -> None:
        if self._endless:
            return
        self._waiting.append(framed)
        self._bytes += len(framed)

    def _go_on(self) -> None:
        self._stalled = False
        self.flush()
