"""A sum over the last values that only ever adds: nothing is subtracted again, so rounding neither piles up nor lingers."""

from __future__ import annotations

from vtframe.api import State, floats, ints


def rolling_sum(prefix: str, window: int) -> dict[str, State]:
    """The memory of one rolling sum, to be merged into ``Kernel.state``."""
    return {f"{prefix}_ring": floats(window), f"{prefix}_fresh": floats(), f"{prefix}_place": ints()}


def push(value, ring, fresh, place):  # type: ignore[no-untyped-def]
    """Take one value in and let the oldest go; returns the sum of the last ``len(ring)`` values, zeros before the first.

    Left of ``place`` the ring holds values since it last came round (``fresh`` is their sum), right of it sums from there to
    its end, made when it came round: O(1) a value, amortized.
    """
    at = place[0]
    ring[at] = value
    fresh[0] += value
    at += 1
    if at == len(ring):
        total = 0.0
        for k in range(len(ring) - 1, -1, -1):
            total += ring[k]
            ring[k] = total
        fresh[0] = 0.0
        at = 0
    place[0] = at
    return current(ring, fresh, place)


def current(ring, fresh, place):  # type: ignore[no-untyped-def]
    """The sum as it stands."""
    return ring[place[0]] + fresh[0]


def empty(ring, fresh, place):  # type: ignore[no-untyped-def]
    """Start over."""
    ring[:] = 0.0
    fresh[0] = 0.0
    place[0] = 0
