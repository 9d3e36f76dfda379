"""The laws of a feature, one function each. Each raises LawBroken with what it saw; nothing else is needed to run them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vtframe.testing.feature_manners import (
    check_bounded_memory,
    check_input_untouched,
    check_no_ambient_time_or_randomness,
    check_writes_only_its_cells,
)
from vtframe.testing.market import SmallMarket
from vtframe.testing.python_run import python_rows
from vtframe.testing.trial import FeatureFactory, Trial, first_difference, market
from vtframe.testing.verdict import LawBroken

FeatureCheck = Callable[[FeatureFactory], None]
TOLERANCE = 1e-12  # between compiled code and Python, relative


def check_same_events_same_bits(make: FeatureFactory) -> None:
    """Two runs over the same frames give the same bytes."""
    records = market()
    trial = Trial(make)
    trial.same_bits(trial.rows(records), Trial(make).rows(records), "the same frames gave different rows")


def check_reset_equals_new(make: FeatureFactory) -> None:
    """After a resync nothing is left of what came before it."""
    small = SmallMarket(2)
    small.snapshot()
    small.run(300)
    before = small.records.n_frames
    small.snapshot()
    small.run(300)
    records = small.records
    old, new = Trial(make), Trial(make)
    old.pipeline.process(records, 0, before)
    problem = "rows after a resync depend on what came before it"
    old.same_bits(old.stream(records, before), new.stream(records, before), problem)


def check_never_revises_the_past(make: FeatureFactory) -> None:
    """A row read after k events is the same whether or not more events follow."""
    records = market(3)
    whole = Trial(make).rows(records)
    for share in (4, 2):
        k = records.n_frames // share
        trial = Trial(make)
        rows = trial.stream(records, 0, k)
        trial.same_bits(rows, whole[: len(rows)], f"rows of the first {k} frames differ from those of a longer run")


def check_batch_equals_stream(make: FeatureFactory) -> None:
    """Frame by frame and all at once give the same bytes."""
    records = market(4)
    trial = Trial(make)
    trial.same_bits(trial.stream(records), Trial(make).rows(records), "frame by frame and all at once differ")


def check_snapshot_and_restore(make: FeatureFactory) -> None:
    """Restored from a checkpoint in the middle, it goes on with the same bytes: all that it remembers is in its state."""
    records = market(8)
    whole, again = Trial(make), Trial(make)
    half = records.n_frames // 2
    whole.pipeline.process(records, 0, half)
    again.pipeline.restore(whole.pipeline.snapshot())
    problem = "rows after a restored checkpoint differ: something is remembered outside its state"
    again.same_bits(again.stream(records, half), whole.stream(records, half), problem)


def check_fills_its_cells(make: FeatureFactory) -> None:
    """Every column gets a number sooner or later."""
    trial = Trial(make)
    rows = trial.rows(market(5, frames=trial.enough))
    for column, name in enumerate(trial.columns):
        if not np.isfinite(rows[:, column]).any():
            raise LawBroken(f"column {name!r} was never a number in {len(rows)} rows")


def check_warm_after_warmup(make: FeatureFactory) -> None:
    """Once ``warmup`` rows are over, every row of an orderly market is valid: all values are finite."""
    trial = Trial(make)
    rows = trial.stream(market(6, frames=trial.enough))
    for column, (name, warmup) in enumerate(zip(trial.columns, trial.warmups, strict=True)):
        bad = np.flatnonzero(~np.isfinite(rows[warmup:, column]))
        if len(bad):
            raise LawBroken(f"column {name!r} is not finite in row {warmup + bad[0]}; its warmup is {warmup} rows")


def check_never_infinite(make: FeatureFactory) -> None:
    """No value is infinite, not even where a side is empty, nothing moves or a quantity is enormous: unknown is nan."""
    small = SmallMarket(9)
    small.snapshot()
    for side in (1, -1):
        small.run(40)
        small.still(40)
        small.empty(side)
        small.run(10)
        small.enormous(side)
        small.run(60)
    small.empty(1)
    small.empty(-1)
    small.run(40)
    trial = Trial(make)
    rows = trial.rows(small.records)
    bad = np.argwhere(np.isinf(rows))
    if len(bad):
        row, column = bad[0]
        raise LawBroken(f"column {trial.columns[column]!r} is {rows[row, column]} in row {row}; what is not known is nan")


def check_python_equals_compiled(make: FeatureFactory) -> None:
    """Its functions, run as plain Python on arrays that may not be written or left, give the same values within 1e-12."""
    records = market(7, frames=300)
    trial = Trial(make)
    everything = trial.batch(records)
    fed = dict(zip(trial.pipeline.columns, everything.T, strict=True))
    for feature in trial.features:
        columns = feature.columns(feature.kernel())
        try:
            python = python_rows(feature, records, fed)
        except (IndexError, ValueError) as error:
            problem = f"{feature.label!r} run as Python reaches beyond its memory, or writes what it may only read: {error}"
            raise LawBroken(problem) from error
        compiled = np.column_stack([fed[column] for column in columns])
        if compiled.shape != python.shape or not np.allclose(compiled, python, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            raise LawBroken(f"compiled and Python values differ; {first_difference(compiled, python, TOLERANCE, columns)}")


FEATURE_CHECKS: tuple[FeatureCheck, ...] = (
    check_same_events_same_bits,
    check_reset_equals_new,
    check_never_revises_the_past,
    check_batch_equals_stream,
    check_snapshot_and_restore,
    check_fills_its_cells,
    check_writes_only_its_cells,
    check_input_untouched,
    check_warm_after_warmup,
    check_never_infinite,
    check_no_ambient_time_or_randomness,
    check_bounded_memory,
    check_python_equals_compiled,
)
"""Every law; ``@pytest.mark.parametrize("check", FEATURE_CHECKS)`` applies them all to a feature."""
