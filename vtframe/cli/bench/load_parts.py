"""Parts of benches: markets in real time at a given rate, and a model that takes a given time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vtframe.api import BookWatch, BundleInfo, Feed, FeedSink, LaneView, Model, ModelBackend, Strategy, hookimpl
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.builtin.recorded.feed import RecordedFeed
from vtframe.clock import LiveClock
from vtframe.domain import FrameKind, Intent, Prediction, Records
from vtframe.errors import InvariantError


class PacedMarket(EmbeddedMarket):
    """The embedded market's frames as a live feed would bring them: stamped now, ``frames_per_s`` of them, for ``seconds``."""

    name = "bench_paced"
    market_time: ClassVar[bool] = False

    frames_per_s: Annotated[int, Meta(ge=1)] = 20_000
    seconds: Annotated[float, Meta(gt=0)] = 10.0

    async def run(self, sink: FeedSink) -> None:
        """A millisecond's frames at a time; what is behind is caught up."""
        (market,) = self._markets
        records, clock = Records(frames=64), LiveClock()
        began, sent = time.perf_counter(), 0
        while not sink.stopping:
            elapsed = time.perf_counter() - began
            if elapsed > self.seconds:
                return
            due = int(elapsed * self.frames_per_s) - sent
            if due < max(1, self.frames_per_s // 1_000):
                await asyncio.sleep(0.0005)
                continue
            records.clear()
            market.generate(records, frames=min(due, self.frames_per_s // 200 + 1))
            now = clock.now_ns()
            records.frames["ts_recv"][: records.n_frames] = now
            records.events["ts_event"][: records.n_events] = now - 1_000_000
            sent += records.n_frames
            sink.on_records(records)
            await asyncio.sleep(0)


class SteadyMarket(EmbeddedMarket):
    """The embedded market's frames at a rate that never changes: one depth frame, with the trade that made it, every
    1 / ``rows_per_s`` seconds, so that rows of ``every = "frame"`` come like a clock. What is behind is caught up."""

    name = "bench_steady"
    market_time: ClassVar[bool] = False

    rows_per_s: Annotated[int, Meta(ge=1)] = 100

    async def run(self, sink: FeedSink) -> None:
        """Until somebody stops the session."""
        (market,) = self._markets
        records, clock = Records(frames=64), LiveClock()
        began, sent = time.perf_counter(), 0
        while not sink.stopping:
            wait = began + sent / self.rows_per_s - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            records.clear()
            while records.n_frames == 0 or records.frames["kind"][records.n_frames - 1] == FrameKind.TRADE:
                market.generate(records, frames=1)
            now = clock.now_ns()
            records.frames["ts_recv"][: records.n_frames] = now
            records.events["ts_event"][: records.n_events] = now - 1_000_000
            sent += 1
            sink.on_records(records)
            await asyncio.sleep(0)


class PacedRecording(RecordedFeed):
    """Recorded messages as a live feed would bring them, ``messages_per_s`` of them: stamped now, in an event loop that polls,
    so that whatever else is due (a venue's answers) has its turn between two."""

    name = "bench_paced_recording"
    market_time: ClassVar[bool] = False

    messages_per_s: Annotated[int, Meta(ge=1)] = 5_000

    async def run(self, sink: FeedSink) -> None:
        taken: list[bytes] = []
        await super().run(_Keeper(taken))
        now_ns, now = LiveClock().now_ns, time.perf_counter
        began, step = now(), 1 / self.messages_per_s
        for number, data in enumerate(taken):
            while now() < began + number * step:
                await asyncio.sleep(0)
            if sink.stopping:
                return
            sink.on_message(data, now_ns())


class _Keeper:
    """A sink that keeps messages."""

    stopping = False

    def __init__(self, taken: list[bytes]) -> None:
        self._taken = taken

    @property
    def books(self) -> BookWatch:
        raise InvariantError("a recording looks at no book")

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self._taken.append(bytes(data))

    def on_records(self, records: Records) -> None:
        raise InvariantError("these recordings have no messages")

    def on_damage(self, where: str, problem: str) -> None:
        raise InvariantError(f"{where}: {problem}")

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """Nothing to keep."""


class Seldom(Strategy):
    """Long, then flat, then long again: an order every ``rows`` predictions, so that a venue's limits are kept."""

    name = "bench_seldom"

    rows: Annotated[int, Meta(ge=1)] = 17

    def start(self, view: LaneView) -> None:
        self._until = self.rows

    def on_prediction(self, prediction: Prediction, view: LaneView) -> Intent | None:
        self._until -= 1
        if self._until > 0:
            return None
        self._until = self.rows
        index = prediction.instrument
        target = 0 if view.position(index).quantity else 10 * view.instrument(index).lot_size
        return Intent(instrument=index, target=target, cause="bench", prediction=prediction)


class _Timed:
    def __init__(self, seconds: float, outputs: int) -> None:
        self._seconds = seconds
        self._answers = np.full((1_024, outputs), 1 / outputs, np.float32)

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._seconds:
            time.sleep(self._seconds)
        return self._answers[: len(batch)]

    def close(self) -> None:
        """It holds nothing."""


class TimedBackend(ModelBackend):
    """Opens anything; a call takes ``milliseconds``."""

    name = "bench_timed"
    suffixes = (".onnx",)

    milliseconds: Annotated[float, Meta(ge=0)] = 0.0

    def open(self, bundle: BundleInfo) -> Model:
        return _Timed(self.milliseconds / 1e3, len(bundle.classes))


@hookimpl
def register_feeds() -> Sequence[type[Feed]]:
    return (PacedMarket, SteadyMarket, PacedRecording)


@hookimpl
def register_strategies() -> Sequence[type[Strategy]]:
    return (Seldom,)


@hookimpl
def register_model_backends() -> Sequence[type[ModelBackend]]:
    return (TimedBackend,)
