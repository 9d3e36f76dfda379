"""A sum over a span of time that only ever adds. Its capacity is declared; too many values make it nan, never wrong."""

from __future__ import annotations

import numpy as np

from vtframe.api import State, floats, ints

_START = 0  # cells of ``place``: the oldest entry, counted from the first ever
_SPLIT = 1  # from the oldest to here (not included) the ring holds sums to here, from here on single values
_END = 2  # one past the newest
_LOST = 3  # until when (ns) an entry that had to make room would have been in the span; 0: none


def timed_sum(prefix: str, capacity: int) -> dict[str, State]:
    """The memory of one sum, to be merged into ``Kernel.state``. ``capacity`` values may lie in the span at once."""
    return {
        f"{prefix}_ring": floats(capacity),
        f"{prefix}_time": ints(capacity),
        f"{prefix}_fresh": floats(),
        f"{prefix}_place": ints(4),
    }


def add(value, now, span, ring, time, fresh, place):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Take in a value that happened at ``now`` (ns)."""
    leave(now - span, ring, time, fresh, place)
    if place[_END] - place[_START] == len(ring):
        place[_LOST] = time[place[_START] % len(ring)] + span
        drop(ring, fresh, place)
    at = place[_END] % len(ring)
    ring[at] = value
    time[at] = now
    fresh[0] += value
    place[_END] += 1


def total(now, span, ring, time, fresh, place):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """The sum of what happened in ``(now - span, now]``; nan while a value that had to make room would be in it."""
    leave(now - span, ring, time, fresh, place)
    if place[_LOST] > now:
        return np.nan
    if place[_START] == place[_SPLIT]:
        return fresh[0]
    return ring[place[_START] % len(ring)] + fresh[0]


def leave(until, ring, time, fresh, place):  # type: ignore[no-untyped-def]
    """Let everything up to ``until`` go."""
    while place[_START] < place[_END] and time[place[_START] % len(ring)] <= until:
        drop(ring, fresh, place)


def drop(ring, fresh, place):  # type: ignore[no-untyped-def]
    """Let the oldest go. Where only single values are left they become sums to the newest: O(1) a value, amortized."""
    if place[_START] == place[_SPLIT]:
        running = 0.0
        for k in range(place[_END] - 1, place[_START] - 1, -1):
            running += ring[k % len(ring)]
            ring[k % len(ring)] = running
        fresh[0] = 0.0
        place[_SPLIT] = place[_END]
    place[_START] += 1
