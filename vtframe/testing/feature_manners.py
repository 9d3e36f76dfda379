"""Laws of a feature towards all that is not its own: neighbors' memory, the book, the clock, the machine."""

from __future__ import annotations

import dis
import tracemalloc
from itertools import pairwise
from types import FunctionType

import numpy as np

from vtframe.domain import Side
from vtframe.features import Pipeline
from vtframe.features.plan import HOOKS
from vtframe.kernels.references import plain_function, references
from vtframe.testing.market import INSTRUMENT, RULE
from vtframe.testing.trial import GUARD_CELLS, GUARD_FILL, FeatureFactory, Trial, market, on_trial
from vtframe.testing.verdict import LawBroken

MAX_STATE = 64 << 20  # bytes that a feature may declare for one instrument
_GROWTH = 8 << 10  # bytes that 2,000 frames may leave behind: the machinery's own noise
_OUTSIDE = {"time", "datetime", "random", "secrets", "os", "uuid", "socket", "threading", "calendar"}
"""Modules that a value computed from events alone needs nothing of."""


def check_writes_only_its_cells(make: FeatureFactory) -> None:
    """Cells and memory of the features beside it stay what they are: compiled code checks no bounds."""
    trial = Trial(make)
    rows = trial.batch(market(10, frames=200))
    for guard, place in trial.guards.items():
        first = trial.pipeline.columns.index(f"{guard}_0")
        written = ~np.isnan(rows[:, first : first + GUARD_CELLS]).all(axis=1)
        if written.any():
            when = f"in row {np.flatnonzero(written)[0]}"
        elif any((cells != GUARD_FILL).any() for cells in trial.pipeline.state(guard).values()):
            when = f"within {len(rows)} rows"
        else:
            continue
        raise LawBroken(f"{when} something had written beyond its own cells, into those of the feature {place}")


def check_input_untouched(make: FeatureFactory) -> None:
    """The frames are as they were, and the features after it see the book as it is."""
    records = market(10, frames=200)
    kept = records.frames.tobytes(), records.events.tobytes()
    trial = Trial(make)
    rows = trial.batch(records)
    if kept != (records.frames.tobytes(), records.events.tobytes()):
        raise LawBroken("the frames that it was shown are changed")
    depth = trial.pipeline.depth
    seen = rows[:, trial.pipeline.columns.index("witness_bid_0") :][:, : 4 * depth].reshape(-1, depth, 4)
    books = Pipeline([], [INSTRUMENT], [RULE])
    row = 0
    for index in range(records.n_frames):
        if not books.process(records, index, index + 1):
            continue
        expected = np.full((depth, 4), [np.nan, 0.0, np.nan, 0.0])
        for column, side in ((0, Side.BUY), (2, Side.SELL)):
            prices, quantities = books.books.levels(0, side, depth)
            expected[: len(prices), column] = prices / 10.0**INSTRUMENT.price_decimals
            expected[: len(prices), column + 1] = quantities / 10.0**INSTRUMENT.quantity_decimals
        if not np.array_equal(seen[row], expected, equal_nan=True):
            raise LawBroken(f"in row {row} the book that the features after it see is not the book: it wrote into it")
        row += 1


def check_no_ambient_time_or_randomness(make: FeatureFactory) -> None:
    """Nothing that its functions reach reads a clock, draws a number or asks the machine: time is ``moment``'s."""
    seen: set[int] = set()
    for feature in on_trial(make):
        kernel = feature.kernel()
        for hook in HOOKS:
            function = getattr(kernel, hook)
            if function is not None:
                _look(plain_function(function, feature.label) or function, feature.label, seen)


def _look(function: FunctionType, label: str, seen: set[int]) -> None:
    if id(function) in seen:
        return
    seen.add(id(function))
    for instruction in dis.get_instructions(function):
        if instruction.opname == "IMPORT_NAME" and str(instruction.argval).partition(".")[0] in _OUTSIDE:
            raise LawBroken(f"{function.__name__} imports {instruction.argval}")
    for reference in references(function, label):
        value = reference.value
        module = value.__name__ if hasattr(value, "__path__") else getattr(value, "__module__", None) or ""
        name = getattr(value, "__name__", "")
        if (
            {str(module).partition(".")[0], name} & _OUTSIDE
            or str(module).startswith("numpy.random")
            or "random" in reference.path
        ):
            raise LawBroken(f"{function.__name__} uses {'.'.join(reference.path)}, which is not made of events")
        inner = plain_function(value, label)
        if inner is not None:
            _look(inner, label, seen)


def check_bounded_memory(make: FeatureFactory) -> None:
    """What it declares is small enough, and frames leave nothing behind besides."""
    for feature in on_trial(make):
        declared = sum(8 * state.length for state in feature.kernel().state.values())
        if declared > MAX_STATE:
            problem = f"it declares {declared:,} bytes of state for each instrument, more than {MAX_STATE:,}"
            raise LawBroken(f"{feature.label!r}: {problem}")
    records = market(12, frames=6000)
    trial = Trial(make)
    trial.pipeline.process(records, 0, 1000)
    sizes = []
    tracemalloc.start()
    try:
        for first, last in ((1000, 2000), (2000, 4000), (4000, 6000)):
            trial.pipeline.process(records, first, last)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    left = min(after - before for before, after in pairwise(sizes))  # what grows does so each time; other threads now and then
    if left > _GROWTH:
        raise LawBroken(f"2,000 frames left {left:,} bytes behind: something grows outside its state")
