"""How a column lay in training, as bundle.toml keeps it: edges between bins, and the share of rows in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import TrainingColumn

BINS = 20  # of equal share, where a column has so many values
_BLOCKS = 32  # at least, to tell the variance of their means


def training_columns(values: NDArray[Any], columns: Sequence[str]) -> dict[str, TrainingColumn]:
    """What a bundle says of its training rows: ``values`` (n, columns), valid rows only, in the number type of the rows.

    The edges of a column are the values at every twentieth of its rows, its largest, and the number just below its smallest:
    so the outermost bins hold what training never saw. A value that many rows share is one edge. Raises ValueError where there
    is no row, or a number that is not finite.

    Rows are in the order of time: a column's memory is measured from it, and is 1 where rows were shuffled.
    """
    if values.ndim != 2 or values.shape[1] != len(columns) or not len(values):
        raise ValueError(f"expected rows of {len(columns)} columns, found shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("found a number that is not finite: training columns are taken from valid rows only")
    return {name: _column(values[:, place]) for place, name in enumerate(columns)}


def count_bins(column: TrainingColumn, values: NDArray[Any]) -> NDArray[np.int64]:
    """The bin of each value: how many edges lie below it."""
    return np.searchsorted(np.asarray(column.edges, values.dtype), values, side="left")


def by_chance(column: TrainingColumn, measure: str, window: int) -> float:
    """What a window without drift may well reach, as its rows resemble each other: of psi four times its mean, of ks what it
    exceeds with a probability of 1% (formulas in the module ``window``)."""
    if measure == "psi":
        return 4 * (len(column.shares) - 1) * column.bin_memory / window
    return min(1.0, float(np.sqrt(np.log(2 / 0.01) * column.memory / (2 * window))))


def memory_of(values: NDArray[Any]) -> float:
    """The integrated autocorrelation time of the ranks of ``values``, in rows: b Var(mean of b rows) / Var(row), the largest of
    those with b = 1, 2, 4, ... and 32 blocks or more (batch means; Flegal and Jones 2010). 1 for independent rows; too small
    where the memory is not short against a thirtieth of the rows."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2)[inverse] / len(values)
    spread = float(ranks.var())
    if not spread:
        return 1.0
    return max((float(size * part.mean(axis=1).var(ddof=1)) / spread for size, part in _blocks(ranks)), default=1.0)


def bin_memory_of(bins: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    """As ``memory_of``, of the indicators of bins, averaged with the weights that they have in psi: the mean of psi in a window
    without drift is the number of bins less one, times this, over the window."""
    there = shares > 0
    if there.sum() < 2:
        return 1.0
    times = []
    for size, part in _blocks(bins):
        place = np.arange(len(part))[:, None] * len(shares) + part
        counts = np.bincount(place.ravel(), minlength=len(part) * len(shares)).reshape(len(part), -1)
        variances = (counts[:, there] / size).var(axis=0, ddof=1)
        times.append(float(size * (variances / shares[there]).sum() / (there.sum() - 1)))
    return max(times, default=1.0)


def _blocks(values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """``values`` in blocks of 1, 2, 4, ... rows, shape (blocks, rows), while there are enough of them."""
    size = 1
    while len(values) // size >= _BLOCKS:
        yield size, values[: len(values) // size * size].reshape(-1, size)
        size *= 2


def _column(values: NDArray[Any]) -> TrainingColumn:
    ordered = np.sort(values)
    places = (np.arange(1, BINS + 1) * len(ordered) + BINS - 1) // BINS - 1
    below = np.nextafter(ordered[0], ordered.dtype.type(-np.inf))
    edges = np.unique(np.concatenate([ordered[places], [below]]))
    counts = np.diff(np.searchsorted(ordered, edges, side="right"), prepend=0, append=len(ordered))
    shares = counts / len(ordered)
    bins = np.searchsorted(edges, values, side="left")
    return TrainingColumn(
        rows=len(ordered),
        edges=tuple(float(str(edge)) for edge in edges),  # the shortest text that gives the same number back
        shares=tuple(shares.round(9).tolist()),
        memory=float(f"{max(1.0, memory_of(values)):.3g}"),
        bin_memory=float(f"{max(1.0, bin_memory_of(bins, shares)):.3g}"),
    )
