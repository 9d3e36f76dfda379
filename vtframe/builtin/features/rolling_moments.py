"""Mean and spread of the last values, merged from parts and never taken apart: no cancellation, however large the mean."""

from __future__ import annotations

import numpy as np

from vtframe.api import State, floats, ints


def rolling_moments(prefix: str, window: int) -> dict[str, State]:
    """The memory of one rolling mean and variance, to be merged into ``Kernel.state``."""
    return {
        f"{prefix}_mean": floats(window),
        f"{prefix}_square": floats(window),
        f"{prefix}_fresh": floats(2),  # mean and squared deviations of the values since the ring last came round
        f"{prefix}_place": ints(2),  # the next place in the ring, values taken in since the start
    }


def take(value, mean, square, fresh, place):  # type: ignore[no-untyped-def]
    """Take one value in and let the oldest go; returns how many came since the start.

    As in ``rolling_sum``: right of ``place`` the ring holds the moments from there to its end. Parts are merged by Chan,
    Golub and LeVeque (1983).
    """
    at = place[0]
    mean[at] = value
    distance = value - fresh[0]
    fresh[0] += distance / (at + 1)
    fresh[1] += distance * (value - fresh[0])
    at += 1
    place[1] += 1
    if at == len(mean):
        square[at - 1] = 0.0
        for k in range(len(mean) - 2, -1, -1):
            count = len(mean) - 1 - k
            distance = mean[k] - mean[k + 1]
            square[k] = square[k + 1] + distance * distance * count / (count + 1)
            mean[k] = mean[k + 1] + distance / (count + 1)
        fresh[:] = 0.0
        at = 0
    place[0] = at
    return place[1]


def mean_of(mean, fresh, place):  # type: ignore[no-untyped-def]
    """The mean of the last ``len(mean)`` values, once there are so many."""
    share = place[0] / len(mean)  # of the values since the ring came round
    return mean[place[0]] + (fresh[0] - mean[place[0]]) * share


def deviation_of(mean, square, fresh, place):  # type: ignore[no-untyped-def]
    """Their standard deviation, over ``len(mean)`` (not one less)."""
    at = place[0]
    distance = fresh[0] - mean[at]
    squares = square[at] + fresh[1] + distance * distance * at * (len(mean) - at) / len(mean)
    return np.sqrt(squares / len(mean))


def forget(fresh, place):  # type: ignore[no-untyped-def]
    """Start over: what is left in the ring is never read before ``len(mean)`` values came."""
    fresh[:] = 0.0
    place[:] = 0
