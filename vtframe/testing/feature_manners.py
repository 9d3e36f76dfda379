"""Laws of a feature towards all that is not its own: neighbors' memory, the book, the clock, the machine."""

from __future__ import annotations

import dis
import tracemalloc
from types import FunctionType

import numpy as np

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.domain import Side
from vtframe.features import Pipeline
from vtframe.features.plan import HOOKS
from vtframe.kernels.references import plain_function, references
from vtframe.testing.market import INSTRUMENT, RULE
from vtframe.testing.trial import FeatureFactory, Trial, market
from vtframe.testing.verdict import LawBroken

_CELLS = 16  # of every kind, on both sides of the feature's own
_FILL = 12345
MAX_STATE = 64 << 20  # bytes that a feature may declare for one instrument
_GROWTH = 8 << 10  # bytes that 2,000 frames may leave behind: the machinery's own noise
_OUTSIDE = {"time", "datetime", "random", "secrets", "os", "uuid", "socket", "threading", "calendar"}
"""Modules that a value computed from events alone needs nothing of."""


class _Neighbor(Feature, frozen=True):
    """Beside the feature on trial: one column counts the cells of its memory that changed, the others stay nan."""

    name = "neighbor"

    def kernel(self) -> Kernel:
        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            changed = 0.0
            for k in range(_CELLS):
                if state.numbers[k] != _FILL or state.counts[k] != _FILL:
                    changed += 1.0
            out[_CELLS // 2] = changed

        outputs = tuple(f"cell_{k}" for k in range(_CELLS))
        memory = {"numbers": floats(_CELLS, fill=_FILL), "counts": ints(_CELLS, fill=_FILL)}
        return Kernel(on_row=on_row, state=memory, outputs=outputs)


class _Witness(Feature, frozen=True):
    """After the feature on trial: what the book shows, level by level."""

    name = "witness"
    levels: int

    def kernel(self) -> Kernel:
        levels = self.levels

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            for k in range(levels):
                out[4 * k] = book.bid_price[k]
                out[4 * k + 1] = book.bid_quantity[k]
                out[4 * k + 2] = book.ask_price[k]
                out[4 * k + 3] = book.ask_quantity[k]

        outputs = tuple(f"{what}_{k}" for k in range(levels) for what in ("bid", "bid_quantity", "ask", "ask_quantity"))
        return Kernel(on_frame=on_frame, outputs=outputs, depth=levels)


def _surrounded(make: FeatureFactory) -> Trial:
    depth = make().kernel().depth
    return Trial(make, before=(_Neighbor(as_="before"),), after=(_Neighbor(as_="after"), _Witness(levels=depth)))


def check_writes_only_its_cells(make: FeatureFactory) -> None:
    """Cells and memory of the features beside it stay what they are: compiled code checks no bounds."""
    trial = _surrounded(make)
    rows = trial.batch(market(10, frames=200))
    for side in ("before", "after"):
        first = trial.pipeline.columns.index(f"{side}_cell_0")
        cells = rows[:, first : first + _CELLS]
        counts = cells[:, _CELLS // 2]
        others = np.delete(cells, _CELLS // 2, axis=1)
        if not np.isnan(others).all() or (counts != 0).any():
            row = int(np.argwhere(~np.isnan(others).all(axis=1) | (counts != 0))[0, 0])
            raise LawBroken(f"in row {row} it had written beyond its own cells, into those of the feature {side} it")


def check_input_untouched(make: FeatureFactory) -> None:
    """The frames are as they were, and the features after it see the book as it is."""
    records = market(10, frames=200)
    kept = records.frames.tobytes(), records.events.tobytes()
    trial = _surrounded(make)
    rows = trial.batch(records)
    if kept != (records.frames.tobytes(), records.events.tobytes()):
        raise LawBroken("the frames that it was shown are changed")
    depth = make().kernel().depth
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
    feature = make()
    kernel = feature.kernel()
    seen: set[int] = set()
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
    declared = sum(8 * state.length for state in make().kernel().state.values())
    if declared > MAX_STATE:
        raise LawBroken(f"it declares {declared:,} bytes of state for each instrument, more than {MAX_STATE:,}")
    records = market(12, frames=6000)
    trial = Trial(make)
    trial.pipeline.process(records, 0, 2000)
    tracemalloc.start()
    try:
        trial.pipeline.process(records, 2000, 4000)
        before, _ = tracemalloc.get_traced_memory()
        trial.pipeline.process(records, 4000, 6000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if after - before > _GROWTH:
        raise LawBroken(f"2,000 frames left {after - before:,} bytes behind: something grows outside its state")
