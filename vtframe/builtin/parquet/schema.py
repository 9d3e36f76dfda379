"""The columns of row and prediction files, and how blocks of records become Arrow batches. docs/files.md lists them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vtframe.api import ConfigError, Fault, PredictionBlock, RowBlock, SessionInfo
from vtframe.dataset.row_columns import NAME, ROW_FIELDS, named, to_arrow
from vtframe.domain import Verdict

FORMAT_VERSION = 1
PREDICTION_FIELDS: list[tuple[str, pa.DataType]] = [
    ("row", pa.int64()),
    ("input", pa.int64()),
    ("ts_event", pa.int64()),
    ("ts_recv", pa.int64()),
    ("ts_done", pa.int64()),
    ("age_ns", pa.int64()),
    ("deadline_ns", pa.int64()),
    ("update_id", pa.int64()),
    ("arrived", pa.int64()),
    ("batch", pa.int64()),
    ("batch_size", pa.int32()),
    ("instrument", NAME),
    ("verdict", NAME),
    ("model_hash", NAME),
]
_VERDICTS = pa.array([verdict.value for verdict in Verdict])


def row_schema(session: SessionInfo) -> pa.Schema:
    """Schema of row files; raises ConfigError where a feature has the name of one of the fixed columns."""
    values = pa.from_numpy_dtype(np.dtype(session.dtype))
    return _schema(ROW_FIELDS, session.columns, values, session, kind="rows", table="[[features]]")


def prediction_schema(session: SessionInfo, model: str) -> pa.Schema:
    """Schema of one model's prediction files; raises ConfigError where a class has the name of one of the fixed columns."""
    return _schema(
        PREDICTION_FIELDS,
        session.outputs[model],
        pa.float32(),
        session,
        kind="predictions",
        table=f"model {model}",
        model=model,
    )


def row_batch(_: RowBlock, meta: NDArray[Any], values: NDArray[Any], *, schema: pa.Schema, names: pa.Array) -> pa.RecordBatch:
    """Rows as Arrow columns; ``names`` are the session's instruments in the order of their indexes."""
    return to_arrow(meta, values, schema, names)


def prediction_batch(
    block: PredictionBlock, meta: NDArray[Any], outputs: NDArray[Any], *, schema: pa.Schema, names: pa.Array
) -> pa.RecordBatch:
    """Predictions as Arrow columns; outputs are null where a prediction has none. ``block`` is the newest that was gathered:
    it knows every version of those before it."""
    columns = {name: pa.array(np.ascontiguousarray(meta[name])) for name, kind in PREDICTION_FIELDS if kind != NAME}
    columns["instrument"] = named(meta["instrument"], names)
    columns["verdict"] = named(meta["verdict"], _VERDICTS)
    columns["model_hash"] = named(meta["version"], pa.array(block.versions or ("",), pa.string()))
    values = [pa.array(np.ascontiguousarray(outputs[:, i]), from_pandas=True) for i in range(outputs.shape[1])]
    return pa.RecordBatch.from_arrays([*(columns[name] for name, _ in PREDICTION_FIELDS), *values], schema=schema)


def _schema(
    fixed: list[tuple[str, pa.DataType]],
    names: Sequence[str],
    values: pa.DataType,
    session: SessionInfo,
    *,
    kind: str,
    table: str,
    model: str = "",
) -> pa.Schema:
    taken = {name for name, _ in fixed}
    faults = [
        Fault(
            table=table,
            key=name,
            problem=f"has the name of a fixed column of {kind} files",
            hint='give it another name with as = "..."',
        )
        for name in names
        if name in taken
    ]
    if faults:
        raise ConfigError(*faults)
    metadata = {
        "vtframe.format_version": str(FORMAT_VERSION),
        "vtframe.kind": kind,
        "vtframe.session_id": session.session_id,
        "vtframe.schema_hash": session.schema_hash,
        "vtframe.fingerprint": session.fingerprint,
        "vtframe.columns": json.dumps(list(names)),
        **({"vtframe.model": model} if model else {}),
    }
    return pa.schema([*fixed, *((name, values) for name in names)], metadata=metadata)
