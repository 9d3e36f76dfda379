"""A feed at work: pointed at a venue that a law directs, with the session's own engine behind it, and all of it noted."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vtframe.api import Codec, ExampleVenue, Feed, FeedContext
from vtframe.clock import Clock, InputClock, LiveClock
from vtframe.domain import BookState, EventKind, FrameKind, Instrument, Records, Side
from vtframe.engine.engine import Engine
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.engine.meters import Meters
from vtframe.features.pipeline import Pipeline
from vtframe.journal.writer import JournalWriter
from vtframe.testing.verdict import LawBroken

STOP_S = 5.0  # in which run has to return when it is told to stop
ALIKE = 5  # levels a side that are compared
_TURN_S = 0.005
_NUDGE_S = 0.2
_NEVER_S = 3600.0
VenueFactory = Callable[[], ExampleVenue]


class FeedCase(msgspec.Struct, frozen=True, kw_only=True):
    """What the laws of feeds are tried on: a new venue each time, which makes the feed that is pointed at it."""

    venue: VenueFactory
    codecs: Mapping[str, type[Codec]] = {}  # what the session would have loaded, for a feed that asks for one by name
    wait_s: float = 10.0  # for what has to come; a feed on loopback needs some milliseconds

    def direct(
        self, script: Callable[[FeedRun], Awaitable[None]], *, silence_s: float = _NEVER_S, clock: Clock | None = None
    ) -> FeedRun:
        """Start a venue and a feed, let ``script`` direct the one and watch the other, and stop both.

        Raises LawBroken with what the script found, and where the feed does not stop.
        """
        venue = self.venue()
        venue.start()
        try:
            with tempfile.TemporaryDirectory(prefix="vtframe-law-") as folder:
                run = FeedRun(self, venue, venue.feed(silence_s=silence_s), Path(folder), clock or LiveClock())
                try:
                    asyncio.run(run.follow(script))
                finally:
                    run.close()
                return run
        finally:
            venue.stop()


class Message(msgspec.Struct, frozen=True):
    """One message that the feed delivered."""

    data: bytes
    ts_recv: int
    connection: int


class Delivered(msgspec.Struct, frozen=True):
    """Frames that the feed delivered itself."""

    records: Records


class Told(msgspec.Struct, frozen=True):
    """A connection came up or went down."""

    connection: int
    up: bool
    reason: str


class NotedEngine(Engine):
    """A session's engine without models, and everything that came to it, in order."""

    def note(self) -> list[Message | Delivered | Told]:
        self.inputs: list[Message | Delivered | Told] = []
        self.damages: list[str] = []
        return self.inputs

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self.inputs.append(Message(data, ts_recv, connection))
        super().on_message(data, ts_recv, connection=connection)

    def on_records(self, records: Records) -> None:
        self.inputs.append(Delivered(copy_of(records)))
        super().on_records(records)

    def on_damage(self, where: str, problem: str) -> None:
        self.damages.append(f"{where}: {problem}")
        super().on_damage(where, problem)

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self.inputs.append(Told(connection, up, reason))
        super().on_connection(connection, up=up, reason=reason)


