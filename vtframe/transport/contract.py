"""What a transport is: it brings messages and the time at which they left the socket, and nothing else."""

from __future__ import annotations

from typing import Protocol

from vtframe.errors import VtframeError

MESSAGE_LIMIT = 8 << 20  # bytes; a venue's largest snapshot is a tenth of it


class TransportError(VtframeError):
    """A connection could not be made: ``url`` names it, ``problem`` says why."""

    def __init__(self, url: str, problem: str) -> None:
        self.url = url
        self.problem = problem
        super().__init__(f"{url}: {problem}")


class Receiver(Protocol):
    """Who gets the messages. Called in the event loop's thread; what it does, the next message waits for."""

    def on_message(self, data: bytes, ts_recv: int) -> None:
        """One whole message. ``ts_recv``: ns UTC when its last bytes left the socket."""
        ...

    def on_close(self, reason: str) -> None:
        """The connection is over; called once, and nothing follows."""
        ...


class Connection(Protocol):
    """An open connection."""

    def send(self, text: str) -> None:
        """Send one text message; raises TransportError once the connection is over."""
        ...

    def rehearse(self, text: str) -> None:
        """Do what ``send`` does, as far as can be, and send nothing: its code is in the caches when something is sent."""
        ...

    def unread(self) -> int:
        """Bytes that wait in the socket's receive buffer; 0 once it is closed."""
        ...

    def pings(self) -> int:
        """How many pings of the server's have come; they are answered."""
        ...

    def size_buffer(self, size: int) -> None:
        """Ask for a receive buffer of so many bytes; 0 leaves it as it is."""
        ...

    def buffer(self) -> int:
        """Bytes of the receive buffer that there is; 0 once it is closed."""
        ...

    async def close(self) -> None:
        """Close in order; returns when the connection is over (or after a few seconds, by force)."""
        ...
