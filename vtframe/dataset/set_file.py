"""The file that a data set is: Parquet with its provenance in the metadata, there in full or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vtframe.dataset.labeler import LabeledRows
from vtframe.dataset.row_columns import NAME, named
from vtframe.errors import ConfigError, Fault, InputError
from vtframe.features.pipeline import RowBatch

FORMAT_VERSION = 1
_GROUP_ROWS = 65_536
_FIXED: list[tuple[str, pa.DataType]] = [
    ("ts_event", pa.int64()),
    ("ts_recv", pa.int64()),
    ("input", pa.int64()),
    ("instrument", NAME),
    ("valid", pa.bool_()),
]
_LABEL: list[tuple[str, pa.DataType]] = [
    ("label", pa.int8()),
    ("label_move_bps", pa.float64()),
    ("label_ts_recv", pa.int64()),
]


def check_names(columns: Sequence[str], *, labeled: bool) -> None:
    """Raise ConfigError where a feature's column has the name of another one."""
    fixed = [*_FIXED, *(_LABEL if labeled else [])]
    taken = {name for name, _ in fixed}
    faults = [
        Fault(
            table="[[features]]",
            key=name,
            problem="has the name of a fixed column of data sets",
            hint='give it another name with as = "..."',
        )
        for name in columns
        if name in taken
    ]
    if faults:
        raise ConfigError(*faults)


def set_schema(columns: Sequence[str], dtype: str, metadata: Mapping[str, str], *, labeled: bool) -> pa.Schema:
    """The schema of a data set."""
    values = pa.from_numpy_dtype(np.dtype(dtype))
    features = [(name, values) for name in columns]
    stated = {"vtframe.format_version": str(FORMAT_VERSION), "vtframe.kind": "dataset", **metadata}
    return pa.schema([*_FIXED, *features, *(_LABEL if labeled else [])], metadata=stated)


def stated_metadata(path: Path) -> dict[str, str]:
    """What the data set at ``path`` says of itself; empty where it is none."""
    try:
        found = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return {}
    return {key.decode(): value.decode() for key, value in found.items() if key.startswith(b"vtframe.")}


def counts_of(path: Path, *, labeled: bool) -> tuple[int, int, dict[int, int]]:
    """Rows, valid rows, and rows by label, of the data set at ``path``."""
    rows = valid = 0
    labels = {-1: 0, 0: 0, 1: 0}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["valid", *(["label"] if labeled else [])]):
            rows += batch.num_rows
            valid += batch.column("valid").true_count
            for label in labels if labeled else ():
                labels[label] += pc.sum(pc.equal(batch.column("label"), label)).as_py() or 0
    return rows, valid, labels


class SetFile:
    """Writes ``path``; within the context it is ``.NAME.tmp``, and where the context is left by an error, nothing is left."""

    def __init__(self, path: Path, schema: pa.Schema, *, instruments: Sequence[str]) -> None:
        self.path = path
        self.rows = 0
        self._schema = schema
        self._names = pa.array(instruments, pa.string())
        self._gathered: list[pa.Table] = []
        self._waiting = 0  # rows gathered for a row group
        self._unfinished = path.with_name(f".{path.name}.tmp")

    def __enter__(self) -> Self:
        try:
            self._writer = pq.ParquetWriter(self._unfinished, self._schema, compression="zstd")
        except OSError as e:
            raise InputError(str(self.path), f"cannot be written: {e.strerror or e}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None and self._waiting:
                table = pa.concat_tables(self._gathered).unify_dictionaries()
                self._writer.write_table(table, row_group_size=_GROUP_ROWS)
            self._writer.close()
            if error is None:
                with self._unfinished.open("rb") as file:
                    os.fsync(file.fileno())
                self._unfinished.replace(self.path)
        finally:
            self._unfinished.unlink(missing_ok=True)

    def write(self, rows: RowBatch | LabeledRows) -> None:
        """Append rows. Row groups are of one size, however the rows come."""
        meta, values = rows.meta, rows.values
        columns: list[Any] = [pa.array(np.ascontiguousarray(meta[name])) for name in ("ts_event", "ts_recv", "input")]
        columns += [named(meta["instrument"], self._names), pa.array(meta["valid"] != 0)]
        columns += [pa.array(np.ascontiguousarray(values[:, i])) for i in range(values.shape[1])]
        if isinstance(rows, LabeledRows):
            columns += [pa.array(part, mask=~rows.there) for part in (rows.label, rows.move_bps, rows.end)]
        self._gathered.append(pa.Table.from_arrays(columns, schema=self._schema))
        self._waiting += len(meta)
        self.rows += len(meta)
        if self._waiting >= _GROUP_ROWS:
            whole = self._waiting - self._waiting % _GROUP_ROWS
            table = pa.concat_tables(self._gathered).unify_dictionaries()
            self._writer.write_table(table.slice(0, whole), row_group_size=_GROUP_ROWS)
            self._gathered, self._waiting = [table.slice(whole)], self._waiting - whole
