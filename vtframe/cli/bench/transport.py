"""Bench of the transports: processor time to receive one message, beside the library's own ``async for``."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from websockets.asyncio.client import connect as library_connect

from vtframe.cli.bench.rows import Row, time_row
from vtframe.transport import Library, connect

_MESSAGES = 40_000
_BYTES = 1_500
_REPEATS = 5

_SERVER = f"""
import asyncio, struct
from websockets.asyncio.server import serve
frame = b"\\x81\\x7e" + struct.pack(">H", {_BYTES}) + b"x" * {_BYTES}
async def handler(client):
    await client.recv()
    for _ in range({_MESSAGES} // 100):
        client.transport.write(frame * 100)
        await asyncio.sleep(0)
        while client.transport.get_write_buffer_size() > 1 << 20:
            await asyncio.sleep(0.001)
    await client.wait_closed()
async def main():
    async with serve(handler, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
"""


class _Counter:
    """A receiver that counts."""

    def __init__(self) -> None:
        self.count = 0
        self.all = asyncio.Event()

    def on_message(self, data: bytes, ts_recv: int) -> None:
        self.count += 1
        if self.count == _MESSAGES:
            self.all.set()

    def on_close(self, reason: str) -> None:
        self.all.set()


def run(say: Callable[[str], None]) -> Iterator[Row]:
    """One row for each library."""
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    try:
        if server.stdout is None:
            raise OSError("the bench's server has no output")
        url = f"ws://127.0.0.1:{int(server.stdout.readline())}"
        libraries: tuple[Library, ...] = ("websockets", "picows")
        times: dict[Library, list[float]] = {library: [] for library in libraries}
        plain: list[float] = []
        for _ in range(_REPEATS):
            for library in libraries:
                times[library].append(asyncio.run(_ours(url, library)))
            plain.append(asyncio.run(_theirs(url)))
    finally:
        server.kill()
        server.communicate()
    say(f"{_MESSAGES:,} messages of {_BYTES:,} bytes from another process, {_REPEATS} times each in turn")
    for library in libraries:
        yield time_row(f"transport: {library}, processor time a message", "us", times[library], "websockets' async for", plain)


async def _ours(url: str, library: Library) -> float:
    counter = _Counter()
    connection = await connect(url, counter, time.perf_counter_ns, library=library)
    before = time.process_time_ns()
    connection.send("go")
    await counter.all.wait()
    spent = time.process_time_ns() - before
    await connection.close()
    if counter.count != _MESSAGES:
        raise OSError(f"{counter.count} of {_MESSAGES} messages arrived")
    return spent / 1e3 / _MESSAGES


async def _theirs(url: str) -> float:
    count = 0
    async with library_connect(url, compression=None) as client:
        before = time.process_time_ns()
        await client.send("go")
        async for _ in client:
            count += 1
            if count == _MESSAGES:
                break
        return (time.process_time_ns() - before) / 1e3 / _MESSAGES
