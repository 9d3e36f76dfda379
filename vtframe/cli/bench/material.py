"""What benches run on: a recording named by the user, else the embedded market, as arrays of records."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BookWatch, Codec, Feed, FeedContext
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.builtin.recorded.feed import RecordedFeed
from vtframe.clock import EventClock
from vtframe.domain import Instrument, Records, SequenceRule
from vtframe.engine.instrument_table import SessionInstruments


class Material:
    """Messages (of a recording) and the records that they decode to."""

    def __init__(self, recordings: tuple[Path, ...], *, market_seconds: float = 600.0) -> None:
        self.messages: list[tuple[bytes, int]] = []
        self.recorded = bool(recordings)
        feed: Feed = (
            RecordedFeed(paths=tuple(str(path.resolve()) for path in recordings))
            if recordings
            else EmbeddedMarket(duration_s=market_seconds)
        )
        self.name = " + ".join(path.name for path in recordings) if recordings else "embedded market"
        opened = feed.open(FeedContext(codecs={BinanceCodec.name: BinanceCodec}, folder=Path.cwd(), clock=EventClock()))
        self.instruments: tuple[Instrument, ...] = tuple(opened)
        self.codec: Codec | None = feed.codec()
        if self.codec is not None:
            self.codec.open(SessionInstruments(self.instruments))
        rule = self.codec.sequence_rule if self.codec is not None else feed.sequence_rule
        self.rules: list[SequenceRule] = [rule(index) for index in range(len(self.instruments))]
        self.records = Records(frames=1 << 16, events=1 << 20)
        asyncio.run(feed.run(_Collector(self)))

    @property
    def frames(self) -> NDArray[np.void]:
        return self.records.frames[: self.records.n_frames]

    @property
    def events(self) -> NDArray[np.void]:
        return self.records.events[: self.records.n_events]


class _Collector:
    """A sink that keeps everything."""

    stopping = False

    def __init__(self, material: Material) -> None:
        self._material = material

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        material = self._material
        material.messages.append((data, ts_recv))
        records = material.records
        first = records.n_frames
        if material.codec is not None:
            material.codec.decode(data, records)
        if records.n_frames > first:
            records.stamp(number=len(material.messages) - 1, ts_recv=ts_recv, connection=connection, first_frame=first)

    def on_records(self, records: Records) -> None:
        into = self._material.records
        into.reserve(frames=records.n_frames, events=records.n_events)
        frames = into.frames[into.n_frames : into.n_frames + records.n_frames]
        frames[:] = records.frames[: records.n_frames]
        frames["first_event"] += into.n_events
        into.events[into.n_events : into.n_events + records.n_events] = records.events[: records.n_events]
        into.n_frames += records.n_frames
        into.n_events += records.n_events

    def on_damage(self, where: str, problem: str) -> None:
        raise ValueError(f"{where}: {problem}")

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """Nothing to keep."""

    @property
    def books(self) -> BookWatch:
        raise NotImplementedError("a recording is collected without books")
