"""Bench of a book's way back: from the diff that shows a gap to the live book, beside its snapshot's round trip."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

import uvloop

from vtframe.api import FeedContext
from vtframe.assemble.own_venue import own_venue
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.cli.bench.feature_sets import twelve_features
from vtframe.cli.bench.rows import Row, time_row
from vtframe.clock import InputClock, LiveClock
from vtframe.domain import BookState
from vtframe.engine.engine import Engine
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.engine.meters import Meters
from vtframe.errors import InvariantError
from vtframe.features.pipeline import Pipeline
from vtframe.inference.age import Arrivals
from vtframe.journal.writer import JournalWriter

_GAPS: Final = 100  # of one venue: a minute's request weight is good for 108 snapshots of 1,000 levels
_REPEATS: Final = 2
_PAUSE_S: Final = 0.02
_PATIENCE_S: Final = 20.0
_MARKETS: Final[dict[Literal["spot", "usdm"], str]] = {"spot": "spot", "usdm": "USD-M"}


def run(say: Callable[[str], None], *, gaps: int = _GAPS, repeats: int = _REPEATS) -> Iterator[Row]:
    """A row for spot, one for USD-M; nothing else happens meanwhile."""
    for market, told in _MARKETS.items():
        mended: list[tuple[int, int]] = []
        for _ in range(repeats):
            with own_venue(
                {"feed": {"use": "binance", "url": "embedded", "market": market, "instruments": ["BTCUSDT"]}}
            ) as url:
                mended += _session(market, url, gaps)
        say(f"{len(mended)} holes in the ids of {told} BTCUSDT at the embedded venue, one at a time")
        whole = [took / 1e3 for took, _ in mended]
        trips = [trip / 1e3 for _, trip in mended]
        yield time_row(f"live: resync after a gap, {told}", "us", whole, "the snapshot's own round trip", trips)


def _session(market: Literal["spot", "usdm"], url: str, gaps: int) -> list[tuple[int, int]]:
    """From each gap to the live book, and its snapshot's round trip, ns."""
    with tempfile.TemporaryDirectory(prefix="vtframe-resync-") as folder:
        feed = BinanceFeed(instruments=("BTCUSDT",), market=market, url=url, cache=f"{folder}/cache")
        context = FeedContext(codecs={"binance": BinanceCodec}, folder=Path(folder), clock=LiveClock(), announce=_unheard)
        engine = _engine(feed, SessionInstruments(feed.open(context)), Path(folder) / "journal")

        async def main() -> None:
            running = asyncio.create_task(feed.run(engine))
            try:
                await _mend(engine, url, market, gaps)
            finally:
                engine.stop("the bench is over")
                await running

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as a session's
            runner.run(main())
        return feed.mended()[-gaps:]  # without its first snapshot


def _unheard(text: str) -> None:
    """What a feed announces while it opens."""


def _engine(feed: BinanceFeed, instruments: SessionInstruments, folder: Path) -> Engine:
    """The engine of a session without models and lanes."""
    codec = feed.codec()
    codec.open(instruments)
    meters = Meters()
    engine = Engine(
        codec=codec,
        pipeline=Pipeline(twelve_features(), list(instruments), [codec.sequence_rule(0)]),
        arrivals=Arrivals(len(instruments)),
        models=(),
        lanes=(),
        clock=InputClock(LiveClock()),
        meters=meters,
        journal=JournalWriter(folder, session_id="bench"),
    )
    engine.housekeeping = meters.fold
    return engine


async def _mend(engine: Engine, url: str, market: str, gaps: int) -> None:
    books = engine.books
    await _until(lambda: books.state(0) is BookState.LIVE, "live at the start")
    fault = json.dumps({"kind": "gap", "stream": "*@depth*", "market": market, "count": 1}).encode()
    for number in range(gaps):
        await asyncio.sleep(_PAUSE_S)
        alarms = books.alarms
        await asyncio.to_thread(_post, f"{url}/venue/faults", fault)
        await _until(lambda alarms=alarms: books.alarms != alarms, f"gap {number + 1}")  # type: ignore[misc]
        await _until(lambda: books.state(0) is BookState.LIVE, f"live after gap {number + 1}")


def _post(url: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=_PATIENCE_S) as answer:  # noqa: S310 - loopback
        answer.read()


async def _until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > give_up:
            raise InvariantError(f"the book was not {what} within {_PATIENCE_S:g} s")
        await asyncio.sleep(0.002)
