"""Features on trial: a pipeline of them alone, with what they read supplied, and rows of their columns only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.domain import Records
from vtframe.features import Pipeline
from vtframe.features.plan import plan
from vtframe.testing.market import INSTRUMENT, RULE, small_market
from vtframe.testing.verdict import LawBroken

FeatureFactory = Callable[[], Feature | Sequence[Feature]]
"""Makes what is tried: one feature, or several together: a transform with what feeds it, or a whole library."""
GUARD_CELLS = 16  # of every kind
GUARD_FILL = 12345
market = cache(small_market)
"""The same markets for all laws; a law that changes one makes its own."""


class Supply(Feature, frozen=True):
    """A column for a feature on trial to read: the imbalance at the best prices, times a factor. Finite while there is a
    quantity on either side, nan else."""

    name = "supply"
    factor: float = 1.0

    def kernel(self) -> Kernel:
        factor = self.factor

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            bid, ask = book.bid_quantity[0], book.ask_quantity[0]
            out[0] = factor * (bid - ask) / (bid + ask)

        return Kernel(on_frame=on_frame)


def on_trial(make: FeatureFactory) -> tuple[Feature, ...]:
    """What ``make`` gives: one feature, or several that are tried together."""
    made = make()
    return (made,) if isinstance(made, Feature) else tuple(made)


def supplies(features: Sequence[Feature]) -> list[Feature]:
    """What the columns that ``features`` read, and none of them makes, are in a trial."""
    kernels = [feature.kernel() for feature in features]
    made = {column for feature, kernel in zip(features, kernels, strict=True) for column in feature.columns(kernel)}
    wanted = dict.fromkeys(column for kernel in kernels for column in kernel.inputs if column not in made)
    return [Supply(as_=column, factor=1.0 + k) for k, column in enumerate(wanted)]


class _Guard(Feature, frozen=True):
    """Between features on trial: its columns stay nan and its memory as it was filled, unless somebody else writes there."""

    name = "guard"

    def kernel(self) -> Kernel:
        memory = {"numbers": floats(GUARD_CELLS, fill=GUARD_FILL), "counts": ints(GUARD_CELLS, fill=GUARD_FILL)}
        return Kernel(state=memory, outputs=tuple(map(str, range(GUARD_CELLS))))


class _Witness(Feature, frozen=True):
    """After the features on trial: what the book shows, level by level."""

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


class Trial:
    """A pipeline of new features, each between guards, a witness after them; and what of its rows is their own. One kernel
    serves all laws."""

    def __init__(self, make: FeatureFactory) -> None:
        self.features = on_trial(make)
        self.guards = {"guard_first": "before it"}  # by label: where it stands
        everything: list[Feature] = [_Guard(as_="guard_first")]
        for k, feature in enumerate(self.features):
            self.guards[f"guard_{k}"] = f"after {feature.label!r}"
            everything += [feature, _Guard(as_=f"guard_{k}")]
        depth = max(feature.kernel().depth for feature in self.features)
        everything += [_Witness(levels=depth), *supplies(self.features)]
        self.pipeline = Pipeline(everything, [INSTRUMENT], [RULE], dtype="float64")
        warmups = {placed.label: placed.warmup for placed in plan(everything).placed}
        self.columns: list[str] = []
        self.warmups: list[int] = []  # of each column: its feature's own, and what that reads needs before
        for feature in self.features:
            columns = feature.columns(feature.kernel())
            self.columns += columns
            self.warmups += [warmups[feature.label]] * len(columns)
        self.own = [self.pipeline.columns.index(column) for column in self.columns]

    @property
    def enough(self) -> int:
        """Frames after which it is warm and has shown what it does."""
        return 300 + 3 * max(self.warmups)

    def batch(self, records: Records) -> NDArray[Any]:
        """All columns of all rows, made at once."""
        batches = self.pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events])
        return np.concatenate([batch.values for batch in batches])

    def rows(self, records: Records) -> NDArray[Any]:
        """The own columns of all rows, made at once."""
        return self.batch(records)[:, self.own]

    def stream(self, records: Records, first: int = 0, last: int | None = None) -> NDArray[Any]:
        """The own columns, made frame by frame."""
        rows = []
        for index in range(first, records.n_frames if last is None else last):
            count = self.pipeline.process(records, index, index + 1)
            if count:
                rows.append(self.pipeline.ring.window(0, count)[:, self.own])
        return np.concatenate(rows)

    def same_bits(self, left: NDArray[Any], right: NDArray[Any], problem: str) -> None:
        """Raise LawBroken with ``problem`` and the first difference of two tables of own columns, where there is one."""
        if left.tobytes() != right.tobytes():
            raise LawBroken(f"{problem}; {first_difference(left, right, 0.0, self.columns)}")


def first_difference(left: NDArray[Any], right: NDArray[Any], tolerance: float, columns: Sequence[str]) -> str:
    """Where two tables differ first, in words."""
    if left.shape != right.shape:
        return f"{left.shape} and {right.shape} rows and columns"
    differs = np.argwhere(~np.isclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True))
    if not len(differs):
        return "only in bits that do not change a number"
    row, column = differs[0]
    return f"first in row {row}, column {columns[column]!r}: {left[row, column]!r} and {right[row, column]!r}"
