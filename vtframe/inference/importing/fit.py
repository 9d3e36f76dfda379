"""Fits calibrators on rows that the model was not trained on, and that no figure is measured on afterwards."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vtframe.api import Calibrator

Method = Literal["temperature", "platt", "isotonic"]
_LEAST = 1e-12
_DIGITS = 9


def fit(method: Method, probabilities: NDArray[np.float64], classes: NDArray[np.int64]) -> Calibrator:
    """``probabilities`` (n, k) as the model answers them, ``classes`` (n,) what came true."""
    if method == "temperature":
        return Calibrator(method="temperature", temperature=_temperature(probabilities, classes))
    hits = np.eye(probabilities.shape[1])[classes]
    if method == "platt":
        fitted = [_platt(column, hit) for column, hit in zip(probabilities.T, hits.T, strict=True)]
        return Calibrator(
            method="platt", slopes=tuple(slope for slope, _ in fitted), intercepts=tuple(shift for _, shift in fitted)
        )
    lines = [_isotonic(column, hit) for column, hit in zip(probabilities.T, hits.T, strict=True)]
    return Calibrator(method="isotonic", knots=tuple(knots for knots, _ in lines), values=tuple(values for _, values in lines))


def log_loss(probabilities: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    """Mean log loss in nats."""
    chosen = probabilities[np.arange(len(classes)), classes]
    return float(-np.log(np.maximum(chosen, _LEAST)).mean())


def _temperature(probabilities: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    """The temperature with the least log loss, by golden section: it has one minimum (Guo et al. 2017)."""
    ratio = (np.sqrt(5.0) - 1) / 2
    low, high = np.log(0.05), np.log(20.0)

    def loss(x: float) -> float:
        return log_loss(Calibrator(method="temperature", temperature=float(np.exp(x))).apply(probabilities), classes)

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-4:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return round(float(np.exp((low + high) / 2)), _DIGITS)


def _platt(column: NDArray[np.float64], hits: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of a logistic regression on the logit, with Platt's smoothed targets, by Newton's method."""
    bounded = np.clip(column, _LEAST, 1 - _LEAST)
    x = np.log(bounded) - np.log1p(-bounded)
    positive = hits.sum()
    targets = np.where(hits > 0, (positive + 1) / (positive + 2), 1 / (len(hits) - positive + 2))
    slope, shift = 1.0, 0.0
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(slope * x + shift, -500, 500)))
        weight = np.maximum(p * (1 - p), _LEAST)
        wrong = p - targets
        gradient = np.array([wrong @ x, wrong.sum()])
        hessian = np.array([[weight @ (x * x), weight @ x], [weight @ x, weight.sum()]]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        slope, shift = slope - float(step[0]), shift - float(step[1])
        if np.abs(step).max() < 1e-10:
            break
    if not np.isfinite([slope, shift]).all() or slope < 0:  # it knows less than nothing: its own share, always
        share = float(np.clip(targets.mean(), _LEAST, 1 - _LEAST))
        return 0.0, round(float(np.log(share) - np.log1p(-share)), _DIGITS)
    return round(slope, _DIGITS), round(shift, _DIGITS)


def _isotonic(column: NDArray[np.float64], hits: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Pool adjacent violators: blocks of equal value; each becomes one knot at the mean of its probabilities."""
    order = np.argsort(column, kind="stable")
    blocks: list[tuple[float, float, int]] = []  # sums of probabilities and hits, rows
    for x, y in zip(column[order].tolist(), hits[order].tolist(), strict=True):
        blocks.append((x, y, 1))
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            (x2, y2, n2), (x1, y1, n1) = blocks.pop(), blocks.pop()
            blocks.append((x1 + x2, y1 + y2, n1 + n2))
    knots: list[float] = []
    values: list[float] = []
    for x, y, n in blocks:
        knot, value = round(x / n, _DIGITS), round(y / n, _DIGITS)
        if knots and knot <= knots[-1]:
            values[-1] = max(values[-1], value)
        else:
            knots.append(knot)
            values.append(value)
    return tuple(knots), tuple(values)
