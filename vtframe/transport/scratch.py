"""A connection of this process with itself, for what is rehearsed: the kernel carries it as it carries an order, and it goes
nowhere."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Final

_MOST: Final = 65536


class ScratchSocket:
    """Both ends of a TCP connection over loopback. Raises OSError where there is no loopback."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
            self._near = socket.create_connection(server.getsockname())
            self._far, _ = server.accept()
        for end in (self._near, self._far):
            end.setblocking(False)  # noqa: FBT003 - the socket module takes it so
        self._near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out = self._near.fileno()

    def write(self, data: bytes) -> None:
        """Send, and throw away what has arrived."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._out, data)
        with contextlib.suppress(BlockingIOError):
            self._far.recv(_MOST)

    def close(self) -> None:
        self._near.close()
        self._far.close()
