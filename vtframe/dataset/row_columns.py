"""Rows as Arrow columns and back, bit for bit. Row files of sessions and parts of data sets hold them alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vtframe.domain import ROW, BookState

NAME = pa.dictionary(pa.int32(), pa.string())
ROW_FIELDS: list[tuple[str, pa.DataType]] = [
    ("number", pa.int64()),
    ("input", pa.int64()),
    ("ts_event", pa.int64()),
    ("ts_recv", pa.int64()),
    ("instrument", NAME),
    ("update_id", pa.int64()),
    ("bid", pa.int64()),
    ("bid_quantity", pa.int64()),
    ("ask", pa.int64()),
    ("ask_quantity", pa.int64()),
    ("state", NAME),
    ("valid", pa.bool_()),
]
"""What stands before the features, in order."""

STATES = [state.name for state in BookState]
_STATE_NAMES = pa.array(STATES)


def to_arrow(meta: NDArray[Any], values: NDArray[Any], schema: pa.Schema, names: pa.Array) -> pa.RecordBatch:
    """Rows as a batch of ``schema``; ``names`` are the instruments in the order of their indexes."""
    columns = {name: pa.array(np.ascontiguousarray(meta[name])) for name, kind in ROW_FIELDS if kind == pa.int64()}
    columns["instrument"] = named(meta["instrument"], names)
    columns["state"] = named(meta["state"], _STATE_NAMES)
    columns["valid"] = pa.array(meta["valid"] != 0)
    features = [pa.array(np.ascontiguousarray(values[:, i])) for i in range(values.shape[1])]
    return pa.RecordBatch.from_arrays([*(columns[name] for name, _ in ROW_FIELDS), *features], schema=schema)


def from_arrow(
    batch: pa.RecordBatch, columns: Sequence[str], instruments: Mapping[str, int], dtype: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The ROW records and values of ``batch``. An instrument that is not in ``instruments`` has index -1.

    Raises KeyError where a column is missing, pa.ArrowInvalid where one is of another type.
    """
    meta = np.zeros(batch.num_rows, ROW)
    for name, kind in ROW_FIELDS:
        if kind == pa.int64():
            meta[name] = batch.column(name).cast(kind).to_numpy(zero_copy_only=False)
    meta["instrument"] = codes_of(batch.column("instrument"), instruments)
    meta["state"] = codes_of(batch.column("state"), {name: code for code, name in enumerate(STATES)})
    meta["valid"] = batch.column("valid").to_numpy(zero_copy_only=False)
    values = np.empty((batch.num_rows, len(columns)), dtype)
    for i, name in enumerate(columns):
        column = batch.column(name)
        if str(column.type) != {"float32": "float", "float64": "double"}[dtype]:
            raise pa.ArrowInvalid(f"column {name!r} is of type {column.type}, expected {dtype}")
        values[:, i] = column.to_numpy(zero_copy_only=False)
    return meta, values


def named(codes: NDArray[Any], names: pa.Array) -> pa.DictionaryArray:
    """Indexes into ``names`` as a dictionary column."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), names)


def codes_of(column: pa.Array, known: Mapping[str, int]) -> NDArray[np.int64]:
    """What ``known`` has for the names of a column; -1 where it has nothing."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    codes = np.array([known.get(name, -1) for name in column.dictionary.to_pylist()] or [-1], np.int64)
    found: NDArray[np.int64] = codes[column.indices.fill_null(0).to_numpy(zero_copy_only=False)]
    return found
