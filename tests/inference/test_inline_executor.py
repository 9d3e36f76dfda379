"""The inline executor: every verdict has its cause, rows are read in place, and time is what the clock says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bundles import softmax_reference
from vtframe_onnx import OnnxBackend

from vtframe.api import BundleError, BundleInfo
from vtframe.buffers.ring import RowRing
from vtframe.clock import EventClock, LiveClock
from vtframe.domain import ROW, BookState, Verdict
from vtframe.inference.inline import InlineExecutor

Tiny = Callable[..., BundleInfo]
US, MS = 1_000, 1_000_000
T0 = 1_700_000_000 * 1_000_000_000


class MarketClock(EventClock):
    """Market time whose monotonic reading the test sets."""

    monotonic = 5_000

    def monotonic_ns(self) -> int:
        return self.monotonic


class WallClock:
    """A live clock that the test sets."""

    def __init__(self) -> None:
        self.now = T0
        self.monotonic = 5_000

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.monotonic


class SpyModel:
    """Answers what it is told to, and lets ``taking`` happen meanwhile."""

    def __init__(self, answer: Any = (0.2, 0.3, 0.5), *, taking: Callable[[], None] = lambda: None) -> None:
        self.answer = answer
        self.taking = taking
        self.batches: list[np.ndarray] = []

    def predict(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(batch)
        self.taking()
        if isinstance(self.answer, Exception):
            raise self.answer
        return np.array([self.answer], np.float32)

    def close(self) -> None:
        pass


def make(
    bundle: BundleInfo, model: Any, *, clock: Any = None, capacity: int = 16, **changes: Any
) -> tuple[InlineExecutor, RowRing]:
    ring = RowRing(2, capacity, len(bundle.columns))
    values: dict[str, Any] = {"deadline_ns": 500 * US, "max_age_ns": 50 * MS}
    clock = MarketClock(start_ns=T0) if clock is None else clock
    return InlineExecutor(model, bundle, ring=ring, clock=clock, **values | changes), ring


def append(
    ring: RowRing, *, instrument: int = 0, ts_recv: int = T0, ts_event: int = T0 - MS, valid: int = 1, value: float = 1.0
) -> int:
    meta = np.zeros((), ROW)
    meta["input"] = 7
    meta["ts_event"], meta["ts_recv"], meta["update_id"] = ts_event, ts_recv, 99
    meta["instrument"], meta["state"], meta["valid"] = instrument, BookState.LIVE, valid
    return ring.append(instrument, np.full(ring.values.shape[2], value), meta)


def test_a_fresh_row_is_answered_with_everything_that_says_whence_it_came(tiny: Tiny) -> None:
    bundle = tiny()
    executor, ring = make(bundle, SpyModel())
    append(ring)
    append(ring)
    prediction = executor.predict(0, started=5_000)
    assert prediction.verdict is Verdict.OK
    assert prediction.outputs == pytest.approx((0.2, 0.3, 0.5))
    assert (prediction.model, prediction.model_hash) == ("tiny", bundle.hash)
    assert (prediction.instrument, prediction.input, prediction.row, prediction.update_id) == (0, 7, 1, 99)
    assert (prediction.ts_event, prediction.ts_recv, prediction.ts_done) == (T0 - MS, T0, T0)
    assert (prediction.age_ns, prediction.deadline_ns) == (0, 500 * US)
    assert (executor.batch, executor.batch_size) == (1, 1)


def test_what_handling_took_counts_on_market_time_and_makes_a_prediction_late(tiny: Tiny) -> None:
    clock = MarketClock(start_ns=T0)
    slow = SpyModel(taking=lambda: setattr(clock, "monotonic", clock.monotonic + 300 * US))
    executor, ring = make(tiny(), slow, clock=clock)
    append(ring)
    in_time = executor.predict(0, started=clock.monotonic - 200 * US)
    assert (in_time.verdict, in_time.age_ns, in_time.ts_done) == (Verdict.OK, 500 * US, T0 + 500 * US)
    late = executor.predict(0, started=clock.monotonic - 200 * US - 1)
    assert (late.verdict, late.age_ns) == (Verdict.LATE, 500 * US + 1)
    assert late.outputs, "a late answer is kept, for judging the model"


def test_a_row_that_waited_for_its_turn_on_market_time_is_late(tiny: Tiny) -> None:
    clock = MarketClock(start_ns=T0)
    executor, ring = make(tiny(), SpyModel(), clock=clock)
    append(ring)
    clock.advance(T0 + MS)
    assert executor.predict(0, started=clock.monotonic).verdict is Verdict.LATE


def test_on_a_live_clock_age_is_read_from_it_and_processing_is_not_counted_twice(tiny: Tiny) -> None:
    clock = WallClock()
    executor, ring = make(tiny(), SpyModel(), clock=clock)
    append(ring)
    clock.now += 400 * US
    clock.monotonic += 400 * US
    prediction = executor.predict(0, started=5_000)
    assert (prediction.verdict, prediction.age_ns, prediction.ts_done) == (Verdict.OK, 400 * US, T0 + 400 * US)


def test_a_wall_clock_that_is_set_back_hides_no_lateness(tiny: Tiny) -> None:
    clock = WallClock()
    executor, ring = make(tiny(), SpyModel(), clock=clock)
    append(ring)
    clock.now -= 10 * MS
    clock.monotonic += 501 * US
    prediction = executor.predict(0, started=5_000)
    assert (prediction.verdict, prediction.age_ns) == (Verdict.LATE, 501 * US)


def test_an_event_clock_without_measuring_makes_ages_that_a_second_run_repeats(tiny: Tiny) -> None:
    executor, ring = make(tiny(), SpyModel(), clock=EventClock(start_ns=T0, measured=False))
    append(ring)
    for started in (0, 123, LiveClock().monotonic_ns()):
        prediction = executor.predict(0, started=started)
        assert (prediction.verdict, prediction.age_ns, prediction.ts_done) == (Verdict.OK, 0, T0)


def test_market_data_that_waited_in_a_buffer_is_stale_and_not_taken_for_fresh(tiny: Tiny) -> None:
    clock = MarketClock(start_ns=T0)
    executor, ring = make(tiny(), SpyModel(), clock=clock)
    append(ring, ts_recv=T0, ts_event=T0 - 5 * MS)
    assert executor.predict(0, started=clock.monotonic).verdict is Verdict.OK
    clock.advance(T0 + 200 * MS)
    append(ring, ts_recv=T0 + 200 * MS, ts_event=T0 + 145 * MS)  # 55 ms on the way, 50 above the least
    at_limit = executor.predict(0, started=clock.monotonic)
    assert (at_limit.verdict, at_limit.age_ns) == (Verdict.OK, 50 * MS)
    append(ring, ts_recv=T0 + 200 * MS, ts_event=T0 + 145 * MS - 1)
    over = executor.predict(0, started=clock.monotonic)
    assert (over.verdict, over.age_ns) == (Verdict.STALE, 50 * MS + 1)
    assert over.outputs
    append(ring, instrument=1, ts_recv=T0 + 200 * MS, ts_event=T0 + 100 * MS)
    assert executor.predict(1, started=clock.monotonic).verdict is Verdict.OK, "each instrument has its own least delay"


def test_an_invalid_row_is_not_shown_to_the_model(tiny: Tiny) -> None:
    model = SpyModel()
    executor, ring = make(tiny(), model)
    append(ring, valid=0)
    prediction = executor.predict(0, started=5_000)
    assert (prediction.verdict, prediction.outputs, prediction.row) == (Verdict.INVALID, (), 0)
    assert model.batches == []
    assert (executor.batch, executor.calls) == (-1, 0)


def test_a_window_is_invalid_until_it_is_full_of_valid_rows(tiny: Tiny) -> None:
    executor, ring = make(tiny(window=3), SpyModel(), capacity=4)
    flags = [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1]
    verdicts = []
    for flag in flags:
        append(ring, valid=flag)
        verdicts.append(executor.predict(0, started=5_000).verdict)
    expected = [Verdict.OK if k >= 2 and all(flags[k - 2 : k + 1]) else Verdict.INVALID for k in range(len(flags))]
    assert verdicts == expected


@settings(max_examples=60)
@given(
    st.integers(1, 6),
    st.integers(0, 5),
    st.lists(st.tuples(st.sampled_from([1, 1, 1, 0]), st.booleans()), max_size=60),
)
def test_validity_is_right_even_when_rows_pass_unasked(window: int, spare: int, steps: list[tuple[int, bool]]) -> None:
    bundle = bundle_of(window)
    executor, ring = make(bundle, SpyModel(), capacity=window + spare)
    flags: list[int] = []
    for flag, asked in steps:
        append(ring, valid=flag)
        flags.append(flag)
        if asked:
            verdict = executor.predict(0, started=5_000).verdict
            full = len(flags) >= window and all(flags[-window:])
            assert verdict is (Verdict.OK if full else Verdict.INVALID)
            assert executor.predict(0, started=5_000).verdict is verdict, "asking twice changes nothing"


def bundle_of(window: int) -> BundleInfo:
    """A bundle that exists in memory only."""
    from pathlib import Path

    from tiny_bundles import describe

    from vtframe.inference.bundle import _info

    return _info(Path("memory"), describe(window=window), "0" * 64)


@pytest.mark.parametrize("answer", [(0.2, float("nan"), 0.5), (float("inf"), 0.0, 0.0), (float("inf"), -float("inf"), 0.0)])
def test_a_number_that_is_not_finite_has_failed(tiny: Tiny, answer: tuple[float, ...]) -> None:
    executor, ring = make(tiny(), SpyModel(answer))
    append(ring)
    prediction = executor.predict(0, started=5_000)
    assert (prediction.verdict, prediction.outputs) == (Verdict.FAILED, ())


def test_a_model_that_raises_has_failed_is_logged_once_and_may_recover(tiny: Tiny, caplog: pytest.LogCaptureFixture) -> None:
    model = SpyModel(RuntimeError("no memory"))
    executor, ring = make(tiny(), model)
    append(ring)
    with caplog.at_level(logging.ERROR):
        verdicts = [executor.predict(0, started=5_000).verdict for _ in range(5)]
    assert verdicts == [Verdict.FAILED] * 5
    assert [record.getMessage() for record in caplog.records] == [
        "model tiny raised RuntimeError('no memory'); this is told once, and counted as failed every time"
    ]
    assert executor.first_failure == "raised RuntimeError('no memory')"
    model.answer = (0.1, 0.1, 0.8)
    assert executor.predict(0, started=5_000).verdict is Verdict.OK


def test_a_failure_is_not_called_late(tiny: Tiny) -> None:
    executor, ring = make(tiny(), SpyModel(RuntimeError("x")), deadline_ns=-1)
    append(ring)
    assert executor.predict(0, started=5_000).verdict is Verdict.FAILED


def test_the_model_reads_the_ring_in_place_and_sees_the_newest_rows_oldest_first(tiny: Tiny) -> None:
    model = SpyModel()
    executor, ring = make(tiny(window=3), model, capacity=5)
    for number in range(23):
        append(ring, value=float(number))
        append(ring, instrument=1, value=-float(number))
        if number < 2:
            continue
        for instrument, sign in ((0, 1), (1, -1)):
            executor.predict(instrument, started=5_000)
            batch = model.batches[-1]
            assert batch.shape == (1, 3, 4)
            assert batch.flags.c_contiguous
            assert np.shares_memory(batch, ring.values)
            assert not batch.flags.writeable
            assert batch[0, :, 0].tolist() == [sign * (number - 2), sign * (number - 1), sign * number]
            assert np.array_equal(batch[0], ring.window(instrument, 3))


def test_the_executor_with_onnx_answers_as_the_formula_does_and_twice_the_same(tiny: Tiny) -> None:
    bundle = tiny(4, window=2)
    rng = np.random.default_rng(1)
    values = rng.normal(size=(50, 4)).astype(np.float32)
    runs = []
    for _ in range(2):
        executor, ring = make(bundle, OnnxBackend().open(bundle), deadline_ns=10**12, max_age_ns=10**12)
        meta = np.zeros((), ROW)
        meta["valid"] = 1
        meta["ts_recv"] = T0
        answers = []
        for row in values:
            ring.append(0, row, meta)
            prediction = executor.predict(0, started=5_000)
            if prediction.verdict is Verdict.OK:
                answers.append(prediction.outputs)
        runs.append(answers)
    assert runs[0] == runs[1]
    windows = np.stack([values[k : k + 2] for k in range(49)])
    np.testing.assert_allclose(runs[0], softmax_reference(windows), atol=2e-6)


def test_an_instrument_without_rows_cannot_be_asked(tiny: Tiny) -> None:
    executor, _ = make(tiny(), SpyModel())
    with pytest.raises(LookupError, match="instrument 1 has no row"):
        executor.predict(1, started=0)


@pytest.mark.parametrize(
    ("ring", "expected"),
    [
        (RowRing(1, 8, 5), "reads rows of 4 columns, the pipeline's have 5"),
        (RowRing(1, 8, 4, dtype="float64"), "reads float32 rows, the pipeline's are float64"),
        (RowRing(1, 2, 4), "reads windows of 3 rows, the pipeline's ring holds 2"),
    ],
)
def test_a_ring_that_does_not_fit_the_bundle_is_refused(tiny: Tiny, ring: RowRing, expected: str) -> None:
    with pytest.raises(BundleError, match=expected):
        InlineExecutor(SpyModel(), tiny(window=3), ring=ring, clock=LiveClock(), deadline_ns=1, max_age_ns=1)


@settings(max_examples=30)
@given(st.data(), st.integers(1, 4), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_columns_picked_by_name_from_wider_rows_answer_bit_for_bit_as_the_bundles_own_rows(
    data: st.DataObject, window: int, extra: int, seed: int
) -> None:
    bundle = bundle_of(window)
    names = data.draw(st.permutations([*bundle.columns, *(f"other{k}" for k in range(extra))]))
    places = [names.index(name) for name in bundle.columns]
    model = SoftmaxModel(window, len(bundle.columns))
    own, wide = RowRing(2, window + 3, len(bundle.columns)), RowRing(2, window + 3, len(names))
    kept: dict[str, Any] = {"clock": MarketClock(start_ns=T0), "deadline_ns": 1, "max_age_ns": MS}
    exact = InlineExecutor(model, bundle, ring=own, **kept)
    picking = InlineExecutor(model, bundle, ring=wide, columns=names, **kept)
    rng = np.random.default_rng(seed)
    meta = np.zeros((), ROW)
    meta["ts_event"] = meta["ts_recv"] = T0
    meta["valid"] = 1
    for number in range(3 * window + 7):
        instrument = number % 2
        row = rng.normal(size=len(names)).astype(np.float32)
        wide.append(instrument, row, meta)
        own.append(instrument, row[places], meta)
        answer = picking.predict(instrument, started=5_000)
        assert answer == exact.predict(instrument, started=5_000)
        if answer.verdict is Verdict.OK:
            assert model.seen[-2].tobytes() == model.seen[-1].tobytes()
            assert model.contiguous == {True}


class SoftmaxModel:
    """A model that keeps what it saw."""

    def __init__(self, window: int, columns: int) -> None:
        self.weights = np.random.default_rng(3).normal(size=(window * columns, 3)).astype(np.float32)
        self.seen: list[np.ndarray] = []
        self.contiguous: set[bool] = set()

    def predict(self, batch: np.ndarray) -> np.ndarray:
        self.seen.append(batch.copy())
        self.contiguous.add(bool(batch.flags.c_contiguous))
        powers = np.exp(batch.reshape(1, -1) @ self.weights)
        return np.asarray(powers / powers.sum(), np.float32)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("names", "window", "in_place"),
    [
        ("f0 f1 f2 f3", 3, True),  # the ring's columns are the bundle's
        ("x f0 f1 f2 f3", 1, True),  # side by side, and one row: contiguous all the same
        ("x f0 f1 f2 f3", 3, False),
        ("f1 f0 f2 f3", 1, False),
    ],
)
def test_rows_are_copied_only_where_the_model_could_not_read_them_in_place(
    tiny: Tiny, names: str, window: int, *, in_place: bool
) -> None:
    columns = names.split()
    ring = RowRing(1, 8, len(columns))
    model = SpyModel()
    bundle = tiny(window=window)
    executor = InlineExecutor(
        model, bundle, ring=ring, columns=columns, clock=MarketClock(start_ns=T0), deadline_ns=1, max_age_ns=1
    )
    for _ in range(window + 2):
        append(ring)
        executor.predict(0, started=5_000)
    assert {np.shares_memory(batch, ring.values) for batch in model.batches} == {in_place}
    assert len({batch.__array_interface__["data"][0] for batch in model.batches}) == (3 if in_place else 1), "one buffer"


def test_rows_without_a_column_of_the_bundle_are_refused_by_its_name(tiny: Tiny) -> None:
    with pytest.raises(BundleError, match=r"reads columns that the pipeline's rows do not have: f1, f3$"):
        InlineExecutor(
            SpyModel(),
            tiny(),
            ring=RowRing(1, 8, 4),
            columns=("f0", "f2", "f4", "f5"),
            clock=LiveClock(),
            deadline_ns=1,
            max_age_ns=1,
        )
