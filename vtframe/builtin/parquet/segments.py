"""Numbered Parquet segments of one table. A file has its final name only when it is whole and on the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

_GROUP_ROWS = 16_384  # rows gathered in memory for one row group

Block = TypeVar("Block")


class SegmentWriter(Generic[Block]):
    """Writes ``folder/000001.parquet`` and so on; the segment in hand is ``.000001.parquet.tmp``, which readers pass over.

    A segment is finished when it has ``segment_rows`` rows, or when a block arrives ``segment_ns`` after its first one by
    ``ts`` (what the rows themselves say, so that the same input makes the same segments). Rows are gathered in memory that is
    there from the first block on: thousands of small arrays a minute that live for different times leave a heap in holes.
    """

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        to_batch: Callable[[Block, NDArray[Any], NDArray[Any]], pa.RecordBatch],
        *,
        compression: str,
        segment_rows: int,
        segment_ns: int,
    ) -> None:
        """``to_batch`` makes a batch of ``schema`` of gathered records and values, given the newest block they came with."""
        self.folder = folder
        self.number = 0  # of the segment in hand
        self.schema = schema
        self._to_batch = to_batch
        self._compression = compression
        self._segment_rows = segment_rows
        self._segment_ns = segment_ns
        self._writer: pq.ParquetWriter | None = None
        self._newest: Block | None = None
        self._meta: NDArray[Any] | None = None
        self._values: NDArray[Any] = np.zeros((0, 0))
        self._gathered = 0
        self._rows = 0  # of the segment in hand, gathered ones included
        self._since = 0

    def add(self, block: Block, meta: NDArray[Any], values: NDArray[Any], ts: int) -> None:
        """Append a block's records (n,) and values (n, columns), the first of which is of time ``ts``; it is split where the
        segment is full."""
        if self._rows and ts - self._since >= self._segment_ns:
            self.finish()
        if self._meta is None:
            self._meta = np.zeros(_GROUP_ROWS, meta.dtype)
            self._values = np.zeros((_GROUP_ROWS, values.shape[1]), values.dtype)
        self._newest = block
        first = 0
        while first < len(meta):
            if not self._rows:
                self._since = ts
            count = min(len(meta) - first, _GROUP_ROWS - self._gathered, self._segment_rows - self._rows)
            self._meta[self._gathered : self._gathered + count] = meta[first : first + count]
            self._values[self._gathered : self._gathered + count] = values[first : first + count]
            first += count
            self._gathered += count
            self._rows += count
            if self._rows == self._segment_rows:
                self.finish()
            elif self._gathered == _GROUP_ROWS:
                self._write_group()

    def finish(self) -> None:
        """Finish the segment in hand, if there is one."""
        if not self._rows:
            return
        self._write_group().close()
        self._writer = None
        self._rows = 0
        unfinished = self._unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(self.folder / f"{self.number:06d}.parquet")

    @property
    def _unfinished(self) -> Path:
        return self.folder / f".{self.number:06d}.parquet.tmp"

    def _write_group(self) -> pq.ParquetWriter:
        if self._writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.number = max([self.number, *(int(p.stem) for p in self.folder.glob("[0-9]*.parquet"))]) + 1
            self._writer = pq.ParquetWriter(self._unfinished, self.schema, compression=self._compression)
        count, self._gathered = self._gathered, 0
        if count and self._meta is not None and self._newest is not None:
            self._writer.write_batch(
                self._to_batch(self._newest, self._meta[:count], self._values[:count]), row_group_size=count
            )
        return self._writer
