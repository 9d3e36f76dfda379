"""The book's functions on a tape of operations, compiled and as plain Python, beside two dictionaries."""

from __future__ import annotations

import heapq
from typing import Any

import numba
import numpy as np

from vtframe.book import Books
from vtframe.book import meta as m
from vtframe.book.levels import after_level, change, clear, level_at, note_best, truncate
from vtframe.domain import SequenceRule, Side
from vtframe.kernels.bind import Binder

SET, CLEAR, CUT = 0, 1, 2  # a level's total; no level; at most so many a side
SHOWN = 5
COLUMNS = 1 + 4 + 4 * SHOWN

Operation = tuple[int, int, int, int]  # what, side, price, quantity
Book = dict[int, dict[int, int]]


def play(tape: Any, near: Any, far: Any, meta: Any, seen: Any) -> None:
    """Into ``seen``, for each operation: the total before it, the best of both sides, and the best SHOWN levels."""
    for row in range(len(tape)):
        what, side, price, quantity = tape[row, 0], tape[row, 1], tape[row, 2], tape[row, 3]
        if what == SET:
            seen[row, 0] = change(near, far, meta, side, price, quantity)
        elif what == CLEAR:
            clear(near, meta)
        else:
            meta[m.DEPTH] = quantity
            truncate(near, far, meta)
        note_best(near, far, meta)
        for k in range(4):
            seen[row, 1 + k] = meta[m.BID + k]
        for index in range(2):
            key, place = meta[m.BEST + index], meta[m.FAR + index] - 1
            for k in range(min(SHOWN, meta[m.N_BIDS + index])):
                price, quantity = level_at(near, far, meta, index, key, place)
                key, place = after_level(near, far, meta, index, key, place)
                seen[row, 5 + 2 * SHOWN * index + 2 * k] = price
                seen[row, 6 + 2 * SHOWN * index + 2 * k] = quantity


bound = Binder("vtframe_test_levels").bind(play, "test")


@numba.njit(error_model="numpy")
def compiled(tape, near, far, meta, seen):
    bound(tape, near, far, meta, seen)


def books(tick: int, window: int = 4096) -> Books:
    return Books([SequenceRule.NONE], ticks=[tick], window=window)


def run(tape: list[Operation], into: Books, *, plain: bool = False) -> np.ndarray:
    into.grow(len(tape) + int(into.meta[0, m.N_BIDS : m.N_ASKS + 1].max()))
    seen = np.zeros((len(tape), COLUMNS), np.int64)
    with np.errstate(all="ignore"):
        (play if plain else compiled)(np.array(tape, np.int64).reshape(-1, 4), into.near[0], into.far[0], into.meta[0], seen)
    return seen


def expected(tape: list[Operation], book: Book) -> np.ndarray:
    """The same from ``book`` = {1: bids, -1: asks}, which is changed."""
    seen = np.zeros((len(tape), COLUMNS), np.int64)
    for row, (what, side, price, quantity) in enumerate(tape):
        if what == SET:
            seen[row, 0] = book[side].get(price, 0)
            book[side].pop(price, None)
            if quantity:
                book[side][price] = quantity
        elif what == CLEAR:
            book[1].clear()
            book[-1].clear()
        else:
            for one in (1, -1):
                book[one] = dict(best_first(book, one)[:quantity])
        for index, one in enumerate((1, -1)):
            levels = heapq.nsmallest(SHOWN, book[one].items(), key=lambda level: -one * level[0])
            if levels:
                seen[row, 1 + 2 * index : 3 + 2 * index] = levels[0]
            flat = np.array(levels, np.int64).reshape(-1)
            seen[row, 5 + 2 * SHOWN * index : 5 + 2 * SHOWN * index + len(flat)] = flat
    return seen


def best_first(book: Book, side: int) -> list[tuple[int, int]]:
    return sorted(book[side].items(), key=lambda level: -side * level[0])


def check_whole(of: Books, book: Book) -> None:
    """All levels, any number of them, single ones, and the places that they lie in."""
    everything = []
    for side in Side:
        wanted = best_first(book, side)
        for count in (1, 3, len(wanted), len(wanted) + 1):
            prices, quantities = of.levels(0, side, count)
            assert list(zip(prices.tolist(), quantities.tolist(), strict=True)) == wanted[:count]
        for price, quantity in wanted[:3] + wanted[-3:]:
            assert of.quantity_at(0, side, price) == quantity
            for other in (price - 1, price + 1):
                assert of.quantity_at(0, side, other) == book[side].get(other, 0)
        everything.append(of.levels(0, side, len(wanted)))
        assert of.meta[0, m.N_BIDS + (side == Side.SELL)] == len(wanted)
    again = books(int(of.meta[0, m.TICK]), int(of.meta[0, m.WINDOW]))
    again.grow(of.capacity)
    again.meta[:] = of.meta
    again.replace_levels(everything)
    assert np.array_equal(again.near, of.near)
    for index in range(2):
        held = of.meta[0, m.FAR + index]
        assert np.array_equal(again.far[0, index, :, :held], of.far[0, index, :, :held])
