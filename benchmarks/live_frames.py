"""Frames a second that the Binance feed takes from a socket to rows of twelve features, beside what the transport alone takes.

A process of its own sends a recording of one connection (spot, COIN-M) as fast as it is read. Time is the receiving thread's
processor time, so that a busy machine does not count; the share of wall time is printed beside it.

    python benchmarks/live_frames.py ../shared/data/binance/spot_btcusdt_20240808.gz
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import hashlib
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from vtframe.api import BookWatch, FeedContext
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.builtin.binance.known import COINM, SPOT, known_instrument
from vtframe.cli.bench.feature_sets import twelve_features
from vtframe.clock import LiveClock
from vtframe.domain import Instrument, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import Pipeline
from vtframe.transport import connect

LIBRARIES = ("websockets", "picows")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def read(path: Path) -> tuple[list[bytes], bytes, list[bytes]]:
    """Messages before the snapshot, the snapshot, and those after it."""
    with gzip.open(path) as file:
        lines = [line.rstrip(b"\n").partition(b" ")[2] for line in file]
    at = next(number for number, line in enumerate(lines) if line.startswith(b'{"lastUpdateId"'))
    return lines[:at], lines[at], lines[at + 1 :]


def framed(data: bytes) -> bytes:
    """As a server sends it."""
    size = len(data)
    head = (
        bytes([size])
        if size < 126
        else b"\x7e" + size.to_bytes(2, "big")
        if size < 1 << 16
        else b"\x7f" + size.to_bytes(8, "big")
    )
    return b"\x81" + head + data


class Server:
    """Streams and REST of one instrument on one port. What follows the snapshot is sent once that was asked for."""

    def __init__(self, path: Path, instrument: Instrument) -> None:
        before, self._snapshot, after = read(path)
        self._before, self._after = b"".join(map(framed, before)), b"".join(map(framed, after))
        self._asked = asyncio.Event()
        self._instrument = instrument

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ", 2)[1]
        if b"exchangeInfo" in target:
            self._answer(writer, json.dumps({"symbols": [self._entry()]}).encode())
        elif b"depth" in target:
            self._answer(writer, self._snapshot)
            self._asked.set()
        else:
            await self._stream(head, reader, writer)

    async def _stream(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")).split(b": ")[1]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 - the protocol's
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        await reader.read(65_536)  # the subscription; its answer is the same whatever it says
        writer.write(framed(b'{"result":null,"id":1}'))
        writer.write(self._before)
        await self._asked.wait()
        self._asked.clear()
        await asyncio.sleep(0.2)  # the snapshot is to be there first
        for first in range(0, len(self._after), 1 << 18):
            writer.write(self._after[first : first + (1 << 18)])
            await writer.drain()
        await reader.read()

    def _answer(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    def _entry(self) -> dict[str, Any]:
        one = self._instrument
        filters = [
            {"filterType": "PRICE_FILTER", "tickSize": f"{one.price(one.tick_size):f}"},
            {"filterType": "LOT_SIZE", "stepSize": f"{one.quantity(one.lot_size):f}", "maxQty": "9000"},
        ]
        names = {"symbol": one.symbol, "status": "TRADING", "baseAsset": one.base, "quoteAsset": one.quote}
        return {**names, "pricePrecision": one.price_decimals, "quantityPrecision": one.quantity_decimals, "filters": filters}


async def serve(path: Path, instrument: Instrument) -> None:
    server = await asyncio.start_server(Server(path, instrument).serve, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Desk:
    """Decodes, keeps the book and makes the rows; nothing else."""

    def __init__(self, feed: BinanceFeed, count: int) -> None:
        instruments = feed.open(FeedContext(codecs={"binance": BinanceCodec}, folder=Path(), clock=LiveClock()))
        self.codec = feed.codec()
        self.codec.open(SessionInstruments(instruments))
        self.pipeline = Pipeline(twelve_features(), list(instruments), [self.codec.sequence_rule(0)])
        self._records = Records()
        self._left = count
        self.rows = 0
        self.began = self.ended = (0, 0)

    @property
    def stopping(self) -> bool:
        return not self._left

    @property
    def books(self) -> BookWatch:
        return self.pipeline.watch

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        records = self._records
        records.clear()
        self.codec.decode(data, records)
        if records.n_frames:
            records.stamp(number=self._left, ts_recv=ts_recv, connection=connection)
            self.rows += self.pipeline.process(records)
        if data.startswith(b'{"stream":"') and b"@depthSnapshot" in data[:60]:
            self.began = (time.perf_counter_ns(), time.thread_time_ns())
        elif self.began[0] and self._left:
            self._left -= 1
            if not self._left:
                self.ended = (time.perf_counter_ns(), time.thread_time_ns())

    def on_damage(self, where: str, problem: str) -> None:
        raise ValueError(f"{where}: {problem}")

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """Nothing to keep."""


def receive(path: Path, instrument: Instrument, market: str, port: int, library: str) -> dict[str, float]:
    _, _, after = read(path)
    feed = BinanceFeed(
        instruments=(instrument.symbol,), market=market, url=f"http://127.0.0.1:{port}", transport=library, silence_s=300.0
    )  # type: ignore[arg-type]
    desk = Desk(feed, len(after) - 5)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(feed.run(desk))
    return {**_rates(desk.began, desk.ended, len(after) - 5), "rows": desk.rows}


def receive_bare(path: Path, market: str, port: int, library: str) -> dict[str, float]:
    """The transport alone."""
    _, _, after = read(path)
    count = len(after) - 5

    class Counter:
        def __init__(self) -> None:
            self.left = count + 1  # and the acknowledgement
            self.over = asyncio.Event()
            self.began = self.ended = (0, 0)

        def on_message(self, data: bytes, ts_recv: int) -> None:
            if self.left == count:
                self.began = (time.perf_counter_ns(), time.thread_time_ns())
            self.left -= 1
            if not self.left:
                self.ended = (time.perf_counter_ns(), time.thread_time_ns())
                self.over.set()

        def on_close(self, reason: str) -> None:
            self.over.set()

    async def main() -> Counter:
        inbox = Counter()
        connection = await connect(f"ws://127.0.0.1:{port}/{market}/stream", inbox, time.perf_counter_ns, library=library)  # type: ignore[arg-type]
        connection.send("{}")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /depth HTTP/1.1\r\n\r\n")
        await reader.read(100)
        writer.close()
        await inbox.over.wait()
        await connection.close()
        return inbox

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        inbox = runner.run(main())
    return _rates(inbox.began, inbox.ended, count)


def _rates(began: tuple[int, int], ended: tuple[int, int], count: int) -> dict[str, float]:
    wall, used = ended[0] - began[0], ended[1] - began[1]
    return {"frames_per_cpu_second": count / used * 1e9, "share_of_wall": used / wall}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    market = "coinm" if asked.recording.name.startswith("cm_") else "spot"
    venue, symbol = (COINM, "BTCUSD_PERP") if market == "coinm" else (SPOT, "BTCUSDT")
    instrument = known_instrument(venue, symbol)
    if instrument is None:
        return 2
    if asked.serve:
        asyncio.run(serve(asked.recording, instrument))
        return 0
    server = subprocess.Popen([sys.executable, __file__, str(asked.recording), "--serve"], stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = {}
    try:
        port = int(server.stdout.readline() if server.stdout is not None else 0)
        for library in LIBRARIES:
            runs = [receive(asked.recording, instrument, market, port, library) for _ in range(asked.repeats)]
            bare = [receive_bare(asked.recording, market, port, library) for _ in range(asked.repeats)]
            found[library] = {
                "to rows": {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]},
                "transport alone": {key: round(statistics.median(run[key] for run in bare), 2) for key in bare[0]},
            }
    finally:
        server.terminate()
        server.wait(20)
        if server.stdout is not None:
            server.stdout.close()
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
