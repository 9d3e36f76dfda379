"""The session's books as Python reads them; compiled code writes the same arrays."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.book import meta as m
from vtframe.domain import BookState, SequenceRule, Side, Top

START_CAPACITY = 1024
MAX_CAPACITY = 1 << 20


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

    ``cells`` is int64 (instrument, side, price | quantity, capacity) with side 0 bids and the best level last; ``meta`` is
    int64 (instrument, columns), its first columns named in ``vtframe.book.meta``; ``extra`` more belong to the owner.
    """

    def __init__(self, rules: Sequence[SequenceRule], *, capacity: int = START_CAPACITY, extra: int = 0) -> None:
        self.cells: NDArray[np.int64] = np.zeros((len(rules), 2, 2, capacity), np.int64)
        self.meta: NDArray[np.int64] = np.zeros((len(rules), m.COLUMNS + extra), np.int64)
        self.meta[:, m.LAST_ID] = -1
        self.meta[:, m.RULE] = [int(rule) for rule in rules]
        self._width = self.meta.shape[1]
        self._meta_cells = memoryview(self.meta.reshape(-1).data)

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def capacity(self) -> int:
        """Levels a side that fit before the arrays grow."""
        return int(self.cells.shape[-1])

    @property
    def prices(self) -> NDArray[np.int64]:
        """View (instrument, side, capacity)."""
        return self.cells[:, :, 0]

    @property
    def quantities(self) -> NDArray[np.int64]:
        """View (instrument, side, capacity)."""
        return self.cells[:, :, 1]

    def grow(self, needed: int) -> None:
        """Double the capacity until ``needed`` levels a side fit. Raises MemoryError beyond ``MAX_CAPACITY``."""
        capacity = self.capacity
        while capacity < needed:
            capacity *= 2
        if capacity > MAX_CAPACITY:
            raise MemoryError(f"a book of {needed} levels a side is beyond the limit of {MAX_CAPACITY}")
        cells = np.zeros((*self.cells.shape[:-1], capacity), np.int64)
        cells[..., : self.capacity] = self.cells
        self.cells = cells

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
        prices, quantities = self._side(instrument, side)
        place = bisect_left(prices.data, side * price, key=lambda other: side * other)
        return int(quantities[place]) if place < len(prices) and prices[place] == price else 0

    def levels(self, instrument: int, side: Side, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Prices and quantities of the best ``count`` levels (fewer where there are fewer), best first, int64 copies."""
        prices, quantities = self._side(instrument, side)
        start = max(len(prices) - count, 0)
        return prices[start:][::-1].copy(), quantities[start:][::-1].copy()

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

    def _side(self, instrument: int, side: Side) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        index, column = (0, m.N_BIDS) if side == Side.BUY else (1, m.N_ASKS)
        count = int(self.meta[instrument, column])
        return self.cells[instrument, index, 0, :count], self.cells[instrument, index, 1, :count]
