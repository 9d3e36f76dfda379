"""What a book update costs through ccxt and through our own Binance feed: CPU from the socket to the book, in one run.

A small Binance in a process of its own sends both the same book: 500 levels a side, messages of 10 changes, evenly paced. Each
feed runs in this process, one after the other, on uvloop, into books without features. Its CPU while nothing comes (timers,
watches) is measured over as long a time first, and taken off. Medians of the rounds. `--json` prints it for machines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop
from vtframe_ccxt.example_venue import SmallBinance
from vtframe_ccxt.feed import CcxtFeed

from vtframe.api import Feed, FeedContext
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.clock import LiveClock
from vtframe.domain import BookState, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import Pipeline
from vtframe.testing import Change, Client, ScriptedBook

SYMBOL = "BTCUSDT"
DEPTH, CHANGES = 500, 10  # levels a side at the venue; changes in a message
WARM = 100
BASE = "binance, websockets"


class BenchVenue(SmallBinance):
    """Speaks to ccxt on its paths and to our feed on ``/spot/stream``, which gets the same in the envelope of a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.books = [ScriptedBook(one, seed=k, depth=DEPTH) for k, one in enumerate(self.instruments)]

    def answered(self, path: str) -> bytes | None:
        if urlsplit(path).path == "/api/v3/exchangeInfo":
            listed = msgspec.json.decode(super().answered(path) or b"")
            limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]
            return msgspec.json.encode({"rateLimits": limits, **listed})
        return super().answered(path)

    def asked(self, client: Client, text: str) -> Sequence[int]:
        numbers = super().asked(client, text)
        return [number for number in numbers if self.instruments[number].symbol == SYMBOL]

    def step(self) -> None:
        """One message of the one book."""
        book = self.books[0]
        first = book.sequence + 1
        sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
        for _ in range(CHANGES):
            side, price, quantity = book.step()
            sides[side][price] = quantity
        best = book.best[0]
        sides[1][best] = book.bids[best] = book.sequence % 1_000 + 1  # so that every message is seen with few levels, too
        whole = msgspec.json.decode(self.change(book, Change(1, 1, 1)))
        whole |= {"U": first} | {
            name: [self._level(book, level) for level in sides[side].items()] for name, side in (("b", 1), ("a", -1))
        }
        bare = msgspec.json.encode(whole)
        for client in self.server.clients:
            if client.notes:
                enveloped = client.path.startswith("/spot/stream")
                client.send(b'{"stream":"btcusdt@depth@100ms","data":%b}' % bare if enveloped else bare)


def serve() -> int:
    """The venue's process: its URL, then on each line ``COUNT RATE`` so many messages, and the book's number after them."""
    venue = BenchVenue()
    venue.start()
    print(venue.url, flush=True)
    for line in sys.stdin:
        count, rate = line.split()
        began = time.monotonic()
        for number in range(int(count)):
            time.sleep(max(0.0, began + number / float(rate) - time.monotonic()))
            venue.advance(1)
        print(venue.books[0].sequence, flush=True)
    venue.stop()
    return 0


class Books:
    """A sink: decodes, and applies to books."""

    def __init__(self, feed: Feed, instruments: Any) -> None:
        self.stopping = False
        self._codec = codec = feed.codec()
        if codec is not None:
            codec.open(SessionInstruments(instruments))
        self._pipeline = Pipeline([], instruments, [(feed if codec is None else codec).sequence_rule(0)])
        self.books = self._pipeline.watch
        self._records = Records()

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self._records.clear()
        self._codec.decode(data, self._records)  # type: ignore[union-attr]  # a feed without a codec sends no messages
        self.on_records(self._records)

    def on_records(self, records: Records) -> None:
        if records.n_frames:
            self._pipeline.process(records)

    def on_damage(self, where: str, problem: str) -> None:
        raise SystemExit(f"{where}: {problem}")

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """Not counted."""


def feeds(url: str, folder: Path) -> dict[str, Any]:
    """Makers of the feeds."""
    rest = url.replace("ws", "http", 1)
    api = {"public": f"{rest}/api/v3", "ws": {"spot": f"{url}/ws"}}
    settings = {"urls": {"api": api}, "options": {"fetchMarkets": {"types": ["spot"]}}}

    def ccxt(limit: int | None) -> Any:
        return lambda: CcxtFeed(exchange="binance", symbols=("BTC/USDT",), trades=False, limit=limit, settings=settings)

    def own(library: Any) -> Any:
        cache = str(folder)
        return lambda: BinanceFeed(instruments=(SYMBOL,), url=rest, streams=("depth",), transport=library, cache=cache)

    return {
        "binance, picows": own("picows"),
        BASE: own("websockets"),
        "ccxt, 20 levels": ccxt(20),
        "ccxt, 100 levels": ccxt(100),
        "ccxt, 500 levels": ccxt(500),
    }


async def measure(make: Any, venue: subprocess.Popen[str], messages: int, rate: float) -> float:
    """CPU us an update of one feed on one connection."""
    feed: Feed = make()
    instruments = feed.open(FeedContext(codecs={}, folder=Path(), clock=LiveClock()))
    sink = Books(feed, instruments)
    running = asyncio.create_task(feed.run(sink))

    async def send(count: int, *, wait: bool = True) -> None:
        """So many messages; wait until the book has them, once it is live."""
        if venue.stdin is None or venue.stdout is None:
            raise SystemExit("the venue has no pipes")
        venue.stdin.write(f"{count} {rate}\n")
        venue.stdin.flush()
        last = int(await asyncio.to_thread(venue.stdout.readline))
        while wait and sink.books.update_id(0) < last and not running.done():
            await asyncio.sleep(0.001)

    async with asyncio.timeout(120):
        while sink.books.state(0) != BookState.LIVE and not running.done():
            await send(1, wait=False)
            await asyncio.sleep(0.05)
        await send(WARM)
        cpu = time.process_time()
        await asyncio.sleep(messages / rate)
        idle = time.process_time() - cpu
        cpu = time.process_time()
        await send(messages)
        busy = time.process_time() - cpu
        sink.stopping = True
        await running
    return (busy - idle) / messages * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000, help="of each feed in each round")
    parser.add_argument("--rate", type=float, default=250.0, help="messages a second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.serve:
        return serve()
    seen: dict[str, list[float]] = {}
    command = [sys.executable, __file__, "--serve"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as venue,
    ):
        if venue.stdin is None or venue.stdout is None:
            raise SystemExit("the venue has no pipes")
        url = venue.stdout.readline().strip()
        for _ in range(wishes.rounds):
            for name, make in feeds(url, Path(folder)).items():
                cost = uvloop.run(measure(make, venue, wishes.messages, wishes.rate))
                seen.setdefault(name, []).append(cost)
        venue.stdin.close()
    medians = {name: statistics.median(costs) for name, costs in seen.items()}
    if wishes.json:
        rows = [{"name": name, "cpu_us_an_update": cost, "times": cost / medians[BASE]} for name, cost in medians.items()]
        print(json.dumps(rows))
        return 0
    print(f"{'feed':<22}{'CPU us an update':>18}{'times':>8}")
    for name, cost in medians.items():
        print(f"{name:<22}{cost:>18,.0f}{cost / medians[BASE]:>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
