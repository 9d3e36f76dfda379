"""When rows are made, by each rule, and which of them are valid."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import structs

from vtframe.api import Feature, Kernel
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind, Records, SequenceRule
from vtframe.errors import InvariantError
from vtframe.features import Pipeline, Sampling, schema_hash
from vtframe.testing.market import INSTRUMENT

BID, ASK = (1, 100, 5), (-1, 101, 7)
MS = 1_000_000


class Bid(Feature, frozen=True):
    """The best bid's quantity."""

    name = "bid"

    def kernel(self) -> Kernel:
        def on_row(moment, book, state, out):
            out[0] = book.bid_quantity[0] if book.bid_quantity[0] > 0.0 else np.nan

        return Kernel(on_row=on_row, warmup=1)


class Film:
    """Frames of two instruments at chosen milliseconds."""

    def __init__(self) -> None:
        self.records = Records()

    def add(self, kind: FrameKind, ms: int, last_id: int, events: list[tuple], instrument: int = 0) -> Film:
        rows = [(0, ms * MS - 1, p, q, 0, instrument, flags, int(k), side) for k, side, p, q, flags in events]
        ids = {"first_id": last_id, "last_id": last_id}
        number = self.records.n_frames
        self.records.append(kind=kind, instrument=instrument, events=rows, ts_recv=ms * MS, number=number, **ids)
        return self

    def snapshot(self, ms: int, last_id: int, *levels: tuple[int, int, int], instrument: int = 0) -> Film:
        deltas = [(EventKind.BOOK_DELTA, side, p, q, 1) for side, p, q in levels]
        return self.add(FrameKind.SNAPSHOT, ms, last_id, [(EventKind.BOOK_CLEAR, 0, 0, 0, 1), *deltas], instrument)

    def depth(self, ms: int, last_id: int, *levels: tuple[int, int, int], instrument: int = 0) -> Film:
        return self.add(FrameKind.DEPTH, ms, last_id, [(EventKind.BOOK_DELTA, s, p, q, 0) for s, p, q in levels], instrument)

    def trade(self, ms: int, *flags: int) -> Film:
        return self.add(FrameKind.TRADE, ms, -1, [(EventKind.TRADE, 1, 101, 1, flag) for flag in flags])


def film() -> Film:
    made = Film()
    made.depth(5, 3, BID)  # 0: nothing to apply it to
    made.snapshot(10, 5, BID, ASK)  # 1
    made.depth(20, 6, (1, 90, 4))  # 2: far from the best
    made.trade(25, 0, 0)  # 3
    made.trade(26, int(EventFlag.NON_MARKET))  # 4
    made.depth(30, 7, (1, 100, 6))  # 5: the best bid's quantity
    made.depth(40, 9, (1, 99, 1))  # 6: a gap
    made.trade(45, 0)  # 7
    made.depth(50, 10, (1, 99, 2))  # 8
    made.snapshot(60, 10, BID, ASK)  # 9
    made.depth(65, 11, (1, 100, 0), (1, 90, 0))  # 10: the bid side is empty
    made.depth(70, 12, (1, 100, 3))  # 11
    return made


