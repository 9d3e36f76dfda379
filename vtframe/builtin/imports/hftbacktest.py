"""hftbacktest's .npz: its event records as its converters write them, seen from the local side.

The layout and flags are those of hftbacktest 2 (types.py): 64 bytes a record, the kind in the low byte, flags above. Floats
become fixed point by the instrument's decimals; one that is not near a multiple is refused. Level changes with equal times on
both clocks are one frame. Only rows flagged LOCAL_EVENT are seen; user-defined and best-level events are passed over.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vtframe.api import RecordingError
from vtframe.builtin.imports import frames
from vtframe.builtin.imports.imported import Stated
from vtframe.domain import EVENT, EventKind, FrameKind, Instrument, Records

RECORD = np.dtype(
    [
        ("ev", "<u8"),
        ("exch_ts", "<i8"),
        ("local_ts", "<i8"),
        ("px", "<f8"),
        ("qty", "<f8"),
        ("order_id", "<u8"),
        ("ival", "<i8"),
        ("fval", "<f8"),
    ],
    align=True,
)
DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
LOCAL, BUY, SELL = 1 << 30, 1 << 29, 1 << 28
_ORDERS = {10: "add", 11: "cancel", 12: "modify", 13: "fill"}  # of single orders: a level 3 feed
_EXACT = 2**53


class Reader:
    """Reads hftbacktest's event arrays. What it keeps of the book lives on from file to file."""

    def __init__(self, files: Sequence[Path], instrument: Instrument) -> None:
        for path in files:
            self.stated(path)
        self._of = instrument
        self._levels: dict[int, dict[int, int]] = {1: {}, -1: {}}  # by side: price and quantity
        self._empty = True  # no frame has come, of any file
        self._row = 0  # of the file

    @staticmethod
    def stated(path: Path) -> Stated:
        """Nothing: the arrays carry no name and no units."""
        with _archive(path) as archive, _member(path, archive) as file:
            _read_header(path, file)
        return Stated()

    def blocks(self, path: Path, on_damage: Callable[[str], None]) -> Iterator[Records]:
        records = Records(frames=frames.BLOCK, events=2 * frames.BLOCK)
        self._row = 0
        rest = np.zeros(0, RECORD)
        for block in _read(path):
            rows = np.concatenate([rest, block])
            keep = self._whole(rows)
            rest = rows[keep:].copy()
            yield self._frames(path, rows[:keep], records, on_damage)
        yield self._frames(path, rest, records, on_damage)

    def _whole(self, rows: NDArray[Any]) -> int:
        """How many rows surely hold whole frames: all before the last run of equal times."""
        starts = frames.starts_of(rows["exch_ts"], rows["local_ts"])
        return int(starts[-1]) if len(starts) else 0

    def _frames(self, path: Path, rows: NDArray[Any], records: Records, on_damage: Callable[[str], None]) -> Records:
        records.clear()
        kind = (rows["ev"] & 0xFF).astype(np.int64)
        orders = np.flatnonzero(np.isin(kind, list(_ORDERS)))
        if len(orders):
            what = _ORDERS[int(kind[orders[0]])]
            problem = f"row {self._row + int(orders[0])} is about a single order ({what}): a level 3 file"
            raise RecordingError(str(path), problem, "only level 2 files are read")
        seen = np.flatnonzero(((rows["ev"] & LOCAL) != 0) & np.isin(kind, (DEPTH, TRADE, CLEAR, SNAPSHOT)))
        numbers = seen + self._row
        self._row += len(rows)
        rows, kind = rows[seen], kind[seen]
        if not len(rows):
            return records
        buy, sell = (rows["ev"] & BUY) != 0, (rows["ev"] & SELL) != 0
        side = buy.astype(np.int64) - sell.astype(np.int64)
        price = _fixed(path, numbers, "px", np.where(kind == CLEAR, 0.0, rows["px"]), self._of.price_decimals)
        quantity = _fixed(path, numbers, "qty", np.where(kind == CLEAR, 0.0, rows["qty"]), self._of.quantity_decimals)
        wrong = np.flatnonzero((quantity < 0) | ((side == 0) & (kind != CLEAR)))
        if len(wrong):
            raise RecordingError(str(path), f"row {int(numbers[wrong[0]])} has no side, or a quantity below 0")
        group = np.select([kind == DEPTH, kind == TRADE], [0, 1], 2)
        alone = np.where(group == 1, np.arange(len(group)), -1)  # every trade is a frame
        starts = frames.starts_of(group, alone, rows["exch_ts"], rows["local_ts"])
        if self._empty:
            self._empty = False
            if group[0] != 2:
                on_damage("no snapshot at its beginning: the book starts empty, as hftbacktest starts it")
                frames.append_snapshot(records, int(rows["exch_ts"][0]), int(rows["local_ts"][0]), np.zeros(0, EVENT))
        events = frames.deltas(rows["exch_ts"], side, price, quantity, kind=EventKind.BOOK_DELTA)
        events["kind"][group == 1] = int(EventKind.TRADE)
        self._append(records, rows, events, starts, group)
        return records

    def _append(
        self, records: Records, rows: NDArray[Any], events: NDArray[Any], starts: NDArray[np.int64], group: NDArray[Any]
    ) -> None:
        """Runs of ordinary frames in bulk, snapshots one by one between them."""
        ends = np.append(starts[1:], len(events))
        pictures = np.flatnonzero(group[starts] == 2)
        frame_kinds = np.where(group[starts] == 1, int(FrameKind.TRADE), int(FrameKind.DEPTH))
        position = 0
        for k in [*pictures.tolist(), len(starts)]:
            if position < k:
                first, last = int(starts[position]), int(ends[k - 1])
                part = events[first:last]
                frames.append(
                    records, part, starts[position:k] - first, frame_kinds[position:k], rows["local_ts"][starts[position:k]]
                )
                self._apply(part[part["kind"] == int(EventKind.BOOK_DELTA)])
            if k < len(starts):
                self._picture(records, rows[starts[k] : ends[k]], events[starts[k] : ends[k]])
            position = k + 1

    def _picture(self, records: Records, rows: NDArray[Any], events: NDArray[Any]) -> None:
        """A snapshot clears a range of prices and fills it: what lies beyond stays, so the whole book is written anew."""
        scale = 10.0**self._of.price_decimals
        for row, event in zip(rows, events, strict=True):
            side = int(event["side"])
            if int(row["ev"]) & 0xFF == CLEAR:
                for each in (1, -1) if side == 0 else (side,):
                    upto = float(row["px"]) * scale if side and np.isfinite(row["px"]) else -each * np.inf
                    self._levels[each] = {p: q for p, q in self._levels[each].items() if each * (p - upto) < -0.5}
            elif event["quantity"]:
                self._levels[side][int(event["price"])] = int(event["quantity"])
        ts_event = int(rows["exch_ts"][-1])
        sides = [
            frames.deltas(
                np.full(len(levels), ts_event),
                np.full(len(levels), side),
                np.fromiter(levels.keys(), np.int64, len(levels)),
                np.fromiter(levels.values(), np.int64, len(levels)),
                kind=EventKind.BOOK_DELTA,
            )
            for side, levels in self._levels.items()
        ]
        frames.append_snapshot(records, ts_event, int(rows["local_ts"][-1]), np.concatenate(sides))

    def _apply(self, events: NDArray[Any]) -> None:
        """Keep the book's levels: the last change of each price counts."""
        for side, levels in self._levels.items():
            chosen = events[events["side"] == side][::-1]
            prices, newest = np.unique(chosen["price"], return_index=True)
            for price, quantity in zip(prices.tolist(), chosen["quantity"][newest].tolist(), strict=True):
                if quantity:
                    levels[price] = quantity
                else:
                    levels.pop(price, None)


