"""A stream laid out over any number of books is the same events, and each book goes through the stream's states."""

from __future__ import annotations

import numpy as np
import pytest

from vtframe.cli.bench.material import Material
from vtframe.cli.bench.spread import BURST, WAYS, Order, as_records, by_batch, instrument_rows, pipeline_of, spread
from vtframe.domain import EVENT, BookState, EventKind, Side


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
def test_every_instrument_ends_where_the_next_one_begins(material: Material, order: Order, count: int) -> None:
    laid = spread(material, count, order)
    pipeline = pipeline_of(material, count, laid, ring_rows=8)
    by_batch(pipeline, laid)
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


def test_any_number_of_instruments_gets_the_same_events(material: Material) -> None:
    one = spread(material, 1, "round-robin")
    for order in ("round-robin", "bursts"):
        many = spread(material, 8, order)
        left_over = len(one.frames) - len(many.frames)
        assert 0 <= left_over < 8  # what does not divide
        kept = int(one.frames["n_events"][: len(many.frames)].sum())
        assert contents(many.events) == contents(one.events[:kept])
        assert np.all(np.bincount(many.frames["instrument"]) == len(many.frames) // 8)


def test_round_robin_takes_turns_and_bursts_do_not(material: Material) -> None:
    for order, run in (("round-robin", 1), ("bursts", BURST)):
        laid = spread(material, 4, order)
        assert laid.frames["instrument"][: 4 * run].tolist() == np.repeat(np.arange(4), run).tolist()


def test_the_three_ways_make_the_same_rows(material: Material) -> None:
    laid = spread(material, 4, "round-robin")
    digests = set()
    for way in WAYS.values():
        pipeline = pipeline_of(material, 4, laid, ring_rows=64)
        assert way(pipeline, laid) > 0
        digests.add(pipeline.state_digest())
    assert len(digests) == 1


@pytest.mark.parametrize(("count", "ring_rows"), [(1, 8), (3, 8), (3, 4096), (1000, 8)])
def test_batch_hands_out_the_rows_that_single_frames_make_in_their_order(
    material: Material, count: int, ring_rows: int
) -> None:
    laid = spread(material, count, "round-robin")
    one = pipeline_of(material, count, laid, ring_rows=ring_rows)
    records = as_records(laid.frames, laid.events)
    meta, values = [], []
    for index in range(len(laid.frames)):
        for owner in [one.new_rows[k] for k in range(one.process(records, index, index + 1))]:
            meta.append(one.ring.window_meta(owner, 1)[0].tobytes())
            values.append(one.ring.window(owner, 1)[0].tobytes())
    other = pipeline_of(material, count, laid, ring_rows=ring_rows)
    batches = list(other.batch(laid.frames, laid.events))
    assert len(meta) > 500
    assert b"".join(batch.meta.tobytes() for batch in batches) == b"".join(meta)
    assert b"".join(batch.values.tobytes() for batch in batches) == b"".join(values)
    assert sum(len(batch.meta) for batch in other.batch(laid.frames[:0], laid.events)) == 0


def test_batch_is_right_after_a_call_that_made_more_rows_than_the_ring_holds(material: Material) -> None:
    laid = spread(material, 3, "bursts")
    pipeline = pipeline_of(material, 3, laid, ring_rows=8)
    half = len(laid.frames) // 2
    pipeline.process(as_records(laid.frames, laid.events), 0, half)  # makes room for all of them
    again = pipeline_of(material, 3, laid, ring_rows=8)
    for _ in again.batch(laid.frames[:half], laid.events):
        pass
    rows = [[batch.meta.tobytes() for batch in one.batch(laid.frames[half:], laid.events)] for one in (pipeline, again)]
    assert b"".join(rows[0]) == b"".join(rows[1]) != b""


def test_the_rows_of_the_bench_are_there_for_a_stream_of_one_instrument_that_is_long_enough(material: Material) -> None:
    assert list(instrument_rows(material, print)) == []  # too short for a thousand
    said: list[str] = []
    rows = list(instrument_rows(Material((), market_seconds=30.0), said.append))
    assert [row.unit for row in rows] == ["ns/event"] * 2
    assert all(row.baseline_median and row.median > 0 for row in rows)
    assert "1,000 instruments" in said[0]
