"""Scores of class probabilities, kept as sums, beside the scores of always naming the class that turned out most frequent.

The baseline is chosen in hindsight and answers with the true class shares, so it is the best that a constant can do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.domain.label import DOWN, FLAT, UP

_SIGNS = {"down": DOWN, "flat": FLAT, "up": UP}
_EPS = float(np.finfo(np.float32).eps)  # of the outputs; bounds the logarithm, as scikit-learn does
_RESERVOIR = 65_536  # pairs kept for the rank correlation


class Scores:
    """Sums over (outputs, label, move) triples. Exact, but for the rank correlation beyond 65,536 triples: then it is taken
    over a uniform sample of that many."""

    def __init__(self, classes: tuple[str, ...], expected_move_bps: tuple[float, ...]) -> None:
        self._classes = classes
        self._column = {_SIGNS[name]: i for i, name in enumerate(classes)}
        self._expected = np.array(expected_move_bps, np.float64)
        self._confusion = np.zeros((len(classes), len(classes)), np.int64)  # [what happened, what was said]
        self._log_loss = 0.0
        self._brier = 0.0
        self._pairs = np.empty((0, 2), np.float64)
        self._offered = 0
        self._rng = np.random.default_rng(0)

    def add(self, outputs: NDArray[Any], labels: NDArray[np.int8], moves_bps: NDArray[np.float64]) -> None:
        """``outputs`` (n, classes) probabilities, ``labels`` (n,) of DOWN, FLAT, UP, ``moves_bps`` (n,).

        A label that the model has no class for is left out of all but the rank correlation.
        """
        p = outputs.astype(np.float64)
        self._sample(np.column_stack([p @ self._expected, moves_bps]))
        columns = np.full(len(labels), -1)
        for sign, column in self._column.items():
            columns[labels == sign] = column
        p, columns = p[columns >= 0], columns[columns >= 0]
        every = np.arange(len(p))
        self._log_loss -= float(np.log(np.clip(p[every, columns], _EPS, 1 - _EPS)).sum())
        wrong = p.copy()
        wrong[every, columns] -= 1.0
        self._brier += float((wrong * wrong).sum())
        np.add.at(self._confusion, (columns, p.argmax(axis=1)), 1)

    def report(self) -> dict[str, Any]:
        """Log loss in nats, Brier score summed over classes (0 to 2), accuracy, macro-F1, the baseline's, and the Spearman
        correlation of expected and realized move; None where it is undefined."""
        confusion, count = self._confusion, int(self._confusion.sum())
        labels = confusion.sum(axis=1)
        found: dict[str, Any] = {"count": count, "labels": dict(zip(self._classes, labels.tolist(), strict=True))}
        if not count:
            nothing = dict.fromkeys(("log_loss", "brier", "accuracy", "macro_f1"))
            return {**found, **nothing, "information_coefficient": None, "baseline": dict(nothing)}
        shares = labels / count
        constant = np.zeros_like(confusion)
        constant[:, labels.argmax()] = labels
        some = shares[shares > 0]
        return {
            **found,
            "log_loss": self._log_loss / count,
            "brier": self._brier / count,
            "accuracy": float(np.trace(confusion) / count),
            "macro_f1": macro_f1(confusion),
            "information_coefficient": spearman(self._pairs[:, 0], self._pairs[:, 1]),
            "baseline": {
                "log_loss": float(-(some * np.log(some)).sum()),
                "brier": float(1 - (shares * shares).sum()),
                "accuracy": float(shares.max()),
                "macro_f1": macro_f1(constant),
            },
        }

    def _sample(self, pairs: NDArray[np.float64]) -> None:
        """Algorithm R of Vitter (1985): every pair offered so far is kept with the same probability."""
        free = _RESERVOIR - len(self._pairs)
        self._pairs = np.concatenate([self._pairs, pairs[:free]]) if free else self._pairs
        self._offered += min(free, len(pairs))
        rest = pairs[free:]
        if len(rest):
            places = self._rng.integers(0, self._offered + 1 + np.arange(len(rest)))
            self._offered += len(rest)
            kept = places < _RESERVOIR
            self._pairs[places[kept]] = rest[kept]  # of two for one place the later wins, as one by one


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean F1 over all classes of ``confusion`` [actual, predicted]; a class that never occurs in either counts 0."""
    hits = np.diag(confusion)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.mean(2 * hits / np.maximum(total, 1)))


def spearman(x: NDArray[Any], y: NDArray[Any]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None where either does not vary."""
    if len(x) < 2:
        return None
    a, b = _ranks(x), _ranks(y)
    a -= a.mean()
    b -= b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else None


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2.0)[inverse]
