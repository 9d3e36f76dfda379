"""Rows of a data set (``vtframe features``) to check and measure a model on: windows of valid rows, labels, what made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vtframe.api import InputFeature, Label
from vtframe.errors import InputError

_LABELS = ("label", "label_move_bps", "label_ts_recv")


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the mid after each row; means something only where ``there``."""

    rule: Label
    there: NDArray[np.bool_]
    direction: NDArray[np.int8]
    move_bps: NDArray[np.float64]
    end: NDArray[np.int64]  # ts_recv of the row at the label's end


class RowSet(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of a data set in the order in which they were made."""

    path: Path
    columns: tuple[str, ...]
    features: tuple[InputFeature, ...]
    sampling: str
    fingerprint: str
    sources: tuple[str, ...]  # files' names
    instruments: tuple[str, ...]
    instrument: NDArray[np.int64]  # index into instruments
    ts_recv: NDArray[np.int64]
    valid: NDArray[np.bool_]
    values: NDArray[Any]  # (rows, columns)
    labels: Labels | None
    order: NDArray[np.int64]  # rows grouped by instrument
    place: NDArray[np.int64]  # of each row in ``order``

    def usable(self, window: int) -> NDArray[np.int64]:
        """Rows at which a window of valid rows of one instrument ends, oldest first."""
        valid = self.valid[self.order]
        broken = np.where(valid, -1, np.arange(len(valid)))
        first = np.flatnonzero(np.diff(self.instrument[self.order], prepend=-1))
        broken[first] = np.maximum(broken[first], first - 1)
        last_broken = np.maximum.accumulate(broken)
        whole = np.arange(len(valid)) - last_broken >= window
        return np.sort(self.order[whole])

    def windows(self, rows: NDArray[np.int64], window: int, columns: tuple[str, ...] | None = None) -> NDArray[Any]:
        """The windows that end at ``rows``, (n, window, columns), C-contiguous."""
        at = self.order[self.place[rows][:, None] - np.arange(window - 1, -1, -1)]
        names = self.columns if columns is None else columns
        return np.ascontiguousarray(self.values[at][:, :, [self.columns.index(name) for name in names]])

    def told(self, row: int) -> str:
        """A row for messages to people."""
        return f"row {row} of {self.path} ({self.instruments[self.instrument[row]]}, ts_recv {self.ts_recv[row]})"


def read_rows(path: Path) -> RowSet:
    """Raises InputError where ``path`` is no data set of ours."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise InputError(
            str(path), "does not exist", "make it: vtframe features RECORDING --config CONFIG --out FILE"
        ) from None
    except (OSError, pa.ArrowException) as e:
        raise InputError(str(path), f"is no Parquet file that can be read: {e}") from None
    stated = {key.decode(): value for key, value in (table.schema.metadata or {}).items()}
    if stated.get("vtframe.kind") != b"dataset":
        raise InputError(str(path), "is no data set that vtframe made", "make one: vtframe features RECORDING --out FILE")
    columns = tuple(msgspec.json.decode(stated["vtframe.columns"], type=list[str]))
    named = table.column("instrument").combine_chunks()
    if isinstance(named, pa.ChunkedArray):
        named = named.chunk(0)
    values = np.empty((table.num_rows, len(columns)), stated["vtframe.dtype"].decode())
    for k, name in enumerate(columns):
        values[:, k] = table.column(name).to_numpy()
    instrument = named.indices.to_numpy().astype(np.int64)
    order = np.argsort(instrument, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    sources = msgspec.json.decode(stated["vtframe.sources"], type=list[dict[str, Any]])
    return RowSet(
        path=path,
        columns=columns,
        features=tuple(msgspec.json.decode(stated["vtframe.features"], type=list[InputFeature])),
        sampling=stated["vtframe.sampling"].decode(),
        fingerprint=stated["vtframe.fingerprint"].decode(),
        sources=tuple(Path(str(source["path"])).name for source in sources),
        instruments=tuple(named.dictionary.to_pylist()),
        instrument=instrument,
        ts_recv=table.column("ts_recv").to_numpy(),
        valid=table.column("valid").to_numpy().astype(np.bool_),
        values=values,
        labels=_labels(table, stated),
        order=order,
        place=place,
    )


def _labels(table: pa.Table, stated: dict[str, bytes]) -> Labels | None:
    if "vtframe.label" not in stated:
        return None
    rule = msgspec.json.decode(stated["vtframe.label"], type=dict[str, Any])
    label, move, end = (table.column(name).combine_chunks() for name in _LABELS)
    return Labels(
        rule=Label(
            kind=rule["kind"],
            horizon_rows=rule["horizon_rows"] or 0,
            horizon_ms=rule["horizon_ms"],
            threshold_bps=rule["threshold_bps"],
        ),
        there=label.is_valid().to_numpy(zero_copy_only=False).astype(np.bool_),
        direction=label.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int8),
        move_bps=move.fill_null(np.nan).to_numpy(zero_copy_only=False),
        end=end.fill_null(0).to_numpy(zero_copy_only=False),
    )
