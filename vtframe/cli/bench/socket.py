"""Bench of a live feed's whole way: bytes that another process writes to a socket, to rows of twelve features."""

from __future__ import annotations

import asyncio
import importlib.util
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from vtframe.cli.bench.feature_sets import twelve_features
from vtframe.cli.bench.material import Material
from vtframe.cli.bench.rows import Row, rate_row
from vtframe.clock import InputClock, LiveClock
from vtframe.engine.engine import Engine
from vtframe.engine.meters import Meters
from vtframe.errors import InvariantError
from vtframe.features.pipeline import Pipeline
from vtframe.inference.age import Arrivals
from vtframe.journal.writer import JournalWriter
from vtframe.transport import Library, connect

_REPEATS: Final = 5
_CHUNK: Final = 1 << 18  # bytes that the server writes at once
_SERVER = f"""
import asyncio, mmap, sys
from websockets.asyncio.server import serve
frames = memoryview(open(sys.argv[1], "rb").read())
async def handler(client):
    await client.recv()
    for first in range(0, len(frames), {_CHUNK}):
        client.transport.write(frames[first : first + {_CHUNK}])
        while client.transport.get_write_buffer_size() > 4 * {_CHUNK}:
            await asyncio.sleep(0.0005)
    await client.wait_closed()
async def main():
    async with serve(handler, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
"""


class _Taker(Protocol):
    def on_message(self, data: bytes, ts_recv: int) -> None: ...


class _Counting:
    """Hands on, and counts; ``all`` is set with the last message."""

    def __init__(self, expected: int, taker: _Taker | None) -> None:
        self.count = 0
        self.all = asyncio.Event()
        self._expected = expected
        self._take = taker.on_message if taker is not None else None

    def on_message(self, data: bytes, ts_recv: int) -> None:
        self.count += 1
        if self._take is not None:
            self._take(data, ts_recv)
        if self.count == self._expected:
            self.all.set()

    def on_close(self, reason: str) -> None:
        self.all.set()


def run(material: Material, say: Callable[[str], None]) -> Iterator[Row]:
    """One row for each transport that is installed; none where the recording has no messages of its own."""
    if material.codec is None:
        return
    libraries: list[Library] = ["websockets"]
    if importlib.util.find_spec("picows") is not None:
        libraries.append("picows")
    count = len(material.messages)
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) / "frames"
        frames.write_bytes(b"".join(_frame(data) for data, _ in material.messages))
        server = subprocess.Popen([sys.executable, "-c", _SERVER, str(frames)], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
        try:
            if server.stdout is None:
                raise InvariantError("the bench's server has no output")
            url = f"ws://127.0.0.1:{int(server.stdout.readline())}"
            whole: dict[Library, list[float]] = {library: [] for library in libraries}
            bare: dict[Library, list[float]] = {library: [] for library in libraries}
            for repeat in range(_REPEATS):
                for library in libraries:
                    engine = _engine(material, Path(folder) / f"{library}{repeat}")
                    whole[library].append(count / asyncio.run(_receive(url, library, count, engine)) / 1e3)
                    _check(engine, count)
                    bare[library].append(count / asyncio.run(_receive(url, library, count, None)) / 1e3)
        finally:
            server.kill()
            server.communicate()
    say(f"{count:,} recorded messages through a socket, {_REPEATS} times for each transport, by processor time")
    for library in libraries:
        name = f"live: socket to rows of 12 features, {library}"
        yield rate_row(name, "k frames/s", whole[library], "receiving alone, the same library", bare[library])


def _frame(data: bytes) -> bytes:
    """One text message as a server sends it."""
    size = len(data)
    if size < 126:
        return b"\x81" + bytes((size,)) + data
    return b"\x81\x7e" + struct.pack(">H", size) + data if size < 1 << 16 else b"\x81\x7f" + struct.pack(">Q", size) + data


def _engine(material: Material, folder: Path) -> Engine:
    """The engine of a session without models and lanes."""
    pipeline = Pipeline(twelve_features(), material.instruments, material.rules)
    meters = Meters()
    journal = JournalWriter(folder, session_id="bench")
    engine = Engine(
        codec=material.codec,
        pipeline=pipeline,
        arrivals=Arrivals(len(material.instruments)),
        models=(),
        lanes=(),
        clock=InputClock(LiveClock()),
        meters=meters,
        journal=journal,
    )
    engine.housekeeping = meters.fold
    return engine


def _check(engine: Engine, count: int) -> None:
    if engine.number != count or engine.damage:
        raise InvariantError(f"the engine took {engine.number} of {count} messages, {engine.damage.total()} of them damaged")


async def _receive(url: str, library: Library, count: int, engine: Engine | None) -> float:
    """Seconds of this process's time until the last message was handled."""
    receiver = _Counting(count, engine)
    connection = await connect(url, receiver, LiveClock().now_ns, library=library)
    before = time.process_time_ns()
    connection.send("go")
    await receiver.all.wait()
    spent = time.process_time_ns() - before
    await connection.close()
    if receiver.count != count:
        raise InvariantError(f"{receiver.count} of {count} messages arrived")
    return spent / 1e9
