"""A recording as two Parquet files: its FRAME records and its EVENT records. docs/recordings.md lists the columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vtframe.api import DecodeError, RecordingError
from vtframe.builtin.recorded.lines import Recordings
from vtframe.dataset.row_columns import NAME, named
from vtframe.domain import EventKind, FrameKind, Instrument, Records
from vtframe.wire import Damage, End, Heading, Lost, OnConnection

FORMAT_VERSION = 1
FRAMES, EVENTS = "frames.parquet", "events.parquet"
_GROUP = 65_536  # events, or frames, that are written at once
_NO_INPUT = (Heading, End, OnConnection)

FRAME_FIELDS: list[tuple[str, pa.DataType]] = [
    ("input", pa.int64()),
    ("ts_recv", pa.int64()),
    ("instrument", NAME),
    ("kind", NAME),
    ("connection", pa.int32()),
    ("first_id", pa.int64()),
    ("last_id", pa.int64()),
    ("previous_id", pa.int64()),
    ("checksum", pa.int64()),
    ("n_events", pa.int32()),
]
EVENT_FIELDS: list[tuple[str, pa.DataType]] = [
    ("input", pa.int64()),
    ("ts_event", pa.int64()),
    ("ts_recv", pa.int64()),
    ("instrument", NAME),
    ("kind", NAME),
    ("side", pa.int8()),
    ("flags", pa.int32()),
    ("price", pa.int64()),
    ("quantity", pa.int64()),
    ("order_id", pa.int64()),
]


class TablesMade(msgspec.Struct):
    """What was written."""

    folder: str
    inputs: int = 0
    frames: int = 0
    events: int = 0
    broken: int = 0  # messages that cannot be decoded: inputs without frames
    damaged: int = 0  # places that cannot be read


def to_parquet(recordings: Recordings, folder: Path) -> TablesMade:
    """Write ``frames.parquet`` and ``events.parquet`` into ``folder``, which must not exist. All of it or nothing.

    Raises RecordingError where it cannot be written.
    """
    if folder.exists():
        raise RecordingError(str(folder), "is there already", "name a folder that does not exist")
    made = TablesMade(str(folder))
    unfinished = folder.with_name(f".{folder.name}.tmp")
    try:
        unfinished.mkdir(parents=True)
    except OSError as e:
        raise RecordingError(str(folder), f"cannot be made: {e.strerror or e}", f"remove {unfinished}") from None
    try:
        with _Writer(unfinished, recordings.instruments) as writer:
            _fill(recordings, writer, made)
        made.frames, made.events = writer.frames, writer.events
        unfinished.rename(folder)
    except BaseException as e:
        for name in (FRAMES, EVENTS):
            (unfinished / name).unlink(missing_ok=True)
        unfinished.rmdir()
        if isinstance(e, OSError):
            raise RecordingError(str(folder), f"cannot be written: {e.strerror or e}") from None
        raise
    return made


def _fill(recordings: Recordings, writer: _Writer, made: TablesMade) -> None:
    def on_damage(_: Damage) -> None:
        made.damaged += 1

    records = Records(frames=_GROUP // 16)
    for line in recordings.lines(on_damage):
        if isinstance(line.item, _NO_INPUT):
            continue
        if isinstance(line.item, Lost):
            made.inputs += line.item.inputs
            continue
        first = records.n_frames
        try:
            recordings.decode(line, records)
        except DecodeError:
            made.broken += 1
        if records.n_frames > first:
            records.frames["input"][first : records.n_frames] = made.inputs
            if records.n_events >= _GROUP or records.n_frames >= _GROUP:
                writer.write(records)
                records.clear()
        made.inputs += 1
    writer.write(records)


class _Writer:
    """Both files, open."""

    def __init__(self, folder: Path, instruments: Sequence[Instrument]) -> None:
        self.frames = self.events = 0
        self._names = pa.array([instrument.instrument_id for instrument in instruments], pa.string())
        self._frames = pq.ParquetWriter(folder / FRAMES, _schema("frames", FRAME_FIELDS, instruments), compression="zstd")
        self._events = pq.ParquetWriter(folder / EVENTS, _schema("events", EVENT_FIELDS, instruments), compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.close()
        self._events.close()

    def write(self, records: Records) -> None:
        """One row group of each."""
        frames, events = records.frames[: records.n_frames], records.events[: records.n_events]
        if not len(frames):
            return
        owner = np.repeat(np.arange(len(frames)), frames["n_events"])  # of events, which lie in the order of their frames
        events["frame"] = frames["input"][owner]
        self._frames.write_batch(_batch(frames, FRAME_FIELDS, self._names, kinds=FrameKind, schema=self._frames.schema))
        more = {"input": events["frame"], "ts_recv": frames["ts_recv"][owner]}
        self._events.write_batch(
            _batch(events, EVENT_FIELDS, self._names, kinds=EventKind, schema=self._events.schema, more=more)
        )
        self.frames += len(frames)
        self.events += len(events)


def _schema(kind: str, fields: list[tuple[str, pa.DataType]], instruments: Sequence[Instrument]) -> pa.Schema:
    units = [
        {
            "instrument": one.instrument_id,
            "price_decimals": one.price_decimals,
            "quantity_decimals": one.quantity_decimals,
        }
        for one in instruments
    ]
    metadata = {
        "vtframe.format_version": str(FORMAT_VERSION),
        "vtframe.kind": kind,
        "vtframe.instruments": json.dumps(units),
    }
    return pa.schema(fields, metadata=metadata)


def _batch(
    records: NDArray[Any],
    fields: list[tuple[str, pa.DataType]],
    names: pa.Array,
    *,
    kinds: type[FrameKind | EventKind],
    schema: pa.Schema,
    more: dict[str, NDArray[Any]] | None = None,
) -> pa.RecordBatch:
    words = {int(kind): kind.name.lower() for kind in kinds}
    labels = pa.array([words.get(code, "") for code in range(max(words) + 1)], pa.string())
    columns = []
    for name, kind in fields:
        if name == "instrument":
            columns.append(named(records["instrument"], names))
        elif name == "kind":
            columns.append(named(records["kind"], labels))
        else:
            values = (more or {}).get(name)
            columns.append(pa.array(np.ascontiguousarray(records[name] if values is None else values), kind, safe=True))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
