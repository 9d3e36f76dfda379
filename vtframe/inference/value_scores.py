"""Scores of a model whose one output is the move itself, beside always answering 0: in bps it is hard to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.inference.scores import MOMENTS, Sample, moments, pearson


class ValueScores:
    """Sums over (output, move) pairs."""

    def __init__(self, factor: float) -> None:
        """``factor``: the bundle's ``expected_move_bps``; output times factor is the expected move."""
        self._factor = factor
        self._count = 0
        self._errors = np.zeros(4)  # absolute and squared, of the model and of answering 0
        self._moments = np.zeros(MOMENTS)
        self._sample = Sample()

    def add(self, outputs: NDArray[Any], moves_bps: NDArray[np.float64], *, factor: float | None = None) -> None:
        """``outputs`` (n,) and ``moves_bps`` (n,); ``factor`` of another version of the model, which answered."""
        values = outputs.astype(np.float64)
        wrong = values - moves_bps
        self._count += len(values)
        self._errors += [
            float(np.abs(wrong).sum()),
            float((wrong * wrong).sum()),
            float(np.abs(moves_bps).sum()),
            float((moves_bps * moves_bps).sum()),
        ]
        expected = values * (self._factor if factor is None else factor)
        self._moments += moments(expected, moves_bps).sum(axis=0)
        self._sample.add(np.column_stack([expected, moves_bps]))

    def report(self) -> dict[str, Any]:
        """Mean absolute and root mean squared error in bps, the baseline's, and Spearman's and Pearson's correlation of
        expected and realized move."""
        mean = self._errors / self._count if self._count else None
        return {
            "count": self._count,
            "mae": None if mean is None else float(mean[0]),
            "rmse": None if mean is None else float(np.sqrt(mean[1])),
            "information_coefficient": self._sample.spearman(),
            "pearson": pearson(self._moments),
            "baseline": {
                "mae": None if mean is None else float(mean[2]),
                "rmse": None if mean is None else float(np.sqrt(mean[3])),
            },
        }