class FeedRun:
    """One run of a feed, for a law to watch."""

    def __init__(self, case: FeedCase, venue: ExampleVenue, feed: Feed, folder: Path, clock: Clock) -> None:
        self.wait_s = case.wait_s
        self.venue = venue
        self.feed = feed
        self.context = FeedContext(codecs=case.codecs, folder=folder, clock=clock)
        self.instruments: Sequence[Instrument] = tuple(feed.open(self.context))
        if not self.instruments:
            raise LawBroken("it has no instrument")
        self.engine, self._journal = new_engine(feed, self.instruments, folder / "journal")
        self.inputs = self.engine.note()
        self.delivering: asyncio.Task[None] | None = None

    @property
    def books(self) -> Any:
        return self.engine._pipeline.books  # noqa: SLF001 - the kit looks into its own engine

    def close(self) -> None:
        self._journal.close()

    async def follow(self, script: Callable[[FeedRun], Awaitable[None]]) -> None:
        """Run the feed while ``script`` runs; then it is told to stop, and has to."""
        self.delivering = asyncio.create_task(self.feed.run(self.engine))
        try:
            await script(self)
        finally:
            self.engine.stop("the law has seen enough")
            done, _ = await asyncio.wait({self.delivering}, timeout=STOP_S)
            if not done:
                self.delivering.cancel()
                await asyncio.gather(self.delivering, return_exceptions=True)
        if not done:
            raise LawBroken(f"told to stop, it still runs {STOP_S:g} s later")
        self._check_ended(self.delivering)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition. Raises LawBroken where it does not come, and where the feed ends before it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.wait_s
        while not condition():
            if self.delivering is not None and self.delivering.done():
                self._check_ended(self.delivering)
                raise LawBroken(f"run returned, and nobody told it to stop; waited for: {what}")
            if loop.time() > end:
                raise LawBroken(f"within {self.wait_s:g} s it did not come to this: {what}; {self.state()}")
            await asyncio.sleep(_TURN_S)

    async def settled(self) -> None:
        """Wait until every book (or quote) is live and is the venue's. Meanwhile the market goes on now and then: a feed may
        ask for a picture only once it has heard of a book."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _NUDGE_S

        def settled() -> bool:
            nonlocal due
            if self.is_settled():
                return True
            if loop.time() > due:
                self.venue.advance(len(self.instruments))
                due = loop.time() + _NUDGE_S
            return False

        await self.until(settled, "every book is live and equals the venue's")

    async def step(self, messages: int = 0) -> None:
        """The market goes on by so many messages (by default a few of every instrument), and they arrive."""
        self.venue.advance(messages or 4 * len(self.instruments))
        await self.settled()

    def is_settled(self) -> bool:
        return all(self.differs(instrument) == "" for instrument in range(len(self.instruments)))

    def differs(self, instrument: int) -> str:
        """How the best levels differ from the venue's; empty where they do not. A venue without books: its newest quotes."""
        if not self.venue.has_books:
            found: tuple[Any, Any] = self.quotes().get(instrument, ([], []))
        else:
            state = self.books.state(instrument)
            if state != BookState.LIVE:
                return f"its book is {state.name}"
            found = (self._best(instrument, Side.BUY), self._best(instrument, Side.SELL))
        bids, asks = self.venue.levels(instrument)
        wanted = (sorted(bids.items(), reverse=True)[:ALIKE], sorted(asks.items())[:ALIKE])
        return "" if found == wanted else f"bids and asks are {found}, and {wanted} at the venue"

    def _best(self, instrument: int, side: Side) -> list[tuple[int, int]]:
        prices, quantities = self.books.levels(instrument, side, ALIKE)
        return list(zip(prices.tolist(), quantities.tolist(), strict=True))

    def is_live(self, instrument: int) -> bool:
        return bool(self.books.state(instrument) == BookState.LIVE)

    def quotes(self) -> dict[int, tuple[list[tuple[int, int]], list[tuple[int, int]]]]:
        """The newest best bid and ask of each instrument, as QUOTE frames say."""
        newest: dict[int, tuple[list[tuple[int, int]], list[tuple[int, int]]]] = {}
        for records in self.frames():
            for frame in records.frames[: records.n_frames]:
                if frame["kind"] != FrameKind.QUOTE:
                    continue
                first = int(frame["first_event"])
                events = records.events[first : first + int(frame["n_events"])]
                sides = {
                    side: [
                        (int(event["price"]), int(event["quantity"]))
                        for event in events
                        if event["kind"] == EventKind.QUOTE and event["side"] == side
                    ]
                    for side in (1, -1)
                }
                newest[int(frame["instrument"])] = (sides[1], sides[-1])
        return newest

    def frames(self) -> list[Records]:
        """What every input is in frames: those that were delivered, and those that a new codec makes of the messages."""
        codec = new_codec(self.feed, self.instruments)
        made: list[Records] = []
        for one in self.inputs:
            if isinstance(one, Delivered):
                made.append(one.records)
            elif isinstance(one, Message) and codec is not None:
                records = Records()
                records.connection = one.connection
                try:
                    codec.decode(one.data, records)
                except Exception:  # noqa: BLE001, S112 - a broken message is another law's
                    continue
                made.append(records)
        return made

    def messages(self) -> list[Message]:
        return [one for one in self.inputs if isinstance(one, Message)]

    def told(self, *, up: bool) -> int:
        """How often a connection was told to be up, or down."""
        return sum(isinstance(one, Told) and one.up == up for one in self.inputs)

    def state(self) -> str:
        """For messages to people."""
        states = [f"{one.instrument_id} {self.differs(k) or 'as the venue says'}" for k, one in enumerate(self.instruments[:3])]
        told = [f"{'up' if one.up else f'down ({one.reason})'}" for one in self.inputs if isinstance(one, Told)]
        return f"{len(self.inputs)} inputs; {'; '.join(states)}; connections: {', '.join(told[-6:]) or 'none told'}"

    def _check_ended(self, delivering: asyncio.Task[None]) -> None:
        error = delivering.exception() if not delivering.cancelled() else None
        if error is not None:
            raise LawBroken(f"run raised {type(error).__name__}: {error}") from error


def new_engine(feed: Feed, instruments: Sequence[Instrument], folder: Path) -> tuple[NotedEngine, JournalWriter]:
    """An engine as a session's, with the feed's codec, and its journal in ``folder``."""
    codec = new_codec(feed, instruments)
    numbers = range(len(instruments))
    rules = [(feed if codec is None else codec).sequence_rule(number) for number in numbers]
    checksums = [] if codec is None else [codec.checksum_rule(number) for number in numbers]
    journal = JournalWriter(folder, session_id="law")
    engine = NotedEngine(
        codec=codec,
        pipeline=Pipeline([], instruments, rules, checksums=checksums),
        models=(),
        lanes=(),
        clock=InputClock(LiveClock()),
        meters=Meters(),
        journal=journal,
    )
    return engine, journal


def new_codec(feed: Feed, instruments: Sequence[Instrument]) -> Codec | None:
    """A codec as the feed's, opened."""
    codec = feed.codec()
    if codec is None:
        return None
    another = msgspec.structs.replace(codec)
    another.open(SessionInstruments(instruments))
    return another


def counts_of(engine: NotedEngine) -> dict[str, Any]:
    """What came of a run's inputs."""
    return {
        "counts": msgspec.structs.asdict(engine._pipeline.counts()),  # noqa: SLF001 - the kit's own engine
        "messages": Counter(engine.messages),
        "damage": Counter(engine.damage),
    }


def copy_of(records: Records) -> Records:
    """The filled part, in arrays of its own."""
    made = Records(frames=max(1, records.n_frames), events=max(1, records.n_events))
    made.frames[: records.n_frames] = records.frames[: records.n_frames]
    made.events[: records.n_events] = records.events[: records.n_events]
    made.n_frames, made.n_events = records.n_frames, records.n_events
    return made
