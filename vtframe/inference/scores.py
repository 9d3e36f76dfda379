"""Scores of class probabilities, kept as sums, beside the scores of always naming the class that turned out most frequent.

The baseline is chosen in hindsight and answers with the true class shares, so it is the best that a constant can do.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.domain.label import DOWN, FLAT, UP

_SIGNS = {"down": DOWN, "flat": FLAT, "up": UP}
_EPS = float(np.finfo(np.float32).eps)  # of the outputs; bounds the logarithm, as scikit-learn does
_RESERVOIR = 65_536  # rows kept for rank correlations
MOMENTS = 6


class Losses(NamedTuple):
    """Of each prediction; nan where the model has no class for what happened."""

    log_losses: NDArray[np.float64]
    briers: NDArray[np.float64]
    columns: NDArray[np.int64]  # the class that happened; -1 where there is none for it
    said: NDArray[np.int64]  # the most probable class
    expected: NDArray[np.float64]  # move, bps


class Judge:
    """Outputs of one model against what happened."""

    def __init__(self, classes: tuple[str, ...], expected_move_bps: tuple[float, ...]) -> None:
        self.classes = classes
        self._columns = {_SIGNS[name]: i for i, name in enumerate(classes)}
        self._moves = np.array(expected_move_bps, np.float64)

    def losses(self, outputs: NDArray[Any], labels: NDArray[np.int8], expects: tuple[float, ...] | None = None) -> Losses:
        """``outputs`` (n, classes) probabilities, ``labels`` (n,) of DOWN, FLAT, UP; ``expects`` in the place of the expected
        moves, bps."""
        p = outputs.astype(np.float64)
        columns = np.full(len(labels), -1)
        for sign, column in self._columns.items():
            columns[labels == sign] = column
        known = columns >= 0
        rows = np.flatnonzero(known)
        log_losses, briers = np.full(len(p), np.nan), np.full(len(p), np.nan)
        log_losses[known] = -np.log(np.clip(p[rows, columns[known]], _EPS, 1 - _EPS))
        wrong = p[known]
        wrong[np.arange(len(rows)), columns[known]] -= 1.0
        briers[known] = (wrong * wrong).sum(axis=1)
        moves = self._moves if expects is None else np.array(expects, np.float64)
        return Losses(log_losses, briers, columns, p.argmax(axis=1), p @ moves)


class Scores:
    """Sums over (outputs, label, move) triples. Exact, but for the rank correlation beyond 65,536 triples: then it is taken
    over a uniform sample of that many."""

    def __init__(self, classes: tuple[str, ...], expected_move_bps: tuple[float, ...]) -> None:
        self._judge = Judge(classes, expected_move_bps)
        self._confusion = np.zeros((len(classes), len(classes)), np.int64)  # [what happened, what was said]
        self._log_loss = 0.0
        self._brier = 0.0
        self._moments = np.zeros(MOMENTS)
        self._sample = Sample()

    def add(
        self,
        outputs: NDArray[Any],
        labels: NDArray[np.int8],
        moves_bps: NDArray[np.float64],
        *,
        expects: tuple[float, ...] | None = None,
    ) -> Losses:
        """``outputs`` (n, classes) probabilities, ``labels`` (n,) of DOWN, FLAT, UP, ``moves_bps`` (n,).

        A label that the model has no class for is left out of all but the correlations. ``expects``: the expected moves of
        another version of the model, which answered.
        """
        losses = self._judge.losses(outputs, labels, expects)
        known = losses.columns >= 0
        self._log_loss += float(losses.log_losses[known].sum())
        self._brier += float(losses.briers[known].sum())
        np.add.at(self._confusion, (losses.columns[known], losses.said[known]), 1)
        self._moments += moments(losses.expected, moves_bps).sum(axis=0)
        self._sample.add(np.column_stack([losses.expected, moves_bps]))
        return losses

    def report(self) -> dict[str, Any]:
        """Log loss in nats, Brier score summed over classes (0 to 2), accuracy, macro-F1, the baseline's, and Spearman's and
        Pearson's correlation of expected and realized move; None where one is undefined."""
        found = class_scores(self._judge.classes, self._confusion, self._log_loss, self._brier)
        baseline = found.pop("baseline")
        return {
            **found,
            "information_coefficient": self._sample.spearman(),
            "pearson": pearson(self._moments),
            "baseline": baseline,
        }


class Sample:
    """A uniform sample of rows whose first two numbers are an expected and a realized move, for rank correlations."""

    def __init__(self, width: int = 2) -> None:
        self.rows: NDArray[np.float64] = np.empty((0, width), np.float64)
        self._offered = 0
        self._rng = np.random.default_rng(0)

    def add(self, rows: NDArray[np.float64]) -> None:
        """Algorithm R of Vitter (1985): every row (n, width) offered so far is kept with the same probability."""
        free = _RESERVOIR - len(self.rows)
        self.rows = np.concatenate([self.rows, rows[:free]]) if free else self.rows
        self._offered += min(free, len(rows))
        rest = rows[free:]
        if len(rest):
            places = self._rng.integers(0, self._offered + 1 + np.arange(len(rest)))
            self._offered += len(rest)
            kept = places < _RESERVOIR
            self.rows[places[kept]] = rest[kept]  # of two for one place the later wins, as one by one

    def spearman(self) -> float | None:
        return spearman(self.rows[:, 0], self.rows[:, 1])


def class_scores(classes: tuple[str, ...], confusion: NDArray[np.int64], log_loss: float, brier: float) -> dict[str, Any]:
    """What sums come to, beside the same of the best constant; ``confusion`` is [what happened, what was said]."""
    count = int(confusion.sum())
    labels = confusion.sum(axis=1)
    found: dict[str, Any] = {"count": count, "labels": dict(zip(classes, labels.tolist(), strict=True))}
    if not count:
        nothing = dict.fromkeys(("log_loss", "brier", "accuracy", "macro_f1"))
        return {**found, **nothing, "baseline": dict(nothing)}
    shares = labels / count
    constant = np.zeros_like(confusion)
    constant[:, labels.argmax()] = labels
    some = shares[shares > 0]
    return {
        **found,
        "log_loss": log_loss / count,
        "brier": brier / count,
        "accuracy": float(np.trace(confusion) / count),
        "macro_f1": macro_f1(confusion),
        "baseline": {
            "log_loss": float(-(some * np.log(some)).sum()),
            "brier": float(1 - (shares * shares).sum()),
            "accuracy": float(shares.max()),
            "macro_f1": macro_f1(constant),
        },
    }


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


def moments(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each pair what ``pearson`` needs of their sum; shape (n, MOMENTS)."""
    return np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])


def pearson(sums: NDArray[np.float64]) -> float | None:
    """Pearson's correlation from the sum of ``moments``; None where either does not vary."""
    n, x, y, xx, yy, xy = sums.tolist()
    if n < 2:
        return None
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    if spread_x <= 1e-12 * xx or spread_y <= 1e-12 * yy:  # what is left of a constant by rounding
        return None
    return float((xy - x * y / n) / np.sqrt(spread_x * spread_y))