def _fixed(path: Path, numbers: NDArray[Any], name: str, values: NDArray[Any], places: int) -> NDArray[np.int64]:
    """Floats as fixed point: the nearest integer, which must be as near as a float of that size can be."""
    scaled = values * 10.0**places
    whole = np.rint(scaled)
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(scaled - whole) <= np.maximum(1e-6, np.abs(scaled) * 1e-14)) | ~(np.abs(whole) < _EXACT)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        problem = f"row {int(numbers[at])}: {name} is {float(values[at])!r}, which is no number with {places} decimals"
        raise RecordingError(str(path), problem, "state the tick size and lot size that it was recorded in")
    return whole.astype(np.int64)


def _read(path: Path) -> Iterator[NDArray[Any]]:
    with _archive(path) as archive, _member(path, archive) as file:
        left = _read_header(path, file)
        while left:
            count = min(left, frames.BLOCK)
            try:
                data = file.read(count * RECORD.itemsize)
            except (OSError, zipfile.BadZipFile, EOFError) as e:
                raise RecordingError(str(path), f"cannot be unpacked: {e}") from None
            if len(data) < count * RECORD.itemsize:
                raise RecordingError(str(path), f"is cut short: {left - len(data) // RECORD.itemsize} rows are missing")
            left -= count
            yield np.frombuffer(data, RECORD)


def _member(path: Path, archive: zipfile.ZipFile) -> Any:
    names = archive.namelist()
    chosen = "data.npy" if "data.npy" in names else names[0] if len(names) == 1 else None
    if chosen is None or not chosen.endswith(".npy"):
        raise RecordingError(str(path), f"has no array named data; it holds {', '.join(names) or 'nothing'}")
    return archive.open(chosen)


def _read_header(path: Path, file: BinaryIO) -> int:
    """Read up to the first record; how many there are."""
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    except ValueError as e:
        raise RecordingError(str(path), f"is no NumPy array: {e}") from None
    if dtype.names != RECORD.names or dtype.itemsize != RECORD.itemsize or len(shape) != 1:
        problem = f"holds records of {dtype}, expected hftbacktest 2's events ({', '.join(RECORD.names or ())})"
        raise RecordingError(str(path), problem, "convert it with hftbacktest's migration2")
    return int(shape[0])


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as e:
        raise RecordingError(str(path), f"is no .npz file (a zip archive of arrays): {e}") from None
