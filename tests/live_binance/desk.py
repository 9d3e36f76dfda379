"""A session's market side for tests of a live feed: decodes, keeps the books, and remembers what happened."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from scripted_venue import ScriptedVenue

from vtframe.api import BookWatch, FeedContext
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.builtin.features.spread import Spread
from vtframe.clock import LiveClock
from vtframe.domain import BookState, Records, Side
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.errors import DecodeError
from vtframe.features.pipeline import Pipeline

LIMIT_S = 20.0
QUICK: dict[str, Any] = {
    "silence_s": 0.6,
    "quiet_s": 2.0,
    "first_s": 1.0,
    "connect_s": 3.0,
    "reconnect_s": 0.05,
    "reconnect_most_s": 0.2,
    "overlap_s": 2.0,
    "request_s": 2.0,
    "snapshot_retry_s": 0.02,
    "snapshot_retry_most_s": 0.1,
    "seed": 7,
}


class Desk:
    """A FeedSink. ``states`` has each book's state after every input at which it changed."""

    def __init__(self, feed: BinanceFeed, folder: Path = Path()) -> None:
        self.said: list[str] = []
        context = FeedContext(codecs={"binance": BinanceCodec}, folder=folder, clock=LiveClock(), announce=self.said.append)
        self.instruments = SessionInstruments(feed.open(context))
        codec = feed.codec()
        assert isinstance(codec, BinanceCodec)
        codec.open(self.instruments)
        self.codec = codec
        rules = [codec.sequence_rule(index) for index in range(len(self.instruments))]
        self.pipeline = Pipeline([Spread()], list(self.instruments), rules)
        self.messages: list[bytes] = []
        self.times: list[int] = []
        self.damage: list[str] = []
        self.connections: list[tuple[int, bool, str]] = []
        self.states: list[list[BookState]] = [[BookState.SYNCING] for _ in self.instruments]
        self.fail_at = -1  # message at which it raises
        self.failed = False
        self.after: Callable[[bytes], None] | None = None
        self._records = Records()
        self._stop = threading.Event()
        self.feed = feed

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    @property
    def books(self) -> BookWatch:
        return self.pipeline.watch

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        if len(self.messages) == self.fail_at:
            self.failed = True
            raise ValueError("the session is broken")
        self.messages.append(data)
        self.times.append(ts_recv)
        records = self._records
        records.clear()
        try:
            self.codec.decode(data, records)
        except DecodeError as e:
            self.pipeline.watch.alarms += 1
            self.damage.append(str(e))
            return
        records.stamp(number=len(self.messages), ts_recv=ts_recv, connection=connection)
        if records.n_frames:
            self.pipeline.process(records)
            for instrument in set(records.frames["instrument"][: records.n_frames].tolist()):
                self.note(instrument)
        if self.after is not None:
            self.after(data)

    def on_damage(self, where: str, problem: str) -> None:
        self.damage.append(f"{where}: {problem}")

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self.connections.append((connection, up, reason))

    def note(self, instrument: int) -> None:
        state = self.state(instrument)
        if state is not self.states[instrument][-1]:
            self.states[instrument].append(state)

    def state(self, instrument: int = 0) -> BookState:
        return self.pipeline.books.state(instrument)

    @property
    def all_live(self) -> bool:
        return all(self.state(index) is BookState.LIVE for index in range(len(self.instruments)))

    def levels(self, instrument: int = 0) -> tuple[dict[int, int], dict[int, int]]:
        """In the venue's ticks and thousandths."""
        found = []
        scale = 10 ** (self.instruments[instrument].quantity_decimals - 3)
        for side in (Side.BUY, Side.SELL):
            prices, quantities = self.pipeline.books.levels(instrument, side, 10_000)
            found.append(dict(zip(prices.tolist(), (quantities // scale).tolist(), strict=True)))
        return found[0], found[1]

    def stop(self) -> None:
        self._stop.set()

    def notes(self) -> list[bytes]:
        return [data for data in self.messages if b"vtframe.note" in data]


def make_feed(venue: ScriptedVenue, **settings: Any) -> BinanceFeed:
    changed = {"instruments": tuple(venue.books), "market": venue.market, "url": venue.url, **QUICK, **settings}
    return BinanceFeed(**changed)


class Run:
    """A feed that runs in this thread's loop while ``during`` watches; ``during`` ends it by returning."""

    def __init__(self, venue: ScriptedVenue, **settings: Any) -> None:
        self.venue = venue
        self.feed = make_feed(venue, **settings)
        self.desk = Desk(self.feed)

    def __call__(self, during: Callable[[Run], Any]) -> Desk:
        async def main() -> None:
            running = asyncio.create_task(self.feed.run(self.desk))
            try:
                async with asyncio.timeout(LIMIT_S * 2):
                    await during(self)
            finally:
                self.desk.stop()
                await running

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as a session's
            runner.run(main())
        return self.desk

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait for a condition; fails with what there is where it does not come about."""
        until = asyncio.get_running_loop().time() + LIMIT_S
        while not condition():
            assert asyncio.get_running_loop().time() < until, (
                what,
                self.desk.damage[-5:],
                self.desk.states,
                self.feed.report(),
            )
            await asyncio.sleep(0.005)

    async def live(self) -> None:
        await self.until(lambda: self.desk.all_live, "all books live")

    async def right(self) -> None:
        """Every book is live, and equals the venue's at the same update id."""
        await self.live()
        for index, symbol in enumerate(self.venue.books):
            at = self.desk.pipeline.books.update_id(index)
            assert self.desk.levels(index) == self.venue.books[symbol].history[at], symbol

    async def more(self, count: int = 50) -> None:
        """So many more messages."""
        before = len(self.desk.messages)
        await self.until(lambda: len(self.desk.messages) >= before + count, f"{count} more messages")