def rows_of(sampling: Sampling, *, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    records = film().records
    pipeline = Pipeline([Bid()], [INSTRUMENT], [SequenceRule.INCREMENT], sampling=sampling, dtype=dtype)  # type: ignore[arg-type]
    pipeline.process(records)
    assert pipeline.ring.head(0) == pipeline.counts().rows == len(pipeline.new_rows)
    return pipeline.ring.window_meta(0, pipeline.ring.head(0)), pipeline.ring.window(0, pipeline.ring.head(0))[:, 0]


def test_every_depth_frame_makes_a_row_and_a_book_that_is_not_live_an_invalid_one() -> None:
    meta, values = rows_of(Sampling())
    assert meta["input"].tolist() == [0, 1, 2, 5, 6, 8, 9, 10, 11]
    lost, live = int(BookState.GAP), int(BookState.LIVE)
    assert meta["state"].tolist() == [int(BookState.SYNCING), live, live, live, lost, lost, live, live, live]
    #      waits, resync (warming up), two valid, gap, gap, resync (warming up), empty side, valid
    assert meta["valid"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 1]
    nan = np.nan
    np.testing.assert_array_equal(values, np.array([nan, 5, 5, 6, nan, nan, 5, nan, 3]) / 1000)
    assert meta["update_id"].tolist() == [-1, 5, 6, 7, 7, 7, 10, 11, 12]
    assert meta["bid_quantity"].tolist() == [0, 5, 5, 6, 6, 6, 5, 0, 3]
    assert meta["ts_recv"].tolist() == [ms * MS for ms in (5, 10, 20, 30, 40, 50, 60, 65, 70)]
    assert meta["ts_event"][1:4].tolist() == [10 * MS - 1, 20 * MS - 1, 30 * MS - 1]


def test_every_change_of_the_best_prices_or_quantities_makes_a_row_and_so_does_a_loss() -> None:
    meta, _ = rows_of(Sampling(every="bbo"))
    assert meta["input"].tolist() == [1, 5, 6, 9, 10, 11]
    assert meta["valid"].tolist() == [0, 1, 0, 0, 0, 1]


def test_every_frame_with_a_market_trade_makes_a_row() -> None:
    meta, _ = rows_of(Sampling(every="trade"))
    assert meta["input"].tolist() == [3, 7]
    assert meta["state"].tolist() == [BookState.LIVE, BookState.GAP]
    assert meta["valid"].tolist() == [0, 0]


def test_a_clock_makes_a_row_for_every_boundary_before_the_input_that_passes_it() -> None:
    meta, values = rows_of(Sampling(every="clock", interval_ms=10))
    assert meta["ts_recv"].tolist() == [ms * MS for ms in (10, 20, 30, 40, 50, 60, 70)]
    assert meta["input"].tolist() == [1, 2, 5, 6, 8, 9, 11]
    np.testing.assert_array_equal(values, np.array([np.nan, 5, 5, 6, np.nan, np.nan, np.nan]) / 1000)
    assert meta["update_id"].tolist() == [-1, 5, 6, 7, 7, 7, 11]
    assert meta["valid"].tolist() == [0, 0, 1, 1, 0, 0, 0]


def test_a_clock_makes_rows_of_every_instrument_and_one_for_each_boundary_of_a_silence() -> None:
    film = Film()
    film.snapshot(5, 1, BID, ASK)
    film.snapshot(15, 1, BID, ASK, instrument=1)
    film.depth(10_000, 2, instrument=1)
    sampling = Sampling(every="clock", interval_ms=10)
    rules = [SequenceRule.INCREMENT] * 2

    def pipeline(rows: int) -> Pipeline:
        return Pipeline([Bid()], [INSTRUMENT] * 2, rules, sampling=sampling, ring_rows=rows, dtype="float64")

    wide = pipeline(4096)
    assert wide.process(film.records) == 2 * 1000
    assert wide.new_rows.tolist() == [0, 1] * 1000
    assert wide.ring.window_meta(1, 1000)["ts_recv"].tolist() == [ms * MS for ms in range(10, 10_001, 10)]
    narrow = pipeline(2)
    batches = list(narrow.batch(film.records.frames[:3], film.records.events[: film.records.n_events]))
    assert len(batches) > 100
    assert np.concatenate([batch.meta["instrument"] for batch in batches]).tolist() == [0, 1] * 1000
    values = np.concatenate([batch.values for batch in batches])
    assert values[1::2].tobytes() == wide.ring.window(1, 1000).tobytes()
    assert narrow.process(film.records, 3, 3) == 0
    small = pipeline(2)
    assert small.process(film.records) == 2000  # one call may make more rows than the ring holds
    assert small.new_rows.tolist() == [0, 1] * 1000


@pytest.mark.parametrize("every", ["frame", "bbo", "trade"])
@pytest.mark.parametrize("ring_rows", [1, 3])
def test_a_batch_yields_every_row_however_small_the_ring(every: str, ring_rows: int) -> None:
    records = film().records
    sampling = Sampling(every=every)  # type: ignore[arg-type]
    pipeline = Pipeline(
        [Bid()], [INSTRUMENT], [SequenceRule.INCREMENT], sampling=sampling, ring_rows=ring_rows, dtype="float64"
    )
    batches = list(pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events]))
    meta, values = rows_of(sampling)
    assert np.concatenate([batch.values for batch in batches])[:, 0].tobytes() == values.tobytes()
    assert np.concatenate([batch.meta for batch in batches])["input"].tolist() == meta["input"].tolist()


