"""A sliding window of rows as one histogram per column, kept by adding what comes and taking away what goes: O(1) a value.

PSI = sum over bins of (w - t) ln(w / t), w and t the shares of window and training (Siddiqi 2006, "Credit Risk Scorecards").
Shares count at least 1e-4, so that an empty bin costs a finite amount. Without drift, and with rows that do not depend on each
other, it is about (bins - 1) / window; by custom 0.1 is a small and 0.25 a large change.

KS = the largest distance between the two cumulative shares, at the edges. Between two edges the distance may be larger by at
most the largest share of a bin, 1/20 for a column without ties. Without drift, and with rows that do not depend on each other,
it exceeds sqrt(ln(2 / a) / (2 window)) with a probability of at most a (Dvoretzky-Kiefer-Wolfowitz; Massart 1990).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vtframe.api import TrainingColumn

_LEAST = 1e-4  # share of a bin


class BinWindow:
    """The last ``window`` rows, as bins of the columns in ``reference``. Memory: a byte for each row and column."""

    def __init__(self, reference: Sequence[TrainingColumn], window: int) -> None:
        bins = [len(column.shares) for column in reference]
        self._width = max(bins)
        self._shares = np.zeros((len(bins), self._width))
        for place, column in enumerate(reference):
            self._shares[place, : bins[place]] = column.shares
        self._real = np.arange(self._width) < np.array(bins)[:, None]  # columns with ties have fewer bins
        self._first = np.arange(len(bins)) * self._width
        self._counts = np.zeros(len(bins) * self._width, np.int64)
        self._ring = np.zeros((window, len(bins)), np.uint8)
        self._seen = 0

    @property
    def full(self) -> bool:
        return self._seen >= len(self._ring)

    def add(self, bins: NDArray[np.int64]) -> None:
        """``bins`` (n, columns) of the next rows, at most a window of them."""
        size, count = len(self._ring), len(bins)
        places = np.arange(self._seen, self._seen + count) % size
        gone = places[max(0, size - self._seen) :]  # a place is free until the first round is done
        if len(gone):
            self._counts -= np.bincount((self._ring[gone] + self._first).ravel(), minlength=len(self._counts))
        self._ring[places] = bins
        self._counts += np.bincount((bins + self._first).ravel(), minlength=len(self._counts))
        self._seen += count

    def psi(self) -> NDArray[np.float64]:
        """Population stability index of each column."""
        window = np.maximum(self._now(), _LEAST)
        training = np.maximum(self._shares, _LEAST)
        terms = (window - training) * np.log(window / training)
        index: NDArray[np.float64] = np.where(self._real, terms, 0.0).sum(axis=1)
        return index

    def ks(self) -> NDArray[np.float64]:
        """Kolmogorov-Smirnov distance of each column, at the edges."""
        distance: NDArray[np.float64] = np.abs(np.cumsum(self._now() - self._shares, axis=1)).max(axis=1)
        return distance

    def _now(self) -> NDArray[np.float64]:
        counts = self._counts.reshape(self._shares.shape)
        shares: NDArray[np.float64] = counts / min(self._seen, len(self._ring))
        return shares
