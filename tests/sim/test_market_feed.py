"""The embedded market as a session meets it: through the hooks, by its settings, in blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from vtframe.api import ConfigError, FeedContext
from vtframe.builtin.market.feed import BLOCK, START_NS, EmbeddedMarket
from vtframe.builtin.market.hooks import register_feeds
from vtframe.clock import EventClock
from vtframe.domain import InstrumentKind, Records, SequenceRule
from vtframe.kernels import Generated, KernelCache

CONTEXT = FeedContext(codecs={}, folder=Path(), clock=EventClock())


class Collector:
    """A sink that keeps everything, and stops after so many blocks."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.frames: list[np.ndarray] = []
        self.events: list[np.ndarray] = []
        self.stop_after = stop_after

    @property
    def stopping(self) -> bool:
        return self.stop_after is not None and len(self.frames) >= self.stop_after

    def on_records(self, records: Records) -> None:
        assert records.n_events == int(records.frames["n_events"][: records.n_frames].sum())
        self.frames.append(records.frames[: records.n_frames].copy())
        self.events.append(records.events[: records.n_events].copy())

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate(self.frames), np.concatenate(self.events)


def play(*, stop_after: int | None = None, **settings: Any) -> Collector:
    feed = msgspec.convert(settings, EmbeddedMarket)
    feed.open(CONTEXT)
    sink = Collector(stop_after=stop_after)
    asyncio.run(feed.run(sink))
    return sink


def test_the_hooks_register_it_under_its_name() -> None:
    assert {feed.name: feed for feed in register_feeds()} == {"market": EmbeddedMarket}


def test_open_tells_the_instruments_and_the_sequence_rule() -> None:
    feed = EmbeddedMarket(instruments=2)
    first, second = feed.open(CONTEXT)
    assert (first.instrument_id, second.instrument_id) == ("SIMUSDT@sim", "SIM2USDT@sim")
    assert first.kind is InstrumentKind.LINEAR
    assert (str(first.price(first.tick_size)), str(first.quantity(first.lot_size))) == ("0.1", "0.001")
    assert (str(first.maker_fee), str(first.taker_fee)) == ("0.0002", "0.0005")
    assert feed.sequence_rule(0) is SequenceRule.PREVIOUS
    assert feed.codec() is None
    assert EmbeddedMarket.market_time


def test_what_compiling_the_market_takes_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first start compiles for seconds: the kernel cache says so, and the feed hands it on."""
    compiled: list[str] = []

    def load(self: KernelCache, code: Generated) -> Callable[..., int]:
        if code.digest not in compiled:
            compiled.append(code.digest)
            self._report(f"compiling {code.what}")
        return lambda *_: 1

    monkeypatch.setattr(KernelCache, "load", load)
    told: list[str] = []
    EmbeddedMarket(instruments=3).open(msgspec.structs.replace(CONTEXT, announce=told.append))
    assert told == ["compiling the embedded market; kept for the next start"]


def test_it_ends_when_the_simulated_time_is_over() -> None:
    frames, events = play(duration_s=30.0).all()
    assert (events["ts_event"] <= START_NS + 30_000_000_000).all()
    assert events["ts_event"][-1] > START_NS + 29_000_000_000
    assert len(frames) > 2_000


def test_it_ends_after_the_frames_asked_for_and_says_so_in_total() -> None:
    frames, _ = play(max_frames=5_001).all()
    assert len(frames) == 5_001
    assert EmbeddedMarket(max_frames=5_001).total() == 5_001
    assert EmbeddedMarket().total() is None


def test_it_stops_between_two_blocks() -> None:
    sink = play(duration_s=100_000.0, stop_after=2)
    assert len(sink.frames) == 2
    assert all(len(frames) <= BLOCK + 1 for frames in sink.frames)


def test_a_paced_market_is_the_same_market() -> None:
    paced, fast = play(duration_s=20.0, speed=100.0).all(), play(duration_s=20.0).all()
    assert paced[1].tobytes() == fast[1].tobytes()
    for field in ("input", "ts_recv", "first_id", "last_id", "previous_id", "kind", "n_events"):
        assert (paced[0][field] == fast[0][field]).all()


def test_several_books_are_independent_and_arrive_in_order() -> None:
    frames, events = play(duration_s=20.0, instruments=3).all()
    alone, alone_events = play(duration_s=20.0).all()
    assert set(frames["instrument"]) == {0, 1, 2}
    assert (np.diff(frames["ts_recv"]) >= 0).all()
    assert (frames["input"] == np.arange(len(frames))).all()
    assert (np.repeat(frames["instrument"], frames["n_events"]) == events["instrument"]).all()
    assert (np.repeat(frames["input"], frames["n_events"]) == events["frame"]).all()
    fields = ["ts_event", "price", "quantity", "flags", "kind", "side"]
    assert events[events["instrument"] == 0][fields].tolist() == alone_events[fields].tolist()
    assert (frames["last_id"][frames["instrument"] == 0] == alone["last_id"]).all()
    other = events[events["instrument"] == 1]["ts_event"][:1000]
    assert other.tolist() != alone_events["ts_event"][:1000].tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "`int` >= 0 - at `\\$.seed`"),
        ({"duration_s": 0.0}, "`float` > 0.0 - at `\\$.duration_s`"),
        ({"instruments": 0}, "`int` >= 1 - at `\\$.instruments`"),
        ({"speed": -1.0}, "`float` > 0.0 - at `\\$.speed`"),
        ({"start_price": 10.0}, "`float` >= 10000.0 - at `\\$.start_price`"),
        ({"regime": "wild"}, "Invalid enum value 'wild' - at `\\$.regime`"),
        ({"max_frames": 0}, "`int` >= 1 - at `\\$.max_frames`"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(settings, EmbeddedMarket)


def test_a_start_price_between_two_ticks_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"feed start_price: 61800.04 is not a multiple of the tick 0.1; the nearest is 61800.0"
    ):
        EmbeddedMarket(start_price=61_800.04).open(CONTEXT)
