"""The last values in order, in arrays: a skip list that knows how many lie before each of its steps (Pugh, 1990).

Taking a value in, letting one go and asking for a rank each cost O(log n). Heights come from a fixed sequence, so the same
values make the same list. Nodes are the places of a ring; node ``size`` is the head.
"""

from __future__ import annotations

import numpy as np

from vtframe.api import State, floats, ints

NONE = -1  # no node follows


def sorted_window(prefix: str, window: int) -> dict[str, State]:
    """The memory of one, to be merged into ``Kernel.state``."""
    return {
        f"{prefix}_value": floats(window),
        f"{prefix}_next": ints(floors(window) * (window + 1)),  # node after, by floor and node
        f"{prefix}_step": ints(floors(window) * (window + 1)),  # how far that is, counted on the ground floor
        f"{prefix}_place": ints(3),  # next place in the ring, values held, state of the sequence of heights
    }


def floors(window: int) -> int:
    """Enough for every fourth node of a floor to reach the next one."""
    return 1 + int(np.ceil(np.log(window + 1) / np.log(4.0)))


def replace(new, value, after, step, place):  # type: ignore[no-untyped-def]
    """Take a value in; with the window full, its oldest goes first. Returns how many are held."""
    size = len(value)
    if place[1] == 0:
        place[0] = 0
        for floor in range(len(after) // (size + 1)):
            after[floor * (size + 1) + size] = NONE
    at = place[0]
    if place[1] == size:
        remove(at, value, after, step)
    else:
        place[1] += 1
    value[at] = new
    insert(at, height(len(after) // (size + 1), place), value, after, step)
    place[0] = at + 1 if at + 1 < size else 0
    return place[1]


def insert(node, tall, value, after, step):  # type: ignore[no-untyped-def]
    """Put a node in its order: by value, then by place."""
    row = len(value) + 1
    rank = before(node, value, after, step)  # how many come before it
    at = row - 1
    passed = 0
    for floor in range(len(after) // row - 1, -1, -1):
        base = floor * row
        while after[base + at] != NONE and precedes(after[base + at], node, value):
            passed += step[base + at]
            at = after[base + at]
        if floor < tall:
            after[base + node] = after[base + at]
            step[base + node] = step[base + at] - (rank - passed)
            after[base + at] = node
            step[base + at] = rank - passed + 1
        else:
            step[base + at] += 1


def remove(node, value, after, step):  # type: ignore[no-untyped-def]
    """Take a node out."""
    row = len(value) + 1
    at = row - 1
    for floor in range(len(after) // row - 1, -1, -1):
        base = floor * row
        while after[base + at] != NONE and precedes(after[base + at], node, value):
            at = after[base + at]
        if after[base + at] == node:
            after[base + at] = after[base + node]
            step[base + at] += step[base + node] - 1
        else:
            step[base + at] -= 1


def before(node, value, after, step):  # type: ignore[no-untyped-def]
    """How many of the nodes held come before this one."""
    row = len(value) + 1
    at = row - 1
    passed = 0
    for floor in range(len(after) // row - 1, -1, -1):
        base = floor * row
        while after[base + at] != NONE and precedes(after[base + at], node, value):
            passed += step[base + at]
            at = after[base + at]
    return passed


def up_to(limit, value, after, step, equal):  # type: ignore[no-untyped-def]
    """How many of the values held are below ``limit``; with ``equal``, or the same."""
    row = len(value) + 1
    at = row - 1
    passed = 0
    for floor in range(len(after) // row - 1, -1, -1):
        base = floor * row
        while after[base + at] != NONE:
            following = value[after[base + at]]
            if not (following < limit or (equal and following == limit)):
                break
            passed += step[base + at]
            at = after[base + at]
    return passed


def precedes(left, right, value):  # type: ignore[no-untyped-def]
    """Whether node ``left`` comes before node ``right``."""
    return value[left] < value[right] or (value[left] == value[right] and left < right)


def height(most, place):  # type: ignore[no-untyped-def]
    """The next of the sequence of heights: one in four nodes is taller than the ground floor, one in four of those again.

    A linear congruential generator of 31 bits (its products fit in 63); the high bits are the good ones.
    """
    place[2] = (place[2] * 1103515245 + 12345) % 2147483648
    bits = place[2] >> 7
    tall = 1
    while tall < most and bits & 3 == 0:
        bits >>= 2
        tall += 1
    return tall