def test_a_value_that_float32_cannot_hold_makes_the_row_invalid() -> None:
    class Huge(Feature, frozen=True):
        name = "huge"

        def kernel(self) -> Kernel:
            def on_row(moment, book, state, out):
                out[0] = 1e39

            return Kernel(on_row=on_row)

    for dtype, valid in (("float32", 0), ("float64", 1)):
        pipeline = Pipeline([Huge()], [INSTRUMENT], [SequenceRule.INCREMENT], dtype=dtype)  # type: ignore[arg-type]
        pipeline.process(Film().snapshot(1, 1, BID, ASK).records)
        assert pipeline.ring.window_meta(0, 1)["valid"].tolist() == [valid]


def test_a_clear_within_a_diff_starts_the_features_afresh() -> None:
    made = Film().snapshot(1, 1, BID, ASK).depth(2, 2)
    clear = (EventKind.BOOK_CLEAR, 0, 0, 0, 0)
    deltas = [(EventKind.BOOK_DELTA, side, price, quantity, 0) for side, price, quantity in (BID, ASK)]
    made.add(FrameKind.DEPTH, 3, 3, [clear, *deltas]).depth(4, 4)
    pipeline = Pipeline([Bid()], [INSTRUMENT], [SequenceRule.INCREMENT], dtype="float64")
    pipeline.process(made.records)
    assert pipeline.ring.window_meta(0, 4)["valid"].tolist() == [0, 1, 0, 1]  # warm-up from 0 again


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"every": "clock"}, "interval_ms: missing"),
        ({"every": "frame", "interval_ms": 10}, 'interval_ms: found 10 with every = "frame"'),
        ({"every": "trade", "interval_ms": 1}, 'interval_ms: found 1 with every = "trade"'),
        ({"every": "clock", "interval_ms": 1, "leaders": True}, 'leaders: found true with every = "clock"'),
    ],
)
def test_settings_of_a_rule_that_do_not_go_together_are_refused(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Sampling(**rule)


def test_a_rule_without_leaders_has_the_schema_hash_that_it_had_before_there_were_any() -> None:
    """Sessions and data sets of that time stay comparable."""
    text = msgspec.json.encode([[], {"every": "bbo", "interval_ms": None}, "float32"], order="sorted")
    assert schema_hash([], Sampling(every="bbo"), "float32") == hashlib.sha256(text).hexdigest()[:16]
    assert schema_hash([], Sampling(every="bbo", leaders=True), "float32") != schema_hash([], Sampling(every="bbo"), "float32")


def test_a_trade_without_a_side_is_refused() -> None:
    made = Film().snapshot(1, 1, BID, ASK).trade(2, 0)
    made.records.events["side"][made.records.n_events - 1] = 0
    pipeline = Pipeline([Bid()], [INSTRUMENT], [SequenceRule.INCREMENT])
    with pytest.raises(InvariantError, match="input 1"):
        pipeline.process(made.records)


def test_the_schema_hash_tells_settings_order_sampling_and_type_apart() -> None:
    rules = [SequenceRule.INCREMENT]

    def hash_of(feature: Feature, **options: object) -> str:
        return Pipeline([feature], [INSTRUMENT], rules, **options).schema_hash  # type: ignore[arg-type]

    plain = hash_of(Bid())
    assert plain == hash_of(Bid())
    others = {
        hash_of(structs.replace(Bid(), as_="other")),
        hash_of(Bid(), dtype="float64"),
        hash_of(Bid(), sampling=Sampling(every="bbo")),
    }
    assert len(others | {plain}) == 4
