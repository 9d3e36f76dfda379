"""WebSocket frames as bytes, made once and sent to every subscriber. A server's frames are not masked (RFC 6455, 5.1)."""

from __future__ import annotations

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


def frame(payload: bytes, first_byte: int = TEXT) -> bytes:
    """One whole frame."""
    size = len(payload)
    if size < 126:
        return bytes((first_byte, size)) + payload
    if size < 65536:
        return bytes((first_byte, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first_byte, 127)) + size.to_bytes(8, "big") + payload


class Message:
    """One payload of one stream, framed at most once bare and once in a combined stream's envelope."""

    __slots__ = ("_bare", "_combined", "name", "payload", "stream")

    def __init__(self, stream: str, payload: str, *, name: str = "") -> None:
        self.stream = stream
        self.name = name or stream  # what faults know it by
        self.payload = payload
        self._bare: bytes | None = None
        self._combined: bytes | None = None

    def text(self, *, combined: bool) -> bytes:
        if combined:
            return f'{{"stream":"{self.stream}","data":{self.payload}}}'.encode()
        return self.payload.encode()

    def framed(self, *, combined: bool) -> bytes:
        if combined:
            if self._combined is None:
                self._combined = frame(self.text(combined=True))
            return self._combined
        if self._bare is None:
            self._bare = frame(self.text(combined=False))
        return self._bare
