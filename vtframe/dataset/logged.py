"""The rows that a session logged, read back in blocks. What cannot be read is told, and the rest is read all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vtframe.dataset.row_columns import from_arrow
from vtframe.errors import SessionError
from vtframe.features.pipeline import RowBatch

FORMAT_VERSION = "1"
_BLOCK = 16_384  # rows read at once


class LoggedRows:
    """Iterate over it for the rows of the segments in ``folder``, in their order; afterwards ``problems`` says what was amiss.

    ``instruments`` are the session's, in the order of their indexes. Raises SessionError where a segment is of a format that
    this version does not know, or of another session.
    """

    def __init__(
        self, folder: Path, *, session_id: str, instruments: Sequence[str], columns: Sequence[str], dtype: str
    ) -> None:
        self.folder = folder
        self.segments = numbered(folder)
        self.problems: list[str] = []
        self.rows = 0  # read so far
        self._session_id = session_id
        self._instruments = {name: index for index, name in enumerate(instruments)}
        self._columns = tuple(columns)
        self._dtype = dtype
        self._note_holes()

    def __iter__(self) -> Iterator[RowBatch]:
        for path in self.segments:
            try:
                yield from self._read(path)
            except (OSError, pa.ArrowException, KeyError) as e:
                self.problems.append(f"{_short(path)} cannot be read: {_first_line(e)}")

    def _read(self, path: Path) -> Iterator[RowBatch]:
        with pq.ParquetFile(path) as file:
            self._check(path, file.schema_arrow)
            for batch in file.iter_batches(batch_size=_BLOCK):
                meta, values = from_arrow(batch, self._columns, self._instruments, self._dtype)
                self.rows += len(meta)
                yield RowBatch(meta, values)

    def _check(self, path: Path, schema: pa.Schema) -> None:
        stated = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        version = stated.get("vtframe.format_version")
        if version != FORMAT_VERSION:
            problem = f"found format version {version!r}, this vtframe reads {FORMAT_VERSION!r}"
            raise SessionError(str(path), problem, "read it with the vtframe that wrote it")
        session = stated.get("vtframe.session_id")
        if session != self._session_id:
            raise SessionError(str(path), f"belongs to session {session!r}, the folder to {self._session_id!r}")
        columns = tuple(json.loads(stated.get("vtframe.columns", "[]")))
        if columns != self._columns:
            problem = f"found the columns {', '.join(columns)}, expected {', '.join(self._columns)}"
            raise SessionError(str(path), problem)

    def _note_holes(self) -> None:
        there = [int(path.stem) for path in self.segments]
        missing = sorted(set(range(1, max(there, default=0) + 1)) - set(there))
        self.problems += [f"{self.folder.name}/{number:06d}.parquet is missing" for number in missing]


def numbered(folder: Path) -> list[Path]:
    """The finished segments of a folder, in order; the one in hand has another name."""
    return sorted(path for path in folder.glob("*.parquet") if path.stem.isdigit())


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
