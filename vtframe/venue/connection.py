"""One client's socket, on the way out: frames are gathered and written in one go; a client that does not read is dropped."""

from __future__ import annotations

import asyncio
import itertools

from vtframe.venue.frame import CLOSE, TEXT, Message, frame

_numbers = itertools.count(1)


class Connection:
    """Never waits: what the socket does not take stays in the transport's buffer, up to ``limit`` bytes."""

    def __init__(self, transport: asyncio.Transport, *, path: str, combined: bool, limit: int) -> None:
        self.number = next(_numbers)
        self.path = path
        self.combined = combined
        self.streams: list[str] = []  # as subscribed, for LIST_SUBSCRIPTIONS
        self.sent = 0
        self.closed = False
        self.slow = False  # it was dropped because it did not read
        self._transport = transport
        self._limit = limit
        self._waiting: list[bytes] = []

    def send(self, message: Message) -> None:
        """A stream's message; it leaves with the next ``flush``."""
        self._waiting.append(message.framed(combined=self.combined))
        self.sent += 1

    def send_text(self, text: bytes) -> None:
        """An answer, after everything that was sent before it."""
        self.send_frame(frame(text, TEXT))

    def send_frame(self, data: bytes) -> None:
        self._waiting.append(data)
        self.flush()

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self.closed or not waiting:
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
            self._waiting.append(frame(code.to_bytes(2, "big") + reason.encode(), CLOSE))
            self.flush()
            self.closed = True
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection: no goodbye, nothing more is sent."""
        self.closed = True
        self._waiting.clear()
        self._transport.abort()
