"""The REST client of orders against a server on loopback that says what a test wants, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from order_venue import KEY, SECRET

from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.builtin.binance.execution.rest import Rest
from vtframe.builtin.binance.execution.server_clock import ServerClock
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.builtin.binance.weights import Weights
from vtframe.clock import LiveClock
from vtframe.secret import Secret


@asynccontextmanager
async def answering(answer: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """The address of a server whose answer to a request is ``answer`` of its head."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def ask(
    base: str,
    question: Callable[[Rest], Awaitable[object]],
    *,
    weights: Weights | None = None,
    learn: Callable[[VenueError], None] = str,
) -> object:
    """What a client with the planted keys hears from ``base``."""
    clock = LiveClock()
    rest = Rest(
        base,
        "usdm",
        signer=Signer(Secret(KEY), Secret(SECRET)),
        clock=ServerClock(clock),
        recv_window_ms=5_000,
        weights=weights or Weights(clock, 2400),
        learn=learn,
    )
    rest.open()
    try:
        return await question(rest)
    finally:
        await rest.close()
