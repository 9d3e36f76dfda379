"""What a book update costs through ccxt and through our own Binance feed: CPU from the socket to the book, in one run.

Both follow the same instrument of an embedded venue, in turns, in this process, on the same kind of event loop, into the same
books without features. A feed also costs CPU while nothing comes (timers, watches): so each is run on a slow and on a quick
market, and an update costs what the CPU grew by for each update more. A message covers 100 ms of market in both. `--json`
prints it for machines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop
from vtframe_ccxt.feed import CcxtFeed

from vtframe.api import Feed, FeedContext
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.clock import LiveClock
from vtframe.domain import BookState, FrameKind, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import Pipeline

SYMBOL = "BTCUSDT"
_NOWHERE = {"url": "", "spot": {"stream": ""}}
_BASE = "binance, websockets"
_WARM = 30  # updates of a live book before the counting begins


class Books:
    """A sink: decodes, and applies to books. Counts the venue's messages and CPU once the book is live and warm."""

    def __init__(self, feed: Feed, instruments: Any, seconds: float) -> None:
        self.stopping = False
        codec = feed.codec()
        if codec is not None:
            codec.open(SessionInstruments(instruments))
        self._codec = codec
        self._feed = feed
        rule = (feed if codec is None else codec).sequence_rule(0)
        self._pipeline = Pipeline([], instruments, [rule])
        self.books = self._pipeline.watch
        self._records = Records()
        self._seconds = seconds
        self._warm = _WARM
        self.updates = self.frames = self.events = self._before = 0
        self._began = (0.0, 0.0)
        self.cpu_s = self.wall_s = 0.0

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        records = self._records
        records.clear()
        self._codec.decode(data, records)  # type: ignore[union-attr]  # a feed without a codec sends no messages
        self.on_records(records)

    def on_records(self, records: Records) -> None:
        if not records.n_frames:
            return
        self._pipeline.process(records)
        frames = records.frames[: records.n_frames]
        depth = frames["kind"] == FrameKind.DEPTH
        if not depth.any() or self.books.state(0) != BookState.LIVE or self.stopping:
            return
        if self._warm:
            self._warm -= 1
            self._began = (time.process_time(), time.perf_counter())
            self._before = self._quiet()
            return
        self.frames += int(depth.sum())
        self.events += int(frames["n_events"][depth].sum())
        self.updates = self.frames + self._quiet() - self._before
        self.wall_s = time.perf_counter() - self._began[1]
        if self.wall_s >= self._seconds:
            self.cpu_s = time.process_time() - self._began[0]
            self.stopping = True

    def _quiet(self) -> int:
        """Messages that changed nothing within the levels that are looked at."""
        return sum(book["unchanged"] for book in self._feed.report().get("books", {}).values() if "unchanged" in book)

    def on_damage(self, where: str, problem: str) -> None:
        raise SystemExit(f"{where}: {problem}")

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """Not counted."""


def feeds(urls: dict[str, Any]) -> dict[str, Any]:
    """Makers of the feeds, the quick one first."""
    api = {"public": f"{urls['url']}/api/v3", "ws": {"spot": f"{urls['spot']['stream']}/ws"}}
    settings = {"urls": {"api": api}, "options": {"fetchMarkets": {"types": ["spot"]}}}

    def ccxt(limit: int | None) -> Any:
        return lambda: CcxtFeed(exchange="binance", symbols=("BTC/USDT",), trades=False, limit=limit, settings=settings)

    def own(library: Any) -> Any:
        return lambda: BinanceFeed(instruments=(SYMBOL,), url=urls["url"], streams=("depth",), transport=library)

    return {
        "binance, picows": own("picows"),
        "binance, websockets": own("websockets"),
        "ccxt, 20 levels": ccxt(20),
        "ccxt, 100 levels": ccxt(100),
        "ccxt, all levels": ccxt(None),
    }


def measure(make: Any, seconds: float) -> tuple[float, float, float]:
    """Share of a core, updates a second, events an update."""
    feed = make()
    instruments = feed.open(FeedContext(codecs={}, folder=Path(), clock=LiveClock()))
    sink = Books(feed, instruments, seconds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(feed.run(sink))
    return sink.cpu_s / sink.wall_s, sink.updates / sink.wall_s, sink.events / sink.updates


@contextmanager
def venue(speed: float) -> Iterator[dict[str, Any]]:
    """The embedded venue as a process of its own; its URLs."""
    told = json.dumps({"port": 0, "speed": speed})
    with subprocess.Popen([sys.executable, "-m", "vtframe.venue", told], stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise SystemExit("the venue says nothing")
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def compare(seconds: float, rounds: int, speeds: tuple[float, float]) -> list[dict[str, Any]]:
    """Medians over the rounds, one row a feed."""
    seen: dict[str, list[tuple[float, float, float, float]]] = {}
    for _ in range(rounds):
        for name in feeds(_NOWHERE):
            shares = []
            for speed in speeds:
                with venue(speed) as urls:
                    shares.append(measure(feeds(urls)[name], seconds))
            (low, few, _), (high, many, events) = shares
            slope = (high - low) / (many - few)
            seen.setdefault(name, []).append((slope * 1e6, low - few * slope, events, many))
    keys = ("cpu_us_an_update", "idle_share", "events_an_update", "updates_a_second")
    found: list[dict[str, Any]] = []
    for name, rows in seen.items():
        medians = {key: statistics.median(row[k] for row in rows) for k, key in enumerate(keys)}
        found.append({"name": name, **medians})
    base = next(row["cpu_us_an_update"] for row in found if row["name"] == _BASE)
    return [row | {"times": row["cpu_us_an_update"] / base} for row in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run: two of each feed in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--speeds", type=float, nargs=2, default=(3.0, 25.0), help="of the slow and of the quick market")
    parser.add_argument("--json", action="store_true")
    wishes = parser.parse_args()
    found = compare(wishes.seconds, wishes.rounds, tuple(wishes.speeds))
    if wishes.json:
        print(json.dumps(found))
        return 0
    print(f"{'feed':<22}{'CPU us an update':>18}{'times':>8}{'events':>8}{'came/s':>8}{'idle CPU':>10}")
    for row in found:
        cells = [row[key] for key in ("cpu_us_an_update", "times", "events_an_update", "updates_a_second", "idle_share")]
        print(f"{row['name']:<22}{cells[0]:>18,.0f}{cells[1]:>8.1f}{cells[2]:>8.1f}{cells[3]:>8.0f}{cells[4]:>10.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
