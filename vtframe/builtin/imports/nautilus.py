"""NautilusTrader's Parquet catalogs: files of order book deltas, in the fixed-point layouts that name their own units.

Read are the layouts whose prices are int64 or 8 bytes (value x 10^9) and 16 bytes (value x 10^16), little-endian, as
nautilus_serialization writes them; any other is refused by name, since nothing in it says how its numbers are meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vtframe.api import RecordingError
from vtframe.builtin.imports import frames
from vtframe.builtin.imports.imported import Stated
from vtframe.domain import EventKind, FrameKind, Instrument, Records

_ADD, _UPDATE, _DELETE, _CLEAR = 1, 2, 3, 4
_BUY, _SELL = 1, 2
_LAST = 1 << 7  # of its event or packet
_COLUMNS = ("action", "side", "price", "size", "order_id", "flags", "sequence", "ts_event", "ts_init")
_STATED = ("instrument_id", "price_precision", "size_precision")


class Reader:
    """Reads OrderBookDelta by price level. A frame ends at the flag F_LAST; without it, where a time changes."""

    def __init__(self, files: Sequence[Path], instrument: Instrument) -> None:
        for path in files:
            _check_layout(path)
        self._of = instrument
        self._synced = False  # a snapshot has come, of any file

    @staticmethod
    def stated(path: Path) -> Stated:
        said = _metadata(path)
        symbol, _, venue = said["instrument_id"].rpartition(".")
        tick, lot = (f"1e-{int(said[name])}" for name in ("price_precision", "size_precision"))
        return Stated(venue=venue, symbol=symbol, tick_size=tick, lot_size=lot)

    def blocks(self, path: Path, on_damage: Callable[[str], None]) -> Iterator[Records]:
        records = Records(frames=frames.BLOCK, events=2 * frames.BLOCK)
        flagged = _has_last(path)
        rest: pa.Table | None = None
        skipped = 0
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=frames.BLOCK, columns=list(_COLUMNS)):
                    table = pa.Table.from_batches([batch])
                    rows = table if rest is None else pa.concat_tables([rest, table])
                    whole = _whole(rows, flagged=flagged)
                    rest = rows.slice(whole).combine_chunks()
                    skipped += self._fill(path, rows.slice(0, whole), records, flagged=flagged)
                    yield records
        except (OSError, pa.ArrowException) as e:
            raise RecordingError(str(path), f"cannot be read: {str(e).splitlines()[0]}") from None
        if rest is not None:
            skipped += self._fill(path, rest, records, flagged=flagged)
            yield records
        if skipped:
            on_damage(f"no snapshot at its beginning: {skipped} deltas before the first CLEAR are passed over")

    def _fill(self, path: Path, rows: pa.Table, records: Records, *, flagged: bool) -> int:
        """Append the frames of ``rows``; how many deltas before the first snapshot were passed over."""
        records.clear()
        if not rows.num_rows:
            return 0
        get = {name: rows.column(name).to_numpy() for name in ("action", "side", "order_id", "flags")}
        times = {name: rows.column(name).to_numpy().astype(np.int64) for name in ("ts_event", "ts_init")}
        action = get["action"]
        clears = action == _CLEAR
        _refuse_orders(path, get["order_id"][~clears], rows.filter(pa.array(~clears)))
        price = _fixed(path, rows.column("price"), self._of.price_decimals, ~clears)
        quantity = _fixed(path, rows.column("size"), self._of.quantity_decimals, ~clears)
        quantity[action == _DELETE] = 0
        side = np.select([get["side"] == _BUY, get["side"] == _SELL], [1, -1], 0)
        wrong = np.flatnonzero(~clears & ((side == 0) | (quantity < 0) | ~np.isin(action, (_ADD, _UPDATE, _DELETE))))
        if len(wrong):
            raise RecordingError(str(path), f"a delta at ts_init {times['ts_init'][wrong[0]]} has no side or an unknown action")
        events = frames.deltas(times["ts_event"], side, price, quantity, kind=EventKind.BOOK_DELTA)
        ends = _ends(get["flags"], times["ts_init"], times["ts_event"], flagged=flagged)
        return self._append(records, events, ends, clears, times["ts_init"])

    def _append(
        self,
        records: Records,
        events: NDArray[Any],
        ends: NDArray[np.int64],
        clears: NDArray[np.bool_],
        arrivals: NDArray[np.int64],
    ) -> int:
        starts = np.append(0, ends[:-1])
        skipped = position = 0
        pictures = [k for k in range(len(starts)) if clears[starts[k] : ends[k]].any()] if clears.any() else []
        for k in [*pictures, len(starts)]:
            if position < k:
                first, last = int(starts[position]), int(ends[k - 1])
                if self._synced:
                    kinds = np.full(k - position, int(FrameKind.DEPTH))
                    part = events[first:last]
                    frames.append(records, part, starts[position:k] - first, kinds, arrivals[ends[position:k] - 1])
                else:
                    skipped += last - first
            if k < len(starts):
                self._synced = True
                begin = int(starts[k] + np.flatnonzero(clears[starts[k] : ends[k]])[-1])
                levels = events[begin + 1 : ends[k]]
                frames.append_snapshot(
                    records, int(events["ts_event"][ends[k] - 1]), int(arrivals[ends[k] - 1]), levels[levels["quantity"] != 0]
                )
            position = k + 1
        return skipped


def _metadata(path: Path) -> dict[str, str]:
    try:
        found = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException) as e:
        raise RecordingError(str(path), f"is no Parquet file: {str(e).splitlines()[0]}") from None
    said = {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in found.items()}
    missing = [name for name in _STATED if name not in said]
    if missing:
        problem = f"its metadata do not state {', '.join(missing)}"
        raise RecordingError(str(path), problem, "expected order book deltas of a NautilusTrader catalog")
    for name in _STATED[1:]:
        if not said[name].isdigit() or int(said[name]) > 16:
            raise RecordingError(str(path), f"states {name} = {said[name]!r}, expected a whole number up to 16")
    return said


def _check_layout(path: Path) -> None:
    schema = pq.read_schema(path)
    missing = [name for name in _COLUMNS if name not in schema.names]
    if missing:
        found = ", ".join(schema.names)
        raise RecordingError(
            str(path), f"has no column {', '.join(missing)} (it has {found})", "only order book deltas are read"
        )
    for name in ("price", "size"):
        if _scale(schema.field(name).type) is None:
            problem = f"its column {name} is of type {schema.field(name).type}, a layout that is not known here"
            raise RecordingError(str(path), problem, "known are int64, and fixed-size binary of 8 or 16 bytes")


def _scale(kind: pa.DataType) -> int | None:
    """Decimals of the raw integers, by the type that holds them."""
    if pa.types.is_int64(kind) or pa.types.is_uint64(kind):
        return 9
    if pa.types.is_fixed_size_binary(kind):
        return {8: 9, 16: 16}.get(kind.byte_width)
    return None


def _fixed(path: Path, column: pa.ChunkedArray, places: int, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Raw integers to ``places`` decimals, exactly; 0 where not ``wanted``."""
    scale = _scale(column.type) or 0
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    if pa.types.is_fixed_size_binary(column.type):
        width = column.type.byte_width
        words = np.frombuffer(array.buffers()[1], "<i8").reshape(-1, width // 8)[array.offset : array.offset + len(array)]
        if width == 16:
            return _narrowed(path, words, places, wanted)
        raw = words[:, 0]
    else:
        raw = array.to_numpy(zero_copy_only=False).astype(np.int64)
    raw = np.where(wanted, raw, 0)
    if places > scale:
        finer: NDArray[np.int64] = raw * 10 ** (places - scale)
        return finer
    whole: NDArray[np.int64]
    whole, left = np.divmod(raw, 10 ** (scale - places))
    _refuse_rest(path, left != 0, places)
    return whole


def _narrowed(path: Path, words: NDArray[np.int64], places: int, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    low, high = words[:, 0].view(np.uint64).astype(object), words[:, 1].astype(object)
    raw = np.where(wanted, low + high * 2**64, 0)
    unit = 10 ** (16 - places)
    _refuse_rest(path, np.array([value % unit for value in raw], np.bool_), places)
    whole = raw // unit
    if any(abs(value) >= 2**63 for value in whole):
        raise RecordingError(str(path), "a price or a size does not fit 64 bits")
    return np.array(whole, np.int64)


def _refuse_rest(path: Path, rest: NDArray[np.bool_], places: int) -> None:
    if rest.any():
        problem = f"a price or a size has more than the {places} decimals that are stated"
        raise RecordingError(str(path), problem, "state --tick-size and --lot-size")


def _refuse_orders(path: Path, order_id: NDArray[Any], rows: pa.Table) -> None:
    """Two orders at one price: then quantities are orders', not levels'."""
    named = order_id != 0
    if not named.any():
        return
    frame = rows.select(["side", "price", "order_id"]).filter(pa.array(named))
    levels = frame.group_by(["side", "price"]).aggregate([("order_id", "count_distinct")])
    if max(levels.column("order_id_count_distinct").to_pylist()) > 1:
        raise RecordingError(str(path), "several orders at one price: a level 3 file", "only level 2 files are read")


def _has_last(path: Path) -> bool:
    """Whether any of the first rows ends an event by flag."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=frames.BLOCK, columns=["flags"]):
            return bool(((batch.column("flags").to_numpy() & _LAST) != 0).any())
    return False


def _whole(rows: pa.Table, *, flagged: bool) -> int:
    """How many rows surely hold whole frames."""
    if flagged:
        last = np.flatnonzero((rows.column("flags").to_numpy() & _LAST) != 0)
        return int(last[-1]) + 1 if len(last) else 0
    starts = frames.starts_of(rows.column("ts_init").to_numpy())
    return int(starts[-1]) if len(starts) else 0


def _ends(flags: NDArray[Any], ts_init: NDArray[np.int64], ts_event: NDArray[np.int64], *, flagged: bool) -> NDArray[np.int64]:
    """One past the last row of every frame."""
    if flagged:
        ends = np.flatnonzero((flags & _LAST) != 0) + 1
        return ends if len(ends) and ends[-1] == len(flags) else np.append(ends, len(flags))
    return np.append(frames.starts_of(ts_init, ts_event)[1:], len(ts_init))
