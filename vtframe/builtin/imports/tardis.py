"""Tardis' incremental_book_L2 csv, plain or gzip: level changes by the venue's messages, each day beginning with a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from vtframe.api import RecordingError
from vtframe.builtin.imports import frames
from vtframe.builtin.imports.formats import TARDIS_HEADER
from vtframe.builtin.imports.imported import Stated
from vtframe.domain import EventKind, FrameKind, Instrument, Records

VENUES = {"binance": "binance_spot", "binance-futures": "binance_usdm", "binance-delivery": "binance_coinm"}
"""Tardis' names of exchanges that our codecs know by others."""

_COLUMNS = TARDIS_HEADER.decode().split(",")
_DIGITS = 38


class Reader:
    """Reads incremental_book_L2 files. Numbers become fixed point from their digits, never through a float.

    Rows of one ``local_timestamp`` are one frame, as Tardis says, where their ``timestamp`` is one too; a snapshot after other
    rows discards the book; rows before the first snapshot are passed over, and told.
    """

    def __init__(self, files: Sequence[Path], instrument: Instrument) -> None:
        self._of = instrument
        self._synced = False  # a snapshot has come, of any file
        self._in_snapshot = False  # the newest row was part of one

    @staticmethod
    def stated(path: Path) -> Stated:
        with _open(path, {"price": pa.string(), "amount": pa.string()}) as reader:
            for batch in _batches(path, reader):
                if batch.num_rows:
                    exchange = batch.column("exchange")[0].as_py()
                    return Stated(venue=VENUES.get(exchange, exchange), symbol=batch.column("symbol")[0].as_py())
        raise RecordingError(str(path), "holds no row")

    def blocks(self, path: Path, on_damage: Callable[[str], None]) -> Iterator[Records]:
        records = Records(frames=frames.BLOCK, events=2 * frames.BLOCK)
        types = {
            "price": pa.decimal128(_DIGITS, self._of.price_decimals),
            "amount": pa.decimal128(_DIGITS, self._of.quantity_decimals),
        }
        rest: pa.Table | None = None
        skipped = 0
        with _open(path, types) as reader:
            for batch in _batches(path, reader):
                table = pa.Table.from_batches([batch])
                rows = table if rest is None else pa.concat_tables([rest, table])
                local = rows.column("local_timestamp").to_numpy()
                whole = int(frames.starts_of(local)[-1]) if len(local) else 0
                rest = rows.slice(whole).combine_chunks()
                skipped += self._fill(path, rows.slice(0, whole), records)
                yield records
        if rest is not None:
            skipped += self._fill(path, rest, records)
            yield records
        if skipped:
            on_damage(f"no snapshot at its beginning: {skipped} rows before the first are passed over")

    def _fill(self, path: Path, rows: pa.Table, records: Records) -> int:
        """Append the frames of ``rows``; how many rows before the first snapshot were passed over."""
        records.clear()
        if not rows.num_rows:
            return 0
        symbols = set(rows.column("symbol").unique().to_pylist())
        if symbols != {self._of.symbol}:
            names = ", ".join(sorted(map(str, symbols)))
            raise RecordingError(str(path), f"is of {names}; expected {self._of.symbol} alone", "split it by symbol")
        snapshot = rows.column("is_snapshot").to_numpy()
        local = rows.column("local_timestamp").to_numpy() * 1_000
        starts = frames.starts_of(local, rows.column("timestamp").to_numpy(), snapshot)
        side = np.where(rows.column("side").to_numpy() == "bid", 1, -1)
        events = frames.deltas(
            rows.column("timestamp").to_numpy() * 1_000,
            side,
            _fixed(rows.column("price")),
            _fixed(rows.column("amount")),
            kind=EventKind.BOOK_DELTA,
        )
        skipped = 0
        ends = np.append(starts[1:], len(events))
        begins = snapshot[starts] & ~np.append(self._in_snapshot, snapshot[starts][:-1])
        self._in_snapshot = bool(snapshot[-1])
        position = 0
        for k in [*np.flatnonzero(begins).tolist(), len(starts)]:
            if position < k:
                first, last = int(starts[position]), int(ends[k - 1])
                if self._synced:
                    kinds = np.full(k - position, int(FrameKind.DEPTH))
                    frames.append(records, events[first:last], starts[position:k] - first, kinds, local[starts[position:k]])
                else:
                    skipped += last - first
            if k < len(starts):
                self._synced = True
                part = events[starts[k] : ends[k]]
                levels = part[part["quantity"] != 0]
                frames.append_snapshot(records, int(part["ts_event"][-1]), int(local[starts[k]]), levels)
            position = k + 1
        return skipped


def _open(path: Path, types: dict[str, pa.DataType]) -> Any:
    known = {
        "exchange": pa.string(),
        "symbol": pa.string(),
        "timestamp": pa.int64(),
        "local_timestamp": pa.int64(),
        "is_snapshot": pa.bool_(),
        "side": pa.string(),
    }
    try:
        source = pa.input_stream(str(path), compression="gzip" if path.read_bytes()[:2] == b"\x1f\x8b" else None)
        reader = csv.open_csv(
            source,
            read_options=csv.ReadOptions(block_size=1 << 22, use_threads=False),
            convert_options=csv.ConvertOptions(column_types={**known, **types}),
        )
    except (OSError, pa.ArrowException) as e:
        raise _unreadable(path, e) from None
    if reader.schema.names != _COLUMNS:
        problem = f"has the columns {', '.join(reader.schema.names)}, expected {', '.join(_COLUMNS)}"
        raise RecordingError(str(path), problem)
    return reader


def _batches(path: Path, reader: Any) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (OSError, pa.ArrowException) as e:
        raise _unreadable(path, e) from None


def _unreadable(path: Path, error: Exception) -> RecordingError:
    told = str(error).splitlines()[0]
    if "data loss" in told:
        told = "a price or an amount has more decimals than the instrument's tick size or lot size"
    return RecordingError(str(path), f"cannot be read: {told}", "its units: --tick-size, --lot-size, or the sidecar")


def _fixed(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The integers behind decimals: little-endian, 16 bytes each, of which our numbers fill the lower half."""
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    words = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)[array.offset : array.offset + len(array)]
    if (words[:, 1] != words[:, 0] >> 63).any():
        raise RecordingError("a price or an amount", "does not fit 64 bits")
    return words[:, 0].copy()
