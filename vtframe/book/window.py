"""A side's best levels by key (side * price / tick, larger is better) in a ring of cells, with bits that say which are filled.

``near`` is int64 (side, cells): ``size`` quantities, the level of a key at ``key % size``; one bit for each; one bit for each
word of bits. The keys that have a place are ``base`` to ``base + size - 1``, so a window that moves copies nothing.
Plain Python that is compiled when a pipeline is built. ``size`` is a power of two from SMALLEST, ``base`` a multiple of 64.
"""

from __future__ import annotations

from typing import Any

from vtframe.book.bits import highest, lowest

SMALLEST = 4096  # one whole word of bits about words
EMPTY = -(1 << 62)  # no key


def cells(size: int) -> int:
    """How many a side of ``near`` has."""
    return size + (size >> 6) + (size >> 12)


def mark(near: Any, side: int, size: int, key: int) -> None:
    """A cell has become filled."""
    word = size + ((key & (size - 1)) >> 6)
    was = near[side, word]
    near[side, word] = was | (1 << (key & 63))
    if was == 0:
        block = key >> 6
        near[side, size + (size >> 6) + ((block & ((size >> 6) - 1)) >> 6)] |= 1 << (block & 63)


def unmark(near: Any, side: int, size: int, key: int) -> None:
    """A cell has become empty."""
    word = size + ((key & (size - 1)) >> 6)
    left = near[side, word] & ~(1 << (key & 63))
    near[side, word] = left
    if left == 0:
        block = key >> 6
        near[side, size + (size >> 6) + ((block & ((size >> 6) - 1)) >> 6)] &= ~(1 << (block & 63))


def best_from(near: Any, side: int, size: int, base: int, key: int) -> Any:
    """The largest key up to ``key`` whose cell is filled; EMPTY where there is none. ``key`` is below the window's end."""
    if key < base:
        return EMPTY
    block = key >> 6
    blocks = size >> 6
    word = near[side, size + (block & (blocks - 1))] & ((2 << (key & 63)) - 1)
    if word != 0:
        return (block << 6) + highest(word)
    block -= 1
    lowest_block = base >> 6
    if block < lowest_block:
        return EMPTY
    first = block - (block & 63)  # of the 64 blocks that one word is about
    summary = near[side, size + blocks + ((block & (blocks - 1)) >> 6)] & ((2 << (block & 63)) - 1)
    while True:
        if first < lowest_block:  # in a ring, what is before the window's first block is its last ones
            summary &= -1 << (lowest_block & 63)
        if summary != 0:
            break
        first -= 64
        if first + 63 < lowest_block:
            return EMPTY
        summary = near[side, size + blocks + ((first & (blocks - 1)) >> 6)]
    block = first + highest(summary)
    return (block << 6) + highest(near[side, size + (block & (blocks - 1))])


def worst_from(near: Any, side: int, size: int, key: int, end: int) -> int:
    """The smallest key from ``key``, and below ``end``, whose cell is filled; EMPTY where there is none.

    Both are in the window, or its end."""
    while key < end:
        word = near[side, size + ((key & (size - 1)) >> 6)] & (-1 << (key & 63))
        first = key - (key & 63)
        if word != 0:
            found = first + lowest(word)
            return found if found < end else EMPTY
        key = first + 64
    return EMPTY


def empty(near: Any, side: int, size: int) -> None:
    """No level: only what is filled is written to, for the rest may be memory that was never touched."""
    blocks = size >> 6
    for block in range(blocks):
        word = near[side, size + block]
        while word != 0:
            place = lowest(word)
            near[side, (block << 6) + place] = 0
            word &= word - 1
        near[side, size + block] = 0
    for place in range(size + blocks, cells(size)):
        near[side, place] = 0
