"""The ring of rows: each row is written twice, so that any window of the last rows is one contiguous view, never a copy."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vtframe.domain import ROW

RowType = Literal["float32", "float64"]


class RowRing:
    """The newest ``capacity`` rows of every instrument.

    ``values`` is (instrument, 2 * capacity, columns), ``meta`` is (instrument, 2 * capacity) of domain.ROW: row ``i`` lies at
    ``i % capacity`` and again ``capacity`` further on. Row numbers count from 0 and never wrap.
    ``heads`` (int64, one per instrument) counts the rows written; a compiled writer may share it. ``memory`` is (values, meta),
    zeros, where others are to see them.
    """

    def __init__(
        self,
        instruments: int,
        capacity: int,
        columns: int,
        *,
        dtype: RowType = "float32",
        heads: NDArray[np.int64] | None = None,
        memory: tuple[NDArray[Any], NDArray[Any]] | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"a ring holds at least one row, found capacity {capacity}")
        self.capacity = capacity
        if memory is None:
            memory = np.zeros((instruments, 2 * capacity, columns), dtype), np.zeros((instruments, 2 * capacity), ROW)
        self.values, self.meta = memory
        if self.values.shape != (instruments, 2 * capacity, columns) or self.values.dtype != dtype:
            raise ValueError(f"the memory holds {self.values.dtype} of shape {self.values.shape}")
        self._heads = np.zeros(instruments, np.int64) if heads is None else heads
        self._written = self._heads.data  # half as long to read as the array

    def head(self, instrument: int) -> int:
        """Rows written so far; the newest row's number is one less."""
        count: int = self._written[instrument]
        return count

    def append(self, instrument: int, values: NDArray[Any], meta: NDArray[Any]) -> int:
        """Write one row (shape (columns,), one ROW record) and return its number; ``meta``'s number is set."""
        number = self.head(instrument)
        slot = number % self.capacity
        for place in (slot, slot + self.capacity):
            self.values[instrument, place] = values
            self.meta[instrument, place] = meta
            self.meta[instrument, place]["number"] = number
        self._heads[instrument] = number + 1
        return number

    def window(self, instrument: int, count: int) -> NDArray[Any]:
        """Values of the newest ``count`` rows, oldest first: a view of shape (count, columns), overwritten as rows follow.

        Raises LookupError where fewer rows are there, ValueError where ``count`` is not in 1..capacity.
        """
        stop = self._stop(instrument, count)
        return self.values[instrument, stop - count : stop]

    def window_meta(self, instrument: int, count: int) -> NDArray[Any]:
        """The ROW records beside ``window(instrument, count)``, likewise a view."""
        stop = self._stop(instrument, count)
        return self.meta[instrument, stop - count : stop]

    def _stop(self, instrument: int, count: int) -> int:
        """One past the newest row, in the half in which the window does not wrap."""
        if not 1 <= count <= self.capacity:
            raise ValueError(f"a window of {count} rows does not fit a ring of {self.capacity}")
        head = self.head(instrument)
        if count > head:
            raise LookupError(f"instrument {instrument} has {head} rows, {count} were asked for")
        return (head - 1) % self.capacity + self.capacity + 1 if head >= self.capacity else head
