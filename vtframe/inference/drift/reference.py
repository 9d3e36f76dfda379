"""How a column lay in training, as bundle.toml keeps it: edges between bins, and the share of rows in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import TrainingColumn

BINS = 20  # of equal share, where a column has so many values


def training_columns(values: NDArray[Any], columns: Sequence[str]) -> dict[str, TrainingColumn]:
    """What a bundle says of its training rows: ``values`` (n, columns), valid rows only, in the number type of the rows.

    The edges of a column are the values at every twentieth of its rows, its largest, and the number just below its smallest:
    so the outermost bins hold what training never saw. A value that many rows share is one edge. Raises ValueError where there
    is no row, or a number that is not finite.
    """
    if values.ndim != 2 or values.shape[1] != len(columns) or not len(values):
        raise ValueError(f"expected rows of {len(columns)} columns, found shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("found a number that is not finite: training columns are taken from valid rows only")
    return {name: _column(values[:, place]) for place, name in enumerate(columns)}


def count_bins(column: TrainingColumn, values: NDArray[Any]) -> NDArray[np.int64]:
    """The bin of each value: how many edges lie below it."""
    return np.searchsorted(np.asarray(column.edges, values.dtype), values, side="left")


def _column(values: NDArray[Any]) -> TrainingColumn:
    ordered = np.sort(values)
    places = (np.arange(1, BINS + 1) * len(ordered) + BINS - 1) // BINS - 1
    below = np.nextafter(ordered[0], ordered.dtype.type(-np.inf))
    edges = np.unique(np.concatenate([ordered[places], [below]]))
    counts = np.diff(np.searchsorted(ordered, edges, side="right"), prepend=0, append=len(ordered))
    return TrainingColumn(
        rows=len(ordered),
        edges=tuple(float(str(edge)) for edge in edges),  # the shortest text that gives the same number back
        shares=tuple((counts / len(ordered)).round(9).tolist()),
    )
