"""LOBSTER's pairs of csv files (message, orderbook): row i of the order book is the market after message i.

The book of so many levels is all that there is: a level that leaves them is removed, and comes back when they show it again.
Prices are in dollars x 10000, times are seconds after midnight in New York, of the day in the file's name.
"""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from vtframe.api import RecordingError
from vtframe.builtin.imports import frames
from vtframe.builtin.imports.imported import Stated
from vtframe.domain import EventKind, FrameKind, Instrument, Records

VENUE = "nasdaq"
_NAME = re.compile(r"(?P<symbol>[^_/]+)_(?P<day>\d{4}-\d{2}-\d{2})_\d+_\d+_message_(?P<levels>\d+)\.csv$")
_EMPTY = 9_999_999_999  # the price of a level that is not there; negative on the bid side
_VISIBLE, _HIDDEN = 4, 5  # executions
_BLOCK = 8_192  # messages read at once


class Reader:
    """Reads LOBSTER's pairs, named by the message file or by the zip that holds both.

    Every message that changes a level is a depth frame, and an execution (types 4 and 5) a trade frame before it, of the side
    that took: the opposite of the resting order's. Cross trades (6) and halts (7) trade nothing.
    """

    def __init__(self, files: Sequence[Path], instrument: Instrument) -> None:
        if (instrument.price_decimals, instrument.quantity_decimals) != (4, 0):
            problem = f"{instrument.price_decimals} and {instrument.quantity_decimals} decimals are stated for it"
            raise RecordingError(str(files[0]), problem, "LOBSTER's prices have 4, its quantities none: state no tick size")
        for path in files:
            _midnight(path)

    @staticmethod
    def stated(path: Path) -> Stated:
        return Stated(venue=VENUE, symbol=_member(path)["symbol"], tick_size="0.01", lot_size="1", price_decimals=4)

    def blocks(self, path: Path, on_damage: Callable[[str], None]) -> Iterator[Records]:
        midnight = _midnight(path)
        levels = int(_member(path)["levels"])
        records = Records(frames=4 * _BLOCK, events=16 * _BLOCK)
        before: NDArray[np.int64] | None = None
        for seconds, messages, book in _pairs(path, levels):
            records.clear()
            times = midnight + np.rint(seconds * 1e9).astype(np.int64)
            _append(records, times, messages, book, before)
            before = book[-1].copy()
            yield records


def _append(
    records: Records,
    times: NDArray[np.int64],
    messages: NDArray[np.int64],
    book: NDArray[np.int64],
    before: NDArray[np.int64] | None,
) -> None:
    if before is None:
        frames.append_snapshot(records, int(times[0]), int(times[0]), _picture(int(times[0]), book[0]))
        times, messages, before, book = times[1:], messages[1:], book[0], book[1:]
    if len(book):
        events, frame_of = _changes(times, messages, np.vstack([before[None], book]))
        starts = frames.starts_of(frame_of)
        kinds = np.where(frame_of[starts] % 2 == 0, int(FrameKind.TRADE), int(FrameKind.DEPTH))
        frames.append(records, events, starts, kinds, events["ts_event"][starts])


