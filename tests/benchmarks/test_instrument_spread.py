"""benchmarks/instruments.py gives the same events to any number of books, and each of them goes through the stream's states."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vtframe.cli.bench.material import Material
from vtframe.domain import EVENT, BookState, EventKind, Side


@pytest.fixture(scope="module")
def instruments(root: Path) -> Iterator[ModuleType]:
    """The script, imported as a module."""
    sys.path.insert(0, str(root / "benchmarks"))
    try:
        import instruments

        yield instruments
    finally:
        sys.path.remove(str(root / "benchmarks"))


@pytest.fixture(scope="module")
def material() -> Material:
    return Material((), market_seconds=10.0)


def contents(events: np.ndarray) -> list[bytes]:
    """Events without their instrument, in no order."""
    bare = events.copy()
    bare["instrument"] = 0
    return sorted(event.tobytes() for event in bare.view(np.dtype((np.void, EVENT.itemsize))))


@pytest.mark.parametrize("order", ["round-robin", "bursts"])
@pytest.mark.parametrize("count", [2, 8])
def test_every_instrument_ends_where_the_next_one_begins(
    instruments: ModuleType, material: Material, order: str, count: int
) -> None:
    laid = instruments.spread(material, count, order)
    pipeline = instruments.pipeline_of(material, count, laid, ring_rows=8)
    instruments.by_batch(pipeline, laid)
    assert pipeline.counts().gaps == pipeline.counts().crossed == pipeline.counts().old_frames == 0
    pictures = laid.snapshots
    for instrument in range(count):
        assert pipeline.books.state(instrument) == BookState.LIVE
        if instrument + 1 == count:
            continue
        frame = pictures.frames[instrument + 1]
        levels = pictures.events[int(frame["first_event"]) : int(frame["first_event"] + frame["n_events"])]
        for side in Side:
            prices, quantities = pipeline.books.levels(instrument, side, pipeline.books.capacity)
            chosen = levels[(levels["kind"] == EventKind.BOOK_DELTA) & (levels["side"] == int(side))]
            assert dict(zip(prices.tolist(), quantities.tolist(), strict=True)) == dict(
                zip(chosen["price"].tolist(), chosen["quantity"].tolist(), strict=True)
            )


def test_any_number_of_instruments_gets_the_same_events(instruments: ModuleType, material: Material) -> None:
    one = instruments.spread(material, 1, "round-robin")
    for order in ("round-robin", "bursts"):
        many = instruments.spread(material, 8, order)
        left_over = len(one.frames) - len(many.frames)
        assert 0 <= left_over < 8  # what does not divide
        kept = int(one.frames["n_events"][: len(many.frames)].sum())
        assert contents(many.events) == contents(one.events[:kept])
        assert np.all(np.bincount(many.frames["instrument"]) == len(many.frames) // 8)


def test_round_robin_takes_turns_and_bursts_do_not(instruments: ModuleType, material: Material) -> None:
    for order, run in (("round-robin", 1), ("bursts", instruments.BURST)):
        laid = instruments.spread(material, 4, order)
        assert laid.frames["instrument"][: 4 * run].tolist() == np.repeat(np.arange(4), run).tolist()


def test_the_three_ways_make_the_same_rows(instruments: ModuleType, material: Material) -> None:
    laid = instruments.spread(material, 4, "round-robin")
    digests = set()
    for way in instruments.WAYS.values():
        pipeline = instruments.pipeline_of(material, 4, laid, ring_rows=64)
        assert way(pipeline, laid) > 0
        digests.add(pipeline.state_digest())
    assert len(digests) == 1


@pytest.mark.parametrize(("count", "ring_rows"), [(1, 8), (3, 8), (3, 4096), (1000, 8)])
def test_batch_hands_out_the_rows_that_single_frames_make_in_their_order(
    instruments: ModuleType, material: Material, count: int, ring_rows: int
) -> None:
    laid = instruments.spread(material, count, "round-robin")
    one = instruments.pipeline_of(material, count, laid, ring_rows=ring_rows)
    records = instruments._as_records(laid.frames, laid.events)
    meta, values = [], []
    for index in range(len(laid.frames)):
        for owner in [one.new_rows[k] for k in range(one.process(records, index, index + 1))]:
            meta.append(one.ring.window_meta(owner, 1)[0].tobytes())
            values.append(one.ring.window(owner, 1)[0].tobytes())
    other = instruments.pipeline_of(material, count, laid, ring_rows=ring_rows)
    batches = list(other.batch(laid.frames, laid.events))
    assert len(meta) > 500
    assert b"".join(batch.meta.tobytes() for batch in batches) == b"".join(meta)
    assert b"".join(batch.values.tobytes() for batch in batches) == b"".join(values)
    assert sum(len(batch.meta) for batch in other.batch(laid.frames[:0], laid.events)) == 0


def test_batch_is_right_after_a_call_that_made_more_rows_than_the_ring_holds(
    instruments: ModuleType, material: Material
) -> None:
    laid = instruments.spread(material, 3, "bursts")
    pipeline = instruments.pipeline_of(material, 3, laid, ring_rows=8)
    half = len(laid.frames) // 2
    pipeline.process(instruments._as_records(laid.frames, laid.events), 0, half)  # makes room for all of them
    again = instruments.pipeline_of(material, 3, laid, ring_rows=8)
    for _ in again.batch(laid.frames[:half], laid.events):
        pass
    rows = [[batch.meta.tobytes() for batch in one.batch(laid.frames[half:], laid.events)] for one in (pipeline, again)]
    assert b"".join(rows[0]) == b"".join(rows[1]) != b""
