"""Scores by regime: how right a model is where the market is calm and where it is not, and with a narrow and a wide spread.

Regimes are terciles of the session itself, of two numbers that are known when a prediction is made: realized volatility (the
root of the summed squared mid moves over one horizon before the row, bps) and spread (bps of the mid). Sums are kept in
buckets, eight to a doubling, and shared out among the terciles when a report is made: so memory is flat, and a tercile's
border is exact to within 9%. A bucket is never divided: where most rows have one spread (a single tick) they are all of one
regime, and the others are smaller or empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.inference.scores import MOMENTS, Judge, Sample, class_scores, moments, pearson, spearman

_NAMES = ("low", "medium", "high")
_STEPS = 8  # buckets to a doubling
_LEAST = -12  # power of two, bps: what is less (0 too) is the first bucket
_BUCKETS = 1 + _STEPS * 26


class Regimes:
    """``volatility`` and ``spread`` of one model."""

    def __init__(self, classes: tuple[str, ...], expected_move_bps: tuple[float, ...]) -> None:
        self._judge = Judge(classes, expected_move_bps)
        self._of = {name: _Buckets(classes) for name in ("volatility", "spread")}
        self._sample = Sample(4)

    def add(
        self,
        outputs: NDArray[Any],
        labels: NDArray[np.int8],
        moves_bps: NDArray[np.float64],
        *,
        volatilities: NDArray[np.float64],
        spreads: NDArray[np.float64],
        expects: tuple[float, ...] | None = None,
    ) -> None:
        """As Scores.add, with the two numbers of each prediction; one that has none (nan) is in no regime."""
        losses = self._judge.losses(outputs, labels, expects)
        sums = np.column_stack(
            [np.nan_to_num(losses.log_losses), np.nan_to_num(losses.briers), moments(losses.expected, moves_bps)]
        )
        self._sample.add(np.column_stack([losses.expected, moves_bps, volatilities, spreads]))
        for name, numbers in (("volatility", volatilities), ("spread", spreads)):
            self._of[name].add(numbers, sums, losses.columns, losses.said)

    def report(self) -> dict[str, dict[str, Any]]:
        """``{"volatility": {"low": scores, ...}, "spread": ...}``, each with the largest ``up_to_bps`` of its buckets."""
        sample = self._sample.rows
        return {name: buckets.report(sample, sample[:, 2 + k]) for k, (name, buckets) in enumerate(self._of.items())}


class _Buckets:
    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes
        self._counts = np.zeros(_BUCKETS, np.int64)
        self._sums = np.zeros((_BUCKETS, 2 + MOMENTS))
        self._confusion = np.zeros((_BUCKETS, len(classes), len(classes)), np.int64)

    def add(
        self,
        numbers: NDArray[np.float64],
        sums: NDArray[np.float64],
        columns: NDArray[np.int64],
        said: NDArray[np.int64],
    ) -> None:
        there = ~np.isnan(numbers)
        places = _places(numbers[there])
        np.add.at(self._counts, places, 1)
        np.add.at(self._sums, places, sums[there])
        known = columns[there] >= 0
        np.add.at(self._confusion, (places[known], columns[there][known], said[there][known]), 1)

    def report(self, sample: NDArray[np.float64], numbers: NDArray[np.float64]) -> dict[str, Any]:
        """``sample`` of expected and realized moves, with the number of each."""
        total = int(self._counts.sum())
        middle = (np.cumsum(self._counts) - self._counts / 2) / max(total, 1)
        regime = np.minimum((middle * len(_NAMES)).astype(np.int64), len(_NAMES) - 1)
        there = ~np.isnan(numbers)
        sampled, regimes = sample[there], regime[_places(numbers[there])]
        return {
            name: self._scores((regime == place) & (self._counts > 0), sampled[regimes == place])
            for place, name in enumerate(_NAMES)
        }

    def _scores(self, chosen: NDArray[np.bool_], sampled: NDArray[np.float64]) -> dict[str, Any]:
        sums = self._sums[chosen].sum(axis=0)
        found = class_scores(self._classes, self._confusion[chosen].sum(axis=0), float(sums[0]), float(sums[1]))
        last = int(np.flatnonzero(chosen)[-1]) if chosen.any() else None
        baseline = found.pop("baseline")
        return {
            "up_to_bps": None if last is None else float(2.0 ** (_LEAST + last / _STEPS)),
            **found,
            "information_coefficient": spearman(sampled[:, 0], sampled[:, 1]),
            "pearson": pearson(sums[2:]),
            "baseline": baseline,
        }


def _places(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bucket of each number."""
    least = 2.0**_LEAST
    steps = np.floor(np.log2(np.maximum(numbers, least) / least) * _STEPS).astype(np.int64)
    places: NDArray[np.int64] = np.minimum(steps + (numbers >= least), _BUCKETS - 1)
    return places
