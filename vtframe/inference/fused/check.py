"""Whether a compiled model answers as the backend does that runs the same graph: on recorded rows, or on rows like them."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleError, BundleInfo, Model

TOLERANCE = 1e-5
"""Of one output: absolute, plus this share of its size. Sums run in another order than the backend's, in float32."""
_BATCH = 256


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison of two models came to."""

    rows: int
    largest: float  # difference of one output, absolute
    row: int  # where it was


def check_against(
    model: Model, reference: Model, windows: NDArray[Any], *, where: str, tolerance: float = TOLERANCE
) -> Agreement:
    """Ask both for each of ``windows`` (n, window, columns), at least 1,000 of them.

    Raises BundleError naming the worst row where they differ by more than ``tolerance``, or one alone is not finite, and
    ValueError for too few rows.
    """
    if len(windows) < 1_000:
        raise ValueError(f"{len(windows)} rows are too few to compare models on; 1,000 are needed")
    answers, wanted = (_answers(one, windows) for one in (model, reference))
    same = (answers == wanted) | (np.isnan(answers) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(answers - wanted))
    apart[np.isnan(apart)] = np.inf
    over = np.where(same, 0.0, apart - tolerance * np.abs(np.nan_to_num(wanted)))
    row, output = np.unravel_index(int(over.argmax()), over.shape)
    if over[row, output] > tolerance:
        found, expected = float(answers[row, output]), float(wanted[row, output])
        problem = f"compiled it answers row {row} with {found:.7g}, its backend with {expected:.7g} (output {output})"
        raise BundleError(where, f"{problem}; {tolerance:g} apart is allowed", 'run the model with where = "inline"')
    place = int(apart.max(axis=1).argmax())
    return Agreement(rows=len(windows), largest=float(apart.max()), row=place)


def rows_like_training(bundle: BundleInfo, *, rows: int = 1_000, seed: int = 0) -> NDArray[Any] | None:
    """Windows (rows, window, columns) whose columns lie as they lay in training, each by itself; None where the bundle does not
    say how they lay."""
    if not all(column in bundle.training for column in bundle.columns):
        return None
    random = np.random.default_rng(seed)
    windows = np.empty((rows, bundle.window, len(bundle.columns)), bundle.dtype)
    for index, name in enumerate(bundle.columns):
        column = bundle.training[name]
        edges = np.array([column.edges[0], *column.edges, column.edges[-1]])
        bins = random.choice(len(column.shares), size=(rows, bundle.window), p=np.array(column.shares) / sum(column.shares))
        low, high = edges[bins], edges[bins + 1]
        windows[:, :, index] = low + (high - low) * random.random((rows, bundle.window))
    return windows


def _answers(model: Model, windows: NDArray[Any]) -> NDArray[np.float64]:
    parts = [np.array(model.predict(windows[k : k + _BATCH]), np.float64) for k in range(0, len(windows), _BATCH)]
    return np.concatenate(parts)
