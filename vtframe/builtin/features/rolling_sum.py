"""Sums over the last values that only ever add: nothing is subtracted again, so rounding neither piles up nor lingers."""

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


def rolling_sums(prefix: str, window: int, width: int) -> dict[str, State]:
    """The memory of ``width`` rolling sums that move together: ``now`` takes the newest values, ``count`` how many came."""
    return {
        f"{prefix}_now": floats(width),
        f"{prefix}_ring": floats(window * width),
        f"{prefix}_fresh": floats(width),
        f"{prefix}_place": ints(2),  # the row of the ring to write next, values taken in since the start
    }


def push_all(now, ring, fresh, place):  # type: ignore[no-untyped-def]
    """Take the values in ``now`` in and let the oldest go; returns how many came since the start."""
    width = len(now)
    at = place[0] * width
    for k in range(width):
        ring[at + k] = now[k]
        fresh[k] += now[k]
    place[0] += 1
    place[1] += 1
    if place[0] * width == len(ring):
        for k in range(len(ring) - width - 1, -1, -1):
            ring[k] += ring[k + width]
        fresh[:] = 0.0
        place[0] = 0
    return place[1]


def sum_of(k, ring, fresh, place):  # type: ignore[no-untyped-def]
    """The ``k``-th of the sums as it stands."""
    return ring[place[0] * len(fresh) + k] + fresh[k]


def empty_all(ring, fresh, place):  # type: ignore[no-untyped-def]
    """Start over; O(1) while nothing came since the last start."""
    if place[1] == 0:
        return
    ring[:] = 0.0
    fresh[:] = 0.0
    place[:] = 0
