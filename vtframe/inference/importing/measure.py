"""What a model's outputs are worth on rows that it was not trained on: scores, and moves in bps that make a calibrated edge."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import Head
from vtframe.inference.scores import Scores

SIGNS = {"down": -1, "flat": 0, "up": 1}


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """Measured on unseen rows. Moves are taken less their mean: the trend of some minutes is no knowledge."""

    expected_move_bps: tuple[float, ...]  # per output of the head
    variance_bps2: float
    metrics: dict[str, float]
    baselines: dict[str, float]


def measure(head: Head, outputs: NDArray[np.float64], direction: NDArray[np.int8], moves: NDArray[np.float64]) -> Worth:
    """Of one head's ``outputs`` (n, width), what the mid then did, in order of time."""
    expected = expected_moves(head, outputs, direction, moves)
    metrics: dict[str, float] = {}
    baselines: dict[str, float] = {}
    if head.kind == "classification":
        scores = Scores(head.outputs, expected)
        scores.add(outputs, direction, moves)
        told: dict[str, Any] = scores.report()
        for name in ("accuracy", "macro_f1", "log_loss"):
            metrics[name], baselines[name] = round(told[name], 6), round(told["baseline"][name], 6)
    metrics |= _edge(head, outputs, direction, moves)
    return Worth(expected_move_bps=expected, variance_bps2=round(float(moves.var()), 6), metrics=metrics, baselines=baselines)


def expected_moves(
    head: Head, outputs: NDArray[np.float64], direction: NDArray[np.int8], moves: NDArray[np.float64]
) -> tuple[float, ...]:
    """What each output is worth in bps, so that their weighted sum is a calibrated edge.

    Of a classification: each class's mean move, times one factor, the slope of the realized move on the probability-weighted
    mean. Of a regression: that slope, for its first output. A negative slope means that there is no edge, and counts as 0.
    """
    centered = moves - moves.mean()
    if head.kind == "classification":
        signs = [SIGNS.get(name) for name in head.outputs]
        means = np.array([centered[direction == sign].mean() if (direction == sign).any() else 0.0 for sign in signs])
    else:
        means = np.zeros(len(head.outputs))
        means[0] = 1.0
    slope = max(0.0, slope_of(outputs @ means, centered))
    return tuple(round(float(value), 6) + 0.0 for value in slope * means)


def slope_of(edge: NDArray[np.float64], moves: NDArray[np.float64]) -> float:
    """Least-squares slope of moves on edge; 0 where the edge does not vary."""
    spread = float(edge.var())
    return float(np.cov(edge, moves, bias=True)[0, 1] / spread) if spread > 0 else 0.0


def _edge(
    head: Head, outputs: NDArray[np.float64], direction: NDArray[np.int8], moves: NDArray[np.float64]
) -> dict[str, float]:
    """How well the edge holds: measured on the first half, judged on the second. A slope of 1 is calibrated, 0 is no edge."""
    half = len(moves) // 2
    edge = outputs[half:] @ np.array(expected_moves(head, outputs[:half], direction[:half], moves[:half]))
    varied = edge.std() > 0
    return {
        "edge_slope": round(slope_of(edge, moves[half:]), 6),
        "edge_correlation": round(float(np.corrcoef(edge, moves[half:])[0, 1]) if varied else 0.0, 6),
        "edge_std_bps": round(float(edge.std()), 6),
    }
