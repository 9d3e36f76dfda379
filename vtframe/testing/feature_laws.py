"""The laws of a feature, one function each. Each raises LawBroken with what it saw; nothing else is needed to run them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import Feature
from vtframe.domain import Records
from vtframe.features import Pipeline
from vtframe.testing.market import INSTRUMENT, RULE, SmallMarket, small_market
from vtframe.testing.python_run import python_rows

FeatureFactory = Callable[[], Feature]
FeatureCheck = Callable[[FeatureFactory], None]
TOLERANCE = 1e-12  # between compiled code and Python, relative


class LawBroken(AssertionError):  # noqa: N818 - a verdict on a part, not a fault of ours
    """A part does not keep its contract."""


def check_same_events_same_bits(make: FeatureFactory) -> None:
    """Two runs over the same frames give the same bytes."""
    records = small_market()
    _same_bits(_rows(make, records), _rows(make, records), "the same frames gave different rows")


def check_reset_equals_new(make: FeatureFactory) -> None:
    """After a resync nothing is left of what came before it."""
    market = SmallMarket(2)
    market.snapshot()
    market.run(300)
    before = market.records.n_frames
    market.snapshot()
    market.run(300)
    records = market.records
    old, new = _pipeline(make), _pipeline(make)
    old.process(records, 0, before)
    _same_bits(
        _stream(old, records, before, records.n_frames),
        _stream(new, records, before, records.n_frames),
        "rows after a resync depend on what came before it",
    )


def check_never_revises_the_past(make: FeatureFactory) -> None:
    """A row read after k events is the same whether or not more events follow."""
    records = small_market(3)
    whole = _rows(make, records)
    for share in (4, 2):
        k = records.n_frames // share
        pipeline = _pipeline(make)
        rows = _stream(pipeline, records, 0, k)
        _same_bits(rows, whole[: len(rows)], f"rows of the first {k} frames differ from those of a longer run")


def check_batch_equals_stream(make: FeatureFactory) -> None:
    """Frame by frame and all at once give the same bytes."""
    records = small_market(4)
    stream = _stream(_pipeline(make), records, 0, records.n_frames)
    _same_bits(stream, _rows(make, records), "frame by frame and all at once differ")


def check_fills_its_cells(make: FeatureFactory) -> None:
    """Every column gets a number sooner or later, and finds one again after a resync."""
    pipeline = _pipeline(make)
    rows = _rows(make, small_market(5, frames=_enough(pipeline)))
    for column, name in enumerate(pipeline.columns):
        if not np.isfinite(rows[:, column]).any():
            raise LawBroken(f"column {name!r} was never a number in {len(rows)} rows")


def check_warm_after_warmup(make: FeatureFactory) -> None:
    """Once ``warmup`` rows are over, every row of an orderly market is valid: all values are finite."""
    pipeline = _pipeline(make)
    records = small_market(6, frames=_enough(pipeline))
    rows = _stream(pipeline, records, 0, records.n_frames)
    bad = np.argwhere(~np.isfinite(rows[pipeline.warmup :]))
    if len(bad):
        row, column = bad[0]
        name = pipeline.columns[column]
        raise LawBroken(f"column {name!r} is not finite in row {pipeline.warmup + row}; its warmup is {pipeline.warmup} rows")


def check_python_equals_compiled(make: FeatureFactory) -> None:
    """Its functions, run as plain Python on arrays that may not be written or left, give the same values within 1e-12."""
    records = small_market(7, frames=300)
    try:
        python = python_rows(make(), records)
    except (IndexError, ValueError) as error:
        raise LawBroken(f"run as Python it reaches beyond its memory, or writes what it may only read: {error}") from error
    compiled = _rows(make, records)
    if compiled.shape != python.shape or not np.allclose(compiled, python, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        raise LawBroken(f"compiled and Python values differ; {_first_difference(compiled, python, TOLERANCE)}")


FEATURE_CHECKS: tuple[FeatureCheck, ...] = (
    check_same_events_same_bits,
    check_reset_equals_new,
    check_never_revises_the_past,
    check_batch_equals_stream,
    check_fills_its_cells,
    check_warm_after_warmup,
    check_python_equals_compiled,
)
"""Every law; ``@pytest.mark.parametrize("check", FEATURE_CHECKS)`` applies them all to a feature."""


def _pipeline(make: FeatureFactory) -> Pipeline:
    return Pipeline([make()], [INSTRUMENT], [RULE], dtype="float64")


def _enough(pipeline: Pipeline) -> int:
    return 300 + 3 * pipeline.warmup


def _rows(make: FeatureFactory, records: Records) -> NDArray[Any]:
    """All rows' values, made in one batch."""
    batches = _pipeline(make).batch(records.frames[: records.n_frames], records.events[: records.n_events])
    return np.concatenate([batch.values for batch in batches])


def _stream(pipeline: Pipeline, records: Records, first: int, last: int) -> NDArray[Any]:
    """All rows' values, made frame by frame."""
    rows = []
    for index in range(first, last):
        count = pipeline.process(records, index, index + 1)
        if count:
            rows.append(pipeline.ring.window(0, count).copy())
    return np.concatenate(rows)


def _same_bits(left: NDArray[Any], right: NDArray[Any], problem: str) -> None:
    if left.tobytes() != right.tobytes():
        raise LawBroken(f"{problem}; {_first_difference(left, right, 0.0)}")


def _first_difference(left: NDArray[Any], right: NDArray[Any], tolerance: float) -> str:
    if left.shape != right.shape:
        return f"{left.shape} and {right.shape} rows and columns"
    differs = np.argwhere(~np.isclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True))
    if not len(differs):
        return "only in bits that do not change a number"
    row, column = differs[0]
    return f"first in row {row}, column {column}: {left[row, column]!r} and {right[row, column]!r}"
