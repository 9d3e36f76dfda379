"""Feeds that each break one law, made from the skeleton that ``vtframe new feed`` writes."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable, Iterable
from importlib import resources
from string import Template
from types import ModuleType
from typing import Any

from vtframe.api import Link
from vtframe.domain import EventFlag, EventKind, FrameKind, Records, SequenceRule
from vtframe.testing import FeedCase


def skeleton() -> ModuleType:
    """The feed that ``vtframe new feed`` writes, as a module."""
    text = resources.files("vtframe.cli").joinpath("templates", "feed.txt").read_text()
    spec = importlib.util.spec_from_loader("skeleton_feed", None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["skeleton_feed"] = module
    exec(Template(text).substitute(name="skeleton", cls="Skeleton"), module.__dict__)  # noqa: S102
    return module


SKELETON = skeleton()
Good: Any = SKELETON.Skeleton
GoodCodec: Any = SKELETON.SkeletonCodec


def case(make: Any, *, wait_s: float = 10.0) -> FeedCase:
    """A venue that makes feeds of a class."""

    class Venue(SKELETON.SkeletonVenue):  # type: ignore[name-defined]
        def feed(self, *, silence_s: float) -> Any:
            good = super().feed(silence_s=silence_s)
            return make(url=good.url, symbols=good.symbols, upkeep=good.upkeep)

    return FeedCase(venue=Venue, wait_s=wait_s)


class Through:
    """A sink in front of another; what a mutant does differently, it does here."""

    def __init__(self, sink: Any) -> None:
        self.sink = sink

    @property
    def stopping(self) -> bool:
        return bool(self.sink.stopping)

    @property
    def books(self) -> Any:
        return self.sink.books

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self.sink.on_message(data, ts_recv, connection=connection)

    def on_records(self, records: Records) -> None:
        self.sink.on_records(records)

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self.sink.on_connection(connection, up=up, reason=reason)


async def run_with(feed: Any, sink: Any, link: type[Link]) -> None:
    """The skeleton's run, with another link in it."""
    kept, SKELETON.Link = SKELETON.Link, link
    try:
        await Good.run(feed, sink)
    finally:
        SKELETON.Link = kept


class Inventing(Good):
    """Takes every book for empty and makes a picture of that."""

    name = "inventing"

    async def run(self, sink: Any) -> None:
        class Sink(Through):
            def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
                if b'"snapshot"' not in data:
                    return super().on_message(data, ts_recv, connection=connection)
                records = Records()
                message, flags = json.loads(data), int(EventFlag.SNAPSHOT | EventFlag.LAST)
                number = ["BTC-USD", "ETH-USD"].index(message["symbol"])
                event = (0, ts_recv, 0, 0, 0, number, flags, int(EventKind.BOOK_CLEAR), 0)
                kind, sequence = int(FrameKind.SNAPSHOT), message["sequence"]
                records.append(kind=kind, instrument=number, events=[event], ts_recv=ts_recv, last_id=sequence)
                return self.sink.on_records(records)  # type: ignore[no-any-return]

        await super().run(Sink(sink))


class Unpictured(Good):
    """Hands its pictures on as changes: the books are never told where to begin."""

    name = "unpictured"

    async def run(self, sink: Any) -> None:
        class Sink(Through):
            def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
                super().on_message(data.replace(b'"snapshot"', b'"change"'), ts_recv, connection=connection)

        await super().run(Sink(sink))


class Restamping(Good):
    """Believes the machine's clock."""

    name = "restamping"

    async def run(self, sink: Any) -> None:
        now_ns = self._clock.now_ns

        class Sink(Through):
            def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
                super().on_message(data, now_ns(), connection=connection)

        await super().run(Sink(sink))


class Backdating(Good):
    """Takes the venue's time for its own."""

    name = "backdating"

    async def run(self, sink: Any) -> None:
        class Sink(Through):
            def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
                super().on_message(data, 1_700_000_000_000_000_000, connection=connection)

        await super().run(Sink(sink))


class UnnumberedCodec(GoodCodec):
    """Does not compare the numbers."""

    name = "unnumbered"

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return SequenceRule.NONE


class Unnumbered(Good):
    """Has a codec that does not compare the numbers."""

    name = "unnumbered"

    def codec(self) -> Any:
        return UnnumberedCodec()


class Hushing(Good):
    """Does not tell its books that their connection is lost."""

    name = "hushing"

    async def run(self, sink: Any) -> None:
        class Hush(Link):
            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, **{**named, "instruments": ()})

        await run_with(self, sink, Hush)


class Resigned(Good):
    """Leaves a book that lost a message as it is."""

    name = "resigned"

    async def run(self, sink: Any) -> None:
        class Deaf(Link):
            def send(self, text: str) -> bool:
                return super().send(text) if sys._getframe(1).f_code.co_name != "ask" else True

        await run_with(self, sink, Deaf)


class Lingering(Good):
    """Takes its time after it is told to stop."""

    name = "lingering"

    async def run(self, sink: Any) -> None:
        await super().run(sink)
        await asyncio.sleep(60)


class Leaving(Good):
    """Returns and leaves its connection to somebody else."""

    name = "leaving"

    async def run(self, sink: Any) -> None:
        class Going(Through):
            stopping = False

        self.left = asyncio.create_task(Good.run(self, Going(sink)))
        while not sink.stopping:
            await asyncio.sleep(0.01)


class Trimming(Good):
    """Decodes and writes messages anew."""

    name = "trimming"

    async def run(self, sink: Any) -> None:
        class Sink(Through):
            def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
                super().on_message(data.replace(b",", b", "), ts_recv, connection=connection)

        await super().run(Sink(sink))


class Doubling(Good):
    """Delivers its heartbeat, which the venue never sent."""

    name = "doubling"

    async def run(self, sink: Any) -> None:
        class Sink(Through):
            def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
                super().on_message(data, ts_recv, connection=connection)
                super().on_message(b'{"type":"heartbeat"}', ts_recv, connection=connection)

        await super().run(Sink(sink))


class Shy(Good):
    """Asks once and never again."""

    name = "shy"

    async def run(self, sink: Any) -> None:
        class Once(Link):
            def __init__(self, *arguments: Any, greeting: Callable[[], Iterable[str]], **named: Any) -> None:
                def once() -> Iterable[str]:
                    return greeting() if self.connections < 2 else ()

                super().__init__(*arguments, greeting=once, **{**named, "on_turn": None})

        await run_with(self, sink, Once)


class Patient(Good):
    """Waits for ever."""

    name = "patient"

    async def run(self, sink: Any) -> None:
        class Waiting(Link):
            def _watch(self) -> None:
                return

        await run_with(self, sink, Waiting)


class Discreet(Good):
    """Keeps what it cannot read to itself."""

    name = "discreet"

    async def run(self, sink: Any) -> None:
        class Sink(Through):
            def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
                if data.endswith(b"}"):
                    super().on_message(data, ts_recv, connection=connection)

        await super().run(Sink(sink))


class Brittle(Good):
    """Looks into messages itself, and breaks where they are broken."""

    name = "brittle"

    async def run(self, sink: Any) -> None:
        class Sink(Through):
            def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
                json.loads(data)
                super().on_message(data, ts_recv, connection=connection)

        await super().run(Sink(sink))
