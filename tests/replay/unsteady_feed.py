"""A live feed over recorded frames, with two connections that come and go, damage, and a loss. A local plugin of the tests."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from vtframe.api import BundleInfo, Codec, Feed, FeedContext, FeedSink, Model, ModelBackend
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.known import USDM, known_instrument
from vtframe.domain import Instrument
from vtframe.wire import RecordingReader


class UnsteadyFeed(Feed):
    """Frames of ``path`` arrive now, in bursts, as fast as ``per_burst`` says; every ``cut`` frames the connection changes."""

    name: ClassVar[str] = "unsteady"
    market_time: ClassVar[bool] = False

    path: str
    frames: int = 6_000
    per_burst: int = 20
    cut: int = 500
    seed: int = 1
    gap: bool = True  # near the end a depth frame is missing, so that the book is no longer to be believed
    forever: bool = False  # wait to be stopped

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        self._codec = BinanceCodec()
        self._now = context.clock.now_ns
        instrument = known_instrument(USDM, "BTCUSDT")
        assert instrument is not None
        return (instrument,)

    def codec(self) -> Codec:
        return self._codec

    async def run(self, sink: FeedSink) -> None:
        chance = np.random.default_rng(self.seed)
        connection = 0
        sink.on_connection(0, up=True)
        lines = itertools.islice(RecordingReader(Path(self.path), "ns", print), self.frames)
        lost = not self.gap
        for count, (_, _, data) in enumerate(lines, 1):
            if sink.stopping:
                return
            if not lost and count > 0.9 * self.frames and b"depthUpdate" in data:
                lost = True
                continue
            sink.on_message(data, self._now(), connection=connection)
            if not count % self.cut:
                sink.on_connection(connection, up=False, reason="cut by\nthe venue")
                await asyncio.sleep(0.02)
                connection = 1 - connection
                sink.on_connection(connection, up=True)
                sink.on_damage("connection", f"resumed: frame {count}")
                sink.on_message(data, self._now(), connection=connection)  # an overlap: this one came on both
                sink.on_message(b'{"torn', self._now(), connection=connection)
            if not count % self.per_burst:
                await asyncio.sleep(float(chance.exponential(0.006)))
        while self.forever and not sink.stopping:
            await asyncio.sleep(0.01)


class MoodyModel:
    """Probabilities that depend on the row; on one row in ten it takes its time."""

    def __init__(self, slow_ms: float) -> None:
        self.slow_ms = slow_ms

    def predict(self, batch: np.ndarray) -> np.ndarray:
        if self.slow_ms and np.abs(batch[-1, -1]).sum() * 1e4 % 10 < 1:
            time.sleep(self.slow_ms / 1_000)
        powers = np.exp(np.tanh(batch[:, -1, :3].astype(np.float64)) * 2)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    def close(self) -> None: ...


class MoodyBackend(ModelBackend):
    """Opens any file."""

    name = "moody"
    suffixes = (".txt",)

    slow_ms: float = 0.0

    def open(self, bundle: BundleInfo) -> Model:
        return MoodyModel(self.slow_ms)
