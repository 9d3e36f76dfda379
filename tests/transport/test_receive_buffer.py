"""A receive buffer is asked for where that makes it larger; what a kernel did not give is told."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest
from test_fragments import WHOLE, Inbox, sending

from vtframe.transport import Library, connect, receive_buffer
from vtframe.transport.receive_buffer import size_buffer, size_of_buffer

LIBRARIES: tuple[Library, ...] = ("websockets", "picows")


class Kernel:
    """One that gives as much as it likes; and a socket of it."""

    family = socket.AF_INET

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, now: int, most: int, grows_to: int) -> None:
        self.size, self.most, self.asked = now, most, 0
        monkeypatch.setattr(receive_buffer, "_given", lambda _, size: self._makes(size))
        monkeypatch.setattr(receive_buffer, "_grows_to", lambda: grows_to)
        receive_buffer._warn.cache_clear()

    def fileno(self) -> int:
        return 7

    def getsockopt(self, *_: int) -> int:
        return self.size

    def setsockopt(self, _level: int, _name: int, size: int) -> None:
        self.asked, self.size = size, self._makes(size)

    def _makes(self, size: int) -> int:
        return 2 * min(size, self.most)


@pytest.mark.parametrize(
    ("system", "becomes", "warned"),
    [
        ({"now": 131_072, "most": 4 << 20, "grows_to": 6 << 20}, (4 << 20, 8 << 20), False),  # it gives what is asked for
        ({"now": 131_072, "most": 212_992, "grows_to": 6 << 20}, (0, 131_072), True),  # less than the socket may grow to
        ({"now": 131_072, "most": 212_992, "grows_to": 262_144}, (4 << 20, 425_984), True),  # more than there would be
        ({"now": 600_000, "most": 212_992, "grows_to": 0}, (0, 600_000), True),  # less than there is
        ({"now": 9 << 20, "most": 4 << 20, "grows_to": 6 << 20}, (0, 9 << 20), False),  # there is enough
    ],
)
def test_a_buffer_is_set_where_it_gets_larger_and_left_alone_elsewhere(
    system: dict[str, int],
    becomes: tuple[int, int],
    warned: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kernel = Kernel(monkeypatch, **system)
    with caplog.at_level(logging.WARNING, "vtframe.transport"):
        for _ in range(3):
            size_buffer(kernel, 4 << 20)
    assert (kernel.asked, kernel.size) == becomes
    assert len(caplog.messages) == warned, "once, however many sockets there are"
    if warned:
        assert "net.core.rmem_max" in caplog.messages[0]


def test_nothing_is_asked_where_nothing_is_wanted() -> None:
    with socket.socket() as one:
        before = size_of_buffer(one)
        size_buffer(one, 0)
        assert size_of_buffer(one) == before > 0
    assert size_of_buffer(one) == 0
    assert size_of_buffer(None) == 0


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_connection_tells_the_buffer_that_it_has(library: Library) -> None:
    async def main() -> tuple[int, int, int]:
        async with sending(WHOLE) as url:
            connection = await connect(url, Inbox(), lambda: 7, library=library, receive_buffer=300_000)
            told, read = connection.buffer(), _read_back(connection)
            await connection.close()
            return told, read, connection.buffer()

    told, read, afterwards = asyncio.run(main())
    assert told == read > 0
    assert afterwards == 0


def _read_back(connection: Any) -> int:
    size: int = connection._socket().getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    return size
