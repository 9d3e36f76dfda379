"""What benchmarks/peers.py feeds to its peers is the recording, whole and in order. No peer is needed to test that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtframe.book import Books
from vtframe.builtin.features.book_imbalance import BookImbalance
from vtframe.cli.bench.material import Material
from vtframe.domain import EVENT, FRAME, BookState, EventKind, FrameKind, SequenceRule, Side
from vtframe.features.pipeline import Pipeline

BUY, SELL, EXCHANGE, LOCAL = 1 << 29, 1 << 28, 1 << 31, 1 << 30  # hftbacktest's types.py


@pytest.fixture(scope="module")
def replay_events(root: Path) -> Iterator[ModuleType]:
    """benchmarks/replay_events.py, imported as the scripts import it."""
    sys.path.insert(0, str(root / "benchmarks"))
    try:
        import replay_events

        yield replay_events
    finally:
        sys.path.remove(str(root / "benchmarks"))


@pytest.fixture(scope="module")
def convert(replay_events: ModuleType) -> ModuleType:
    import hftbacktest_format

    return hftbacktest_format


@pytest.fixture(scope="module")
def material(data: Path) -> Material:
    return Material((data / "binance" / "usdm_btcusdt_20240808.gz",))


def books_of(material: Material, frames: np.ndarray, events: np.ndarray) -> Pipeline:
    pipeline = Pipeline([BookImbalance()], material.instruments, material.rules, dtype="float64")
    for _ in pipeline.batch(frames, events):
        pass
    return pipeline


def levels(books: Books, side: Side) -> dict[int, int]:
    prices, quantities = books.levels(0, side, books.capacity)
    return dict(zip(prices.tolist(), quantities.tolist(), strict=True))


def test_the_replay_ends_in_the_book_of_the_whole_recording(replay_events: ModuleType, material: Material) -> None:
    replay = replay_events.book_replay(material.frames, material.events, material.rules[0])
    whole, ordered = (
        books_of(material, frames, events).books
        for frames, events in ((material.frames, material.events), (replay.frames, replay.events))
    )
    assert ordered.state(0) == whole.state(0) == BookState.LIVE
    assert ordered.update_id(0) == whole.update_id(0)
    for side in Side:
        assert levels(ordered, side) == levels(whole, side)
    assert ordered.counts(0).gaps == ordered.counts(0).old_frames == 0


def test_the_replay_leaves_out_only_what_no_book_takes(replay_events: ModuleType, material: Material) -> None:
    replay = replay_events.book_replay(material.frames, material.events, material.rules[0])
    whole = books_of(material, material.frames, material.events).books.counts(0)
    depth = np.isin(material.frames["kind"], (FrameKind.DEPTH, FrameKind.SNAPSHOT))
    assert len(replay.frames) == int(depth.sum()) - whole.old_frames
    assert replay.frames["kind"][0] == FrameKind.SNAPSHOT
    assert int(replay.frames["n_events"].sum()) == len(replay.events)
    assert np.all(np.diff(replay.frames["ts_recv"]) >= 0)


def test_a_recording_without_a_snapshot_is_refused(replay_events: ModuleType) -> None:
    with pytest.raises(ValueError, match="no snapshot"):
        replay_events.book_replay(np.zeros(0, FRAME), np.zeros(0, EVENT), SequenceRule.NONE)


def test_hftbacktest_rows_have_its_layout_and_flags(replay_events: ModuleType, convert: ModuleType, material: Material) -> None:
    replay = replay_events.book_replay(material.frames, material.events, material.rules[0])
    rows, _ = convert.to_hftbacktest(replay, material.instruments[0])
    assert rows.dtype.itemsize == 64
    assert rows.dtype.names == ("ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval")
    assert [rows.dtype[name].str for name in rows.dtype.names] == ["<u8", "<i8", "<i8", "<f8", "<f8", "<u8", "<i8", "<f8"]
    kind = rows["ev"] & 0xFF
    pictured = int(replay.frames["n_events"][0])
    assert kind[0] == 3
    assert np.all(kind[1:pictured] == 4)
    assert np.all(kind[pictured:] == 1)
    sided = np.array([bool(ev & BUY) != bool(ev & SELL) for ev in rows["ev"].tolist()])
    assert not sided[0]
    assert sided[1:].all()


def test_hftbacktest_rows_lose_nothing(replay_events: ModuleType, convert: ModuleType, material: Material) -> None:
    replay = replay_events.book_replay(material.frames, material.events, material.rules[0])
    instrument = material.instruments[0]
    rows, moved = convert.to_hftbacktest(replay, instrument)
    local = rows[(rows["ev"] & LOCAL) != 0]
    assert len(local) == len(replay.events) == int(((rows["ev"] & EXCHANGE) != 0).sum())
    deltas = replay.events["kind"] == EventKind.BOOK_DELTA
    np.testing.assert_array_equal(
        np.rint(local["px"] * 10.0**instrument.price_decimals)[deltas], replay.events["price"][deltas]
    )
    np.testing.assert_array_equal(
        np.rint(local["qty"] * 10.0**instrument.quantity_decimals)[deltas], replay.events["quantity"][deltas]
    )
    buys = (local["ev"] & BUY) != 0
    np.testing.assert_array_equal(np.where(buys, 1, -1)[deltas], replay.events["side"][deltas])
    np.testing.assert_array_equal(local["exch_ts"], replay.events["ts_event"])
    np.testing.assert_array_equal(local["local_ts"] - moved, np.repeat(replay.frames["ts_recv"], replay.frames["n_events"]))
    assert (local["local_ts"] - local["exch_ts"]).min() == 1_000_000  # this recorder's clock ran behind


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=30))
def test_each_side_of_hftbacktest_sees_every_row_once_in_its_own_order(
    replay_events: ModuleType, convert: ModuleType, steps: list[tuple[int, int]]
) -> None:
    """Exchange times that go back, as venues' do: its validate_event_order asks the same of both sides."""
    rows = np.zeros(len(steps), convert.RECORD)
    rows["exch_ts"] = [exchange for exchange, _ in steps]
    rows["local_ts"] = 10 + np.cumsum([gap for _, gap in steps])
    rows["order_id"] = np.arange(len(steps))
    both = convert._in_both_orders(rows)
    for flag, time in ((EXCHANGE, "exch_ts"), (LOCAL, "local_ts")):
        seen = both[(both["ev"] & flag) != 0]
        assert np.all(np.diff(seen[time]) >= 0)
        assert sorted(seen["order_id"].tolist()) == list(range(len(steps)))
    assert np.all(np.diff(both["order_id"][(both["ev"] & LOCAL) != 0].astype(np.int64)) == 1)
