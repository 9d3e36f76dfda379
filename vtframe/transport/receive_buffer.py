"""The kernel's buffer behind a socket: what is asked for, what there is, and what waits in it.

A kernel grows the buffer of a busy socket by itself, and stops to once somebody sets a size; and it may give less than it was
asked for, without a word. So a size is set only where the socket gets all of it, or more than it could grow to.
"""

from __future__ import annotations

import logging
import socket
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

if sys.platform != "win32":
    import fcntl
    import termios

_LIMITS: Final = Path("/proc/sys/net/ipv4/tcp_rmem")  # Linux: least, at first, most
_log = logging.getLogger("vtframe.transport")


def size_buffer(sock: Any, size: int) -> None:
    """Ask for a receive buffer of so many bytes; 0 leaves it as it is, and so does a kernel that would give less than there is
    to be had without asking, which is told."""
    if sock is None or not size or size_of_buffer(sock) >= size:
        return
    given, grown = _given(sock.family, size), _grows_to()
    if given >= min(size, max(grown, size_of_buffer(sock))):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    if given < size:
        _warn(size, given, grown)


def size_of_buffer(sock: Any) -> int:
    """Bytes that the kernel keeps for what was not read, its own bookkeeping included; 0 once the socket is closed."""
    if sock is None or sock.fileno() < 0:
        return 0
    try:
        size: int = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    except OSError:
        return 0
    return size


def count_unread(sock: Any) -> int:
    """Bytes that wait in a socket; 0 where the platform cannot tell, or it is closed."""
    if sys.platform == "win32" or sock is None or (number := sock.fileno()) < 0:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(number, termios.FIONREAD, bytes(4)), "little")
    except OSError:
        return 0


def _given(family: int, size: int) -> int:
    """What the kernel makes of such a wish, asked with a socket that nobody uses."""
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        return probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def _grows_to() -> int:
    """What a socket's buffer may grow to by itself; 0 where the system does not say."""
    try:
        return int(_LIMITS.read_text().split()[2])
    except (OSError, ValueError, IndexError):
        return 0


@cache
def _warn(size: int, given: int, grown: int) -> None:
    """Once, however many sockets it is true of."""
    words = "a receive buffer of %d bytes was asked for, and this system gives at most %d: raise net.core.rmem_max"
    _log.warning(words, size, max(given, grown))
