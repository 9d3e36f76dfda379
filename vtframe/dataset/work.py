"""Unfinished work on a data set: parts that are whole as soon as they can be seen, so that a killed run goes on behind them.

Beside them lies the newest checkpoint, which stands behind some of the parts. Rows behind it that are there already are made
again: making rows is deterministic, and the digest of each part proves it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vtframe.dataset.row_columns import ROW_FIELDS, from_arrow, to_arrow
from vtframe.errors import InputError
from vtframe.features.pipeline import RowBatch

PART_ROWS = 262_144
_GROUP_ROWS = 65_536
_JOB = "job.json"
_CHECKPOINT = "checkpoint"


class Work:
    """The folder ``.NAME.work`` beside the file that is to be made. Use it as a context: one process works on it at a time.

    ``job`` says what is made, in bytes that are equal for equal jobs. Raises InputError where the folder holds another job's
    work (unless ``fresh``, which drops it) or another process works there.
    """

    def __init__(
        self,
        out: Path,
        job: bytes,
        *,
        instruments: Sequence[str],
        columns: Sequence[str],
        dtype: str,
        part_rows: int = PART_ROWS,
        fresh: bool = False,
    ) -> None:
        self.folder = work_folder(out)
        self.resumed = 0  # rows that were there
        self.again = 0  # of those, how many were made again and compared
        self.rows = 0
        self._job = job
        self._fresh = fresh
        self._part_rows = part_rows
        self._names = pa.array(instruments, pa.string())
        self._instruments = {name: index for index, name in enumerate(instruments)}
        self._columns = tuple(columns)
        self._dtype = dtype
        values = pa.from_numpy_dtype(np.dtype(dtype))
        self._schema = pa.schema([*ROW_FIELDS, *((name, values) for name in columns)])
        self._parts: list[Path] = []  # finished
        self._done = 0  # of those, how many this run has come to
        self._digests: list[str] = []  # of those
        self._gathered: list[RowBatch] = []
        self._gathered_rows = 0
        self._lock: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise InputError(str(self.folder.parent), f"cannot be written to: {e.strerror or e}") from None
        self._lock = (self.folder / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise InputError(str(self.folder), "another process is at work on it", "wait for it, or stop it") from None
        try:
            self._claim()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._lock is not None:
            self._lock.close()

    @property
    def due(self) -> bool:
        """Enough rows for a part have gathered."""
        return self._gathered_rows >= self._part_rows

    @property
    def digests(self) -> tuple[str, ...]:
        """Of the parts that this run has come to, in order."""
        return tuple(self._digests)

    def add(self, batch: RowBatch) -> None:
        """Take rows. ``settle`` makes a part of them when they are ``due``; far more than that are settled here."""
        self._gathered.append(batch)
        self._gathered_rows += len(batch.meta)
        self.rows += len(batch.meta)
        while self._gathered_rows >= 2 * self._part_rows:
            self._finish_part(self._part_rows)

    def settle(self) -> None:
        """Make a part of the rows that have gathered, however many."""
        if self._gathered_rows:
            self._finish_part(self._gathered_rows)

    def keep(self, checkpoint: bytes) -> None:
        """Keep a checkpoint that stands behind the parts that this run has come to, instead of the one that is there."""
        _write(self.folder / _CHECKPOINT, checkpoint)

    def kept(self) -> bytes | None:
        """The checkpoint that an earlier run left."""
        try:
            return (self.folder / _CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None

    def go_on(self, digests: Sequence[str]) -> None:
        """Leave the parts with these digests as they are, and go on behind them. Each is read once: raises ValueError, in
        words, where one is missing or its rows are not those that it states."""
        if len(digests) > len(self._parts):
            raise ValueError(f"it stands behind {len(digests)} parts, of which {len(self._parts)} are there and whole")
        for path, digest in zip(self._parts, digests, strict=False):
            if self._content(path) != digest:
                raise ValueError(f"{path.name} does not hold the rows that it stands behind")
        rows = sum(pq.read_metadata(path).num_rows for path in self._parts[: len(digests)])
        self._done, self._digests, self.rows = len(digests), list(digests), rows

    def start_over(self) -> None:
        """Drop the checkpoint: every row is made again, and compared with the parts that are there."""
        (self.folder / _CHECKPOINT).unlink(missing_ok=True)
        self._done, self._digests, self.rows = 0, [], 0

    def finish(self) -> None:
        """All rows were made. Raises InputError where there are parts that this run did not come to."""
        self.settle()
        if self._done < len(self._parts):
            raise self._differs(self._parts[self._done], "it holds rows that the data do not make any more")

    def batches(self) -> Iterator[RowBatch]:
        """Every row of every part, in order, in blocks."""
        for path in self._parts:
            for meta, values in self._read(path):
                yield RowBatch(meta, values)

    def remove(self) -> None:
        """The file is made: drop the work."""
        shutil.rmtree(self.folder)

    def _read(self, path: Path) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_GROUP_ROWS):
                yield from_arrow(batch, self._columns, self._instruments, self._dtype)

    def _claim(self) -> None:
        stated = self.folder / _JOB
        if self._fresh:
            for path in (*self.folder.glob("*.parquet"), self.folder / _CHECKPOINT, stated):
                path.unlink(missing_ok=True)
        if stated.exists():
            if stated.read_bytes() != self._job:
                raise InputError(
                    str(self.folder),
                    "holds unfinished work on another data set: other recordings, configuration, label or vtframe",
                    "--fresh drops it",
                )
        else:
            _write(stated, self._job)
        for path in self.folder.glob(".*.tmp"):
            path.unlink()
        self._parts = _whole_parts(self.folder)
        self.resumed = sum(pq.read_metadata(path).num_rows for path in self._parts)

    def _finish_part(self, rows: int) -> None:
        """Settle the first ``rows`` rows that have gathered; how the feed cut them does not show."""
        meta = np.concatenate([part.meta for part in self._gathered])
        values = np.concatenate([part.values for part in self._gathered])
        batch = RowBatch(meta[:rows], values[:rows])
        left = RowBatch(meta[rows:].copy(), values[rows:].copy())
        self._gathered, self._gathered_rows = [left], len(left.meta)
        digest = _digest(batch.meta, batch.values)
        there = self._done < len(self._parts)
        if there and _stated_digest(self._parts[self._done]) != digest:
            raise self._differs(self._parts[self._done], "this run makes other rows")
        if there and self._content(self._parts[self._done]) == digest:
            self.again += rows
        else:
            self._write_part(batch, digest)
        self._done += 1
        self._digests.append(digest)

    def _write_part(self, batch: RowBatch, digest: str) -> None:
        """Write the next part, or write it anew."""
        path = self.folder / f"{self._done + 1:06d}.parquet"
        unfinished = self.folder / f".{path.name}.tmp"
        schema = self._schema.with_metadata({"vtframe.digest": digest})
        table = pa.Table.from_batches([to_arrow(batch.meta, batch.values, schema, self._names)], schema)
        pq.write_table(
            table, unfinished, compression="zstd", use_dictionary=["instrument", "state"], row_group_size=_GROUP_ROWS
        )
        _settle(unfinished, path)
        if self._done == len(self._parts):
            self._parts.append(path)

    def _content(self, path: Path) -> str:
        """The digest of the rows that a part holds, whatever it states; empty where they cannot be read."""
        try:
            blocks = list(self._read(path))
            return _digest(*(np.concatenate(arrays) for arrays in zip(*blocks, strict=True)))
        except (OSError, pa.ArrowException, KeyError, ValueError):
            return ""

    def _differs(self, path: Path, problem: str) -> InputError:
        return InputError(str(path), f"cannot be gone on with: {problem}", "--fresh makes all rows anew")


def work_folder(out: Path) -> Path:
    """Where the unfinished work on ``out`` lies."""
    return out.with_name(f".{out.name}.work")


def _whole_parts(folder: Path) -> list[Path]:
    """The parts from 000001 on, up to the first one that is missing or not whole; what is behind is removed."""
    whole: list[Path] = []
    for path in sorted(folder.glob("[0-9]*.parquet")):
        if int(path.stem) != len(whole) + 1 or not _stated_digest(path):
            path.unlink()
        else:
            whole.append(path)
    return whole


def _stated_digest(path: Path) -> str:
    try:
        stated: bytes = (pq.read_schema(path).metadata or {}).get(b"vtframe.digest", b"")
    except (OSError, pa.ArrowException):
        return ""
    return stated.decode()


def _digest(meta: NDArray[Any], values: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for name in meta.dtype.names or ():
        digest.update(np.ascontiguousarray(meta[name]).tobytes())
    digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.write_bytes(content)
    _settle(unfinished, path)


def _settle(unfinished: Path, path: Path) -> None:
    """Bring ``unfinished`` to the disk, and only then give it its name."""
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)
