"""Inputs of a feed, a sink that keeps them, and recordings made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from vtframe.api import FeedContext, FeedSink, MarketInfo, ReceivedMessage
from vtframe.assemble.recorder import make_recorder, recording_files
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.known import SPOT, USDM, known_instrument
from vtframe.builtin.recorded.feed import RecordedFeed
from vtframe.clock import EventClock, LiveClock
from vtframe.config import RecorderTable
from vtframe.domain import Instrument, Records, SequenceRule
from vtframe.engine.market_log import MarketTap
from vtframe.engine.recorder import Recorder

BTC, ETH = known_instrument(USDM, "BTCUSDT"), known_instrument(USDM, "ETHUSDT")
SPOT_BTC = known_instrument(SPOT, "BTCUSDT")
START = 1_723_161_600_000_000_000


class Kept:
    """A sink that keeps every input, each frame of records as one."""

    def __init__(self) -> None:
        self.inputs: list[tuple[Any, ...]] = []
        self.stopping = False

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self.inputs.append(("message", data, ts_recv, connection))

    def on_records(self, records: Records) -> None:
        for frame in records.frames[: records.n_frames].tolist():
            _, *fields, count, first = frame
            events = [event[1:] for event in records.events[first : first + count].tolist()]
            self.inputs.append(("frame", tuple(fields), events))

    def on_damage(self, where: str, problem: str) -> None:
        self.inputs.append(("damage", where, problem))

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self.inputs.append(("connection", connection, up, reason))


def market(codec: str = "binance", *instruments: Instrument | None) -> MarketInfo:
    chosen = tuple(one for one in instruments or (BTC,) if one is not None)
    return MarketInfo(instruments=chosen, rules=(SequenceRule.PREVIOUS,) * len(chosen), codec=codec)


def recorder(
    folder: Path,
    table: RecorderTable | None = None,
    *,
    info: MarketInfo | None = None,
    failures: list[str] | None = None,
) -> Recorder:
    return make_recorder(
        folder,
        table or RecorderTable(),
        info or market(),
        name="test",
        now=LiveClock().now_ns,
        on_failure=(failures if failures is not None else []).append,
    )


def record(folder: Path, calls: Iterable[Callable[[FeedSink], None]], **options: Any) -> tuple[list[tuple[Any, ...]], Recorder]:
    """Make the calls to a tapped sink; what came through it, and the recorder, closed."""
    kept, made = Kept(), recorder(folder, **options)
    tap = MarketTap(kept, made)
    made.start()
    for call in calls:
        call(tap)
    made.close()
    return kept.inputs, made


def play(paths: Sequence[Path], said: list[str] | None = None) -> list[tuple[Any, ...]]:
    """What the feed of recordings makes of the files."""
    feed, kept = RecordedFeed(paths=tuple(map(str, paths))), Kept()
    announce = (said if said is not None else []).append
    feed.open(FeedContext(codecs={"binance": BinanceCodec}, folder=Path(), clock=EventClock(), announce=announce))
    asyncio.run(feed.run(kept))
    return kept.inputs


def replayed(folder: Path) -> list[tuple[Any, ...]]:
    return play(recording_files(folder))


def message(data: bytes, ts_recv: int = START, connection: int = 0) -> Callable[[FeedSink], None]:
    return lambda sink: sink.on_message(data, ts_recv, connection=connection)


def messages(count: int, size: int = 200) -> list[ReceivedMessage]:
    return [ReceivedMessage(b'{"n":%d,"x":"%s"}' % (n, b"x" * size), START + n) for n in range(count)]
