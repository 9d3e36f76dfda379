"""The session's books as Python reads them; compiled code writes the same arrays."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.book import meta as m
from vtframe.book.levels import LOWEST
from vtframe.book.window import EMPTY, SMALLEST, cells, mark
from vtframe.domain import BookState, SequenceRule, Side, Top

START_CAPACITY = 1024
MAX_CAPACITY = 1 << 20
LARGEST = 16_384  # cells of a side's window: beyond, a book gains little and its memory is spread over more pages
WINDOW_BYTES = 1 << 26  # for the windows of all books, unless they are the smallest possible
_FIRST_LOOK = 256  # cells


class BookCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened to one book."""

    frames: int
    events: int
    gaps: int
    crossed: int
    resyncs: int
    old_snapshots: int
    old_frames: int
    verified: int
    mismatches: int


class Books:
    """Books by instrument index, in fixed point; an ``api.BookReader``.

    ``near`` is int64 (instrument, side, cells): each side's best levels in a window of ticks (``vtframe.book.window``).
    ``far`` is int64 (instrument, side, price | quantity, capacity): all other levels, the best one last. Side 0 is bids.
    ``meta`` is int64 (instrument, columns), its first columns named in ``vtframe.book.meta``; ``extra`` more belong to the
    owner. ``ticks[i]`` is what the prices of instrument ``i`` are multiples of, mostly: others are kept as exactly.
    Memory that no level was ever in is never touched: a window costs the pages that have levels.
    """

    def __init__(
        self,
        rules: Sequence[SequenceRule],
        *,
        ticks: Sequence[int] = (),
        capacity: int = START_CAPACITY,
        window: int | None = None,
        extra: int = 0,
    ) -> None:
        size = window or window_for(len(rules))
        self.near: NDArray[np.int64] = np.zeros((len(rules), 2, cells(size)), np.int64)
        self.far: NDArray[np.int64] = np.zeros((len(rules), 2, 2, capacity), np.int64)
        self.meta: NDArray[np.int64] = np.zeros((len(rules), m.COLUMNS + extra), np.int64)
        self.meta[:, m.LAST_ID] = -1
        self.meta[:, m.RULE] = [int(rule) for rule in rules]
        self.meta[:, m.WINDOW] = size
        self.meta[:, m.TICK] = ticks or 1
        self.meta[:, m.BEST : m.BEST + 2] = EMPTY
        self.meta[:, m.LIMIT : m.LIMIT + 2] = LOWEST
        self._width = self.meta.shape[1]
        self._meta_cells = memoryview(self.meta.reshape(-1).data)

    def __len__(self) -> int:
        return len(self.meta)

    @property
    def capacity(self) -> int:
        """Levels a side that fit before the arrays grow."""
        return int(self.far.shape[-1])

    @property
    def nbytes(self) -> int:
        """Memory, with what was never touched."""
        return self.near.nbytes + self.far.nbytes + self.meta.nbytes

    def grow(self, needed: int) -> None:
        """Double the capacity until ``needed`` levels a side fit. Raises MemoryError beyond ``MAX_CAPACITY``."""
        capacity = self.capacity
        while capacity < needed:
            capacity *= 2
        if capacity > MAX_CAPACITY:
            raise MemoryError(f"a book of {needed} levels a side is beyond the limit of {MAX_CAPACITY}")
        far = np.zeros((*self.far.shape[:-1], capacity), np.int64)
        for instrument, counts in enumerate(self.meta[:, m.FAR : m.FAR + 2].tolist()):
            for index, count in enumerate(counts):
                far[instrument, index, :, :count] = self.far[instrument, index, :, :count]
        self.far = far

    def replace_levels(self, sides: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> None:
        """Put levels where ``meta``, which is already theirs, says that they lie: prices and quantities of each instrument's
        bids, then asks, the best first, as ``levels`` gives them. ``near`` and ``far`` become other arrays."""
        self.near, self.far = np.zeros_like(self.near), np.zeros_like(self.far)
        given = iter(sides)
        for instrument, row in enumerate(self.meta):
            for index, side in enumerate((1, -1)):
                prices, quantities = next(given)
                scores = side * prices
                keys = scores // row[m.TICK]
                place = keys - row[m.BASE + index]
                inside = (keys * row[m.TICK] == scores) & (place >= 0) & (place < row[m.SPAN + index])
                for key, quantity in zip(keys[inside], quantities[inside], strict=True):
                    self.near[instrument, index, key & (row[m.WINDOW] - 1)] = quantity
                    mark(self.near[instrument], index, row[m.WINDOW], key)
                count = int(row[m.FAR + index])
                self.far[instrument, index, 0, :count] = prices[~inside][::-1]
                self.far[instrument, index, 1, :count] = quantities[~inside][::-1]

    def top(self, instrument: int) -> Top:
        start = instrument * self._width + m.BID
        return Top(*self._meta_cells[start : start + 4])

    def state(self, instrument: int) -> BookState:
        return BookState(self._meta_cells[instrument * self._width + m.STATE])

    def update_id(self, instrument: int) -> int:
        return int(self._meta_cells[instrument * self._width + m.LAST_ID])

    def ts_event(self, instrument: int) -> int:
        """Venue time of the newest depth frame applied, ns UTC; 0 before the first."""
        return int(self._meta_cells[instrument * self._width + m.DEPTH_TS_EVENT])

    def quantity_at(self, instrument: int, side: Side, price: int) -> int:
        """Quantity resting at ``price`` on the bid (BUY) or ask (SELL) side; 0 where there is none."""
        index = 0 if side == Side.BUY else 1
        cells = self._meta_cells
        start = instrument * self._width + index
        key, rest = divmod(int(side) * price, cells[start - index + m.TICK])
        if not rest and 0 <= key - cells[start + m.BASE] < cells[start + m.SPAN]:
            return int(self.near[instrument, index, key & (cells[start - index + m.WINDOW] - 1)])
        prices = self.far[instrument, index, 0, : cells[start + m.FAR]]
        place = bisect_left(prices.data, side * price, key=lambda other: side * other)
        return int(self.far[instrument, index, 1, place]) if place < len(prices) and prices[place] == price else 0

    def levels(self, instrument: int, side: Side, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Prices and quantities of the best ``count`` levels (fewer where there are fewer), best first, int64 copies."""
        index = 0 if side == Side.BUY else 1
        row = self.meta[instrument]
        keys, quantities = self._near_levels(instrument, index, count)
        prices = int(side) * keys * row[m.TICK]
        held = int(row[m.FAR + index])
        if len(keys) < count or row[m.OFF + index]:
            start = max(held - count, 0)
            far = self.far[instrument, index, :, start:held][:, ::-1]
            prices, quantities = np.concatenate((prices, far[0])), np.concatenate((quantities, far[1]))
            if row[m.OFF + index]:
                order = np.argsort(prices)
                order = order[::-1] if side == Side.BUY else order
                prices, quantities = prices[order], quantities[order]
        return prices[:count], quantities[:count]

    def counts(self, instrument: int) -> BookCounts:
        row = self.meta[instrument]
        return BookCounts(
            frames=int(row[m.FRAMES]),
            events=int(row[m.EVENTS]),
            gaps=int(row[m.GAPS]),
            crossed=int(row[m.CROSSED]),
            resyncs=int(row[m.RESYNCS]),
            old_snapshots=int(row[m.OLD_SNAPSHOTS]),
            old_frames=int(row[m.OLD_FRAMES]),
            verified=int(row[m.VERIFIED]),
            mismatches=int(row[m.MISMATCHES]),
        )

    def _near_levels(self, instrument: int, index: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Keys and quantities of the best levels in the window, best first: ``count``, or more, or all."""
        row = self.meta[instrument]
        best, base, size = int(row[m.BEST + index]), int(row[m.BASE + index]), int(row[m.WINDOW])
        if best == EMPTY:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        ring = self.near[instrument, index, :size]
        span = _FIRST_LOOK
        while True:
            low = max(base, best + 1 - span)
            cells = ring[np.arange(low, best + 1) & (size - 1)]
            found = np.flatnonzero(cells)[::-1]
            if len(found) >= count or low == base:
                return low + found, cells[found]
            span *= 8


def window_for(instruments: int) -> int:
    """Cells of a side's window for so many books: the largest power of two with which all take at most ``WINDOW_BYTES``."""
    size = LARGEST
    while size > SMALLEST and 2 * instruments * 8 * cells(size) > WINDOW_BYTES:
        size >>= 1
    return size
