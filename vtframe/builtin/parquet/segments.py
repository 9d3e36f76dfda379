"""Numbered Parquet segments of one table. A file has its final name only when it is whole and on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_GROUP_ROWS = 16_384  # rows gathered in memory for one row group


class SegmentWriter:
    """Writes ``folder/000001.parquet`` and so on; the segment in hand is ``.000001.parquet.tmp``, which readers pass over.

    A segment is finished when it has ``segment_rows`` rows, or when a batch arrives ``segment_ns`` after its first one by
    ``ts`` (what the rows themselves say, so that the same input makes the same segments).
    """

    def __init__(self, folder: Path, schema: pa.Schema, *, compression: str, segment_rows: int, segment_ns: int) -> None:
        self.folder = folder
        self.number = 0  # of the segment in hand
        self.schema = schema
        self._compression = compression
        self._segment_rows = segment_rows
        self._segment_ns = segment_ns
        self._writer: pq.ParquetWriter | None = None
        self._gathered: list[pa.RecordBatch] = []
        self._gathered_rows = 0
        self._rows = 0  # of the segment in hand, gathered ones included
        self._since = 0

    def add(self, batch: pa.RecordBatch, ts: int) -> None:
        """Append ``batch``, whose first row is of time ``ts``; it is split where the segment is full."""
        if self._rows and ts - self._since >= self._segment_ns:
            self.finish()
        while batch.num_rows:
            if not self._rows:
                self._since = ts
            part = batch.slice(0, self._segment_rows - self._rows)
            batch = batch.slice(part.num_rows)
            self._gathered.append(part)
            self._gathered_rows += part.num_rows
            self._rows += part.num_rows
            if self._rows == self._segment_rows:
                self.finish()
            elif self._gathered_rows >= _GROUP_ROWS:
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
        if self._gathered:
            self._writer.write_table(pa.Table.from_batches(self._gathered, self.schema), row_group_size=self._gathered_rows)
        self._gathered = []
        self._gathered_rows = 0
        return self._writer
