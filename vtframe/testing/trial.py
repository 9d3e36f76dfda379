"""A feature on trial: a pipeline of it alone, with what it reads supplied, and rows of that column or those columns only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import Feature, Kernel
from vtframe.domain import Records
from vtframe.features import Pipeline
from vtframe.testing.market import INSTRUMENT, RULE, small_market
from vtframe.testing.verdict import LawBroken

FeatureFactory = Callable[[], Feature]
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


def supplies(feature: Feature) -> list[Feature]:
    """What the columns that ``feature`` reads are in a trial."""
    columns = dict.fromkeys(feature.kernel().inputs)
    return [Supply(as_=column, factor=1.0 + k) for k, column in enumerate(columns)]


class Trial:
    """A pipeline of one new feature, and what of its rows is the feature's own."""

    def __init__(self, make: FeatureFactory, *, before: tuple[Feature, ...] = (), after: tuple[Feature, ...] = ()) -> None:
        feature = make()
        supplied = supplies(feature)
        self.pipeline = Pipeline([*before, feature, *after, *supplied], [INSTRUMENT], [RULE], dtype="float64")
        self.columns = feature.columns(feature.kernel())
        first = self.pipeline.columns.index(self.columns[0])
        self.own = slice(first, first + len(self.columns))
        self.warmup = self.pipeline.warmup

    @property
    def enough(self) -> int:
        """Frames after which it is warm and has shown what it does."""
        return 300 + 3 * self.warmup

    def batch(self, records: Records) -> NDArray[Any]:
        """All columns of all rows, made at once."""
        batches = self.pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events])
        return np.concatenate([batch.values for batch in batches])

    def rows(self, records: Records) -> NDArray[Any]:
        """The feature's own columns of all rows, made at once."""
        return self.batch(records)[:, self.own]

    def stream(self, records: Records, first: int = 0, last: int | None = None) -> NDArray[Any]:
        """The feature's own columns, made frame by frame."""
        rows = []
        for index in range(first, records.n_frames if last is None else last):
            count = self.pipeline.process(records, index, index + 1)
            if count:
                rows.append(self.pipeline.ring.window(0, count)[:, self.own].copy())
        return np.concatenate(rows)


def same_bits(left: NDArray[Any], right: NDArray[Any], problem: str) -> None:
    """Raise LawBroken with ``problem`` and the first difference, where there is one."""
    if left.tobytes() != right.tobytes():
        raise LawBroken(f"{problem}; {first_difference(left, right, 0.0)}")


def first_difference(left: NDArray[Any], right: NDArray[Any], tolerance: float) -> str:
    """Where two tables differ first, in words."""
    if left.shape != right.shape:
        return f"{left.shape} and {right.shape} rows and columns"
    differs = np.argwhere(~np.isclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True))
    if not len(differs):
        return "only in bits that do not change a number"
    row, column = differs[0]
    return f"first in row {row}, column {column}: {left[row, column]!r} and {right[row, column]!r}"