def _picture(time: int, row: NDArray[np.int64]) -> NDArray[Any]:
    """Every level of one order book row that is there."""
    sides = np.tile([-1, 1], len(row) // 4)
    prices, sizes = row[0::2], row[1::2]
    there = np.abs(prices) != _EMPTY
    stamps = np.full(int(there.sum()), time)
    return frames.deltas(stamps, sides[there], prices[there], sizes[there], kind=EventKind.BOOK_DELTA)


def _changes(
    times: NDArray[np.int64], messages: NDArray[np.int64], book: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Events in order, and the frame that each belongs to: 2 i is the trade of message i, 2 i + 1 what it changed.

    ``book`` has one row more than there are messages: the one before the first. A message that changes no level (a hidden
    execution, a cross, a halt) has no frame 2 i + 1.
    """
    kind, _, size, price, resting = messages.T
    traded = np.flatnonzero((kind == _VISIBLE) | (kind == _HIDDEN))
    parts = [frames.deltas(times[traded], -resting[traded], price[traded], size[traded], kind=EventKind.TRADE)]
    frame_of = [2 * traded]
    for side, first in ((1, 2), (-1, 0)):
        prices, sizes = book[:, first::4], book[:, first + 1 :: 4]
        there = np.abs(prices) != _EMPTY
        same = (prices[:-1, :, None] == prices[1:, None, :]) & there[:-1, :, None] & there[1:, None, :]
        row, level = np.nonzero(there[:-1] & ~same.any(axis=2))  # of the row before: nothing continues it
        gone = frames.deltas(times[row], side, prices[row, level], 0, kind=EventKind.BOOK_DELTA)
        parts.append(gone)
        frame_of.append(2 * row + 1)
        equal = (same & (sizes[:-1, :, None] == sizes[1:, None, :])).any(axis=1)
        row, level = np.nonzero(there[1:] & ~equal)  # new, or of another size
        parts.append(frames.deltas(times[row], side, prices[row + 1, level], sizes[row + 1, level], kind=EventKind.BOOK_DELTA))
        frame_of.append(2 * row + 1)
    numbers = np.concatenate(frame_of)
    order = np.argsort(numbers, kind="stable")
    return np.concatenate(parts)[order], numbers[order]


def _pairs(path: Path, levels: int) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]]:
    """Blocks: seconds (n,), the rest of the messages (n, 5), and the order book rows (n, 4 x levels) beside them."""
    name = _member(path).string
    with contextlib.ExitStack() as stack:
        if zipfile.is_zipfile(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            other = name.replace("_message_", "_orderbook_")
            if other not in archive.namelist():
                raise RecordingError(str(path), f"holds {name}, but not {other} that belongs to it")
            texts = [stack.enter_context(archive.open(part)) for part in (name, other)]
        else:
            beside = path.with_name(path.name.replace("_message_", "_orderbook_"))
            if not beside.is_file():
                raise RecordingError(str(path), f"{beside.name} is not beside it", "the two files belong together")
            texts = [stack.enter_context(file.open("rb")) for file in (path, beside)]
        line = 1
        while True:
            lines = [[text for text in (file.readline() for _ in range(_BLOCK)) if text.strip()] for file in texts]
            if len(lines[0]) != len(lines[1]):
                raise RecordingError(str(path), "the message file and the order book file are not of one length")
            if not lines[0]:
                return
            messages = _table(path, lines[0], [pa.float64(), *[pa.int64()] * 5], line)
            book = _table(path, lines[1], [pa.int64()] * (4 * levels), line)
            yield messages.column(0).to_numpy(), _matrix(messages.columns[1:]), _matrix(book.columns)
            line += len(lines[0])


def _table(path: Path, lines: list[bytes], types: Sequence[pa.DataType], first: int) -> pa.Table:
    named = {f"f{k}": kind for k, kind in enumerate(types)}
    try:
        table = csv.read_csv(
            pa.py_buffer(b"".join(lines)),
            read_options=csv.ReadOptions(autogenerate_column_names=True, use_threads=False),
            convert_options=csv.ConvertOptions(column_types=named),
        )
    except pa.ArrowException as e:
        problem = f"cannot be read from line {first} on: {str(e).splitlines()[0]}"
        raise RecordingError(str(path), problem, "it is no LOBSTER file") from None
    if table.num_columns != len(types) or table.num_rows != len(lines):
        found = f"{table.num_columns} columns, expected {len(types)}"
        raise RecordingError(str(path), f"has {found} from line {first} on", "it is no LOBSTER file of so many levels")
    return table


def _matrix(columns: Sequence[pa.ChunkedArray]) -> NDArray[np.int64]:
    return np.column_stack([column.to_numpy() for column in columns])


def _member(path: Path) -> re.Match[str]:
    """The message file's name, taken apart: of ``path`` itself, or of what is in the zip."""
    names = [path.name]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    found = [match for match in map(_NAME.search, names) if match]
    if len(found) != 1:
        problem = f"{len(found)} LOBSTER message files in it" if found else "is not named as LOBSTER names its message files"
        raise RecordingError(str(path), problem, "expected SYMBOL_2012-06-21_34200000_57600000_message_10.csv")
    return found[0]


def _midnight(path: Path) -> int:
    """Midnight in New York of the file's day, ns UTC."""
    try:
        day = datetime.fromisoformat(_member(path)["day"]).replace(tzinfo=ZoneInfo("America/New_York"))
    except (ValueError, ZoneInfoNotFoundError) as e:
        raise RecordingError(str(path), f"its day cannot be told: {e}") from None
    return int(day.timestamp()) * 1_000_000_000
