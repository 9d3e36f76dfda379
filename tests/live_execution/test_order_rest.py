"""What the REST requests of orders do with answers that are none: an error of a known kind, and no word to anybody else."""

from __future__ import annotations

import asyncio

import pytest
from odd_answers import ODD
from order_venue import KEY
from rest_client import answering, ask

from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.transport import TransportError


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_so_that_key_and_signature_reach_no_other_address(status: int) -> None:
    elsewhere: list[bytes] = []

    def remember(head: bytes) -> bytes:
        elsewhere.append(head)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    async def play() -> None:
        async with answering(remember) as other:
            asked: list[bytes] = []

            def redirect(head: bytes) -> bytes:
                asked.append(head)
                return f"HTTP/1.1 {status} X\r\nLocation: {other}/x\r\nContent-Length: 0\r\n\r\n".encode()

            async with answering(redirect) as first:
                with pytest.raises(TransportError, match=f"elsewhere .status {status}.") as caught:
                    await ask(first, lambda rest: rest.account())
            assert KEY.encode() in asked[0]
            assert b"signature=" in asked[0]
            assert "signature=" not in str(caught.value)

    asyncio.run(play())
    assert elsewhere == []


@pytest.mark.parametrize("answer", ODD, ids=range(len(ODD)))
def test_what_is_no_answer_is_an_error_of_a_known_kind(answer: bytes) -> None:
    async def play() -> None:
        async with answering(lambda _: answer) as base:
            with pytest.raises((TransportError, VenueError)):
                await ask(base, lambda rest: rest.account())

    asyncio.run(play())
