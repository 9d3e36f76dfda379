"""Pings of a server are answered and counted, and no frame between the parts of a message hides its size."""

from __future__ import annotations

import asyncio

import pytest
from test_fragments import FIRST, LAST, LIBRARIES, MORE, WHOLE, Inbox, part, sending

from vtframe.transport import Library, connect

PING, PONG = b"\x89\x05alive", b"\x8a\x05alive"


@pytest.mark.parametrize("library", LIBRARIES)
def test_pings_are_counted_and_come_between_the_parts_of_a_message(library: Library) -> None:
    pieces = [PING, part(FIRST, b"a"), PING * 3, part(LAST, b"b"), PONG, PING, WHOLE]

    async def main() -> tuple[list[bytes], int]:
        async with sending(*pieces) as url, asyncio.timeout(20):
            inbox = Inbox()
            connection = await connect(url, inbox, lambda: 7, library=library)
            while len(inbox.messages) < 2:
                await asyncio.sleep(0.005)
            pings = connection.pings()
            await connection.close()
            return inbox.messages, pings

    assert asyncio.run(main()) == ([b"ab", b"whole"], 5)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("between", [PING, PONG])
def test_the_size_of_a_message_is_that_of_all_its_parts_whatever_comes_between(library: Library, between: bytes) -> None:
    pieces = [part(FIRST, b"x" * 100), *[between + part(MORE, b"x" * 100)] * 30, part(LAST, b"x")]

    async def main() -> list[bytes]:
        async with sending(b"".join(pieces)) as url, asyncio.timeout(20):
            inbox = Inbox()
            connection = await connect(url, inbox, lambda: 7, library=library, limit=1_000)
            await asyncio.sleep(0.3)
            await connection.close()
            await inbox.over
            return inbox.messages

    assert asyncio.run(main()) == []
