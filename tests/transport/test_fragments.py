"""Messages in parts, from a server that writes its frames itself: as many as are sensible, and no more."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from vtframe.transport import Library, connect
from vtframe.transport.fragments import MOST, Fragments, TooManyFragmentsError

LIBRARIES: tuple[Library, ...] = ("websockets", "picows")
FIRST, MORE, LAST = b"\x01", b"\x00", b"\x80"  # a text that goes on, and its parts
EMPTY = MORE + b"\x00"
WHOLE = b"\x81\x05whole"


def part(kind: bytes, data: bytes) -> bytes:
    return kind + bytes([len(data)]) + data


class Inbox:
    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_message(self, data: bytes, ts_recv: int) -> None:
        self.messages.append(data)

    def on_close(self, reason: str) -> None:
        self.over.set_result(reason)


@asynccontextmanager
async def sending(*pieces: bytes) -> AsyncIterator[str]:
    """The address of a server that shakes hands, writes ``pieces``, and waits for the client to go."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)sec-websocket-key: (\S+)", head)
        assert found is not None
        proof = base64.b64encode(hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324
        writer.write(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + proof)
        writer.write(b"\r\n\r\n")
        with suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            while await reader.read(1 << 16):
                pass
        writer.close()
        gone.set()

    gone = asyncio.Event()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await asyncio.wait_for(gone.wait(), 20)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("at_once", [True, False])
def test_parts_without_end_and_without_a_byte_end_the_connection(library: Library, at_once: bool) -> None:  # noqa: FBT001
    pieces = [part(FIRST, b"a"), *[EMPTY * 1_000] * 20, part(LAST, b"c"), WHOLE]

    async def main() -> tuple[str, list[bytes]]:
        async with sending(*([b"".join(pieces)] if at_once else pieces)) as url, asyncio.timeout(20):
            inbox = Inbox()
            connection = await connect(url, inbox, lambda: 7, library=library)
            reason = await inbox.over
            await connection.close()
            return reason, inbox.messages

    reason, messages = asyncio.run(main())
    assert f"a message in more than {MOST} fragments" in reason
    assert messages == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_as_many_parts_as_are_allowed_are_one_message(library: Library) -> None:
    pieces = [part(FIRST, b"a"), EMPTY * (MOST - 3), part(MORE, b"b"), part(LAST, b"c"), WHOLE]

    async def main() -> list[bytes]:
        async with sending(*pieces) as url, asyncio.timeout(20):
            inbox = Inbox()
            connection = await connect(url, inbox, lambda: 7, library=library)
            while len(inbox.messages) < 2:
                await asyncio.sleep(0.005)
            await connection.close()
            return inbox.messages

    assert asyncio.run(main()) == [b"abc", b"whole"]


def test_what_was_too_much_is_forgotten() -> None:
    fragments = Fragments()
    fragments.begin(b"")
    for _ in range(MOST - 1):
        fragments.add(b"")
    with pytest.raises(TooManyFragmentsError):
        fragments.add(b"")
    assert fragments.whole() == b""
