"""What the mid did after a row: the one arithmetic behind training sets, exported labels and the scores of live predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DOWN, FLAT, UP = -1, 0, 1


def move_bps(now: NDArray[Any], then: NDArray[Any]) -> NDArray[np.float64]:
    """The move between two mids (of any one unit), in bps of the first; float64."""
    before: NDArray[np.float64] = np.asarray(now, np.float64)
    return (np.asarray(then, np.float64) / before - 1.0) * 1e4


def direction(moves_bps: NDArray[Any], threshold_bps: float | NDArray[Any]) -> NDArray[np.int8]:
    """UP (1), DOWN (-1) or FLAT (0) of moves in bps; a move of exactly the threshold is flat."""
    return (moves_bps > threshold_bps).astype(np.int8) - (moves_bps < -threshold_bps).astype(np.int8)


def count_invalid(valid: NDArray[np.bool_], before: int = 0) -> NDArray[np.int64]:
    """How many of the rows before each one are invalid, shape (n + 1,), counted on from ``before``."""
    counts = np.empty(len(valid) + 1, np.int64)
    counts[0] = before
    np.cumsum(~valid, out=counts[1:])
    counts[1:] += before
    return counts


def unbroken(invalid_before: NDArray[np.int64], first: NDArray[Any], last: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether every row from ``first`` to ``last``, both included, is valid: no label crosses a gap or a resync.
    ``invalid_before`` is count_invalid's."""
    intact: NDArray[np.bool_] = invalid_before[first] == invalid_before[last + 1]
    return intact
