"""Reads LOBSTER's samples where they lie, without unpacking them to disk."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vtframe.domain import EventFlag, EventKind, FrameKind, Records

ADD, PARTIAL, DELETE, EXECUTED, HIDDEN, CROSS, HALT = range(1, 8)  # LOBSTER's types
ABSENT = 9_999_999_999  # price of a level that is not there; negative for bids
_KINDS = {
    ADD: EventKind.ORDER_ADD,
    PARTIAL: EventKind.ORDER_REDUCE,
    DELETE: EventKind.ORDER_REMOVE,
    EXECUTED: EventKind.ORDER_FILL,
}
_MIDNIGHT = 1_340_251_200_000_000_000  # 2012-06-21 00:00 in New York, ns UTC


class Day(NamedTuple):
    """Messages and the book after each: rows are ask price, ask size, bid price, bid size, per level."""

    ts_event: NDArray[np.int64]
    type: NDArray[np.int64]
    order_id: NDArray[np.int64]
    size: NDArray[np.int64]
    price: NDArray[np.int64]
    direction: NDArray[np.int64]
    rows: NDArray[np.int64]  # (n, levels, 4)


def read_day(data: Path, name: str) -> Day:
    """One sample by the beginning of its file's name."""
    (path,) = (data / "lobster").glob(f"LOBSTER_SampleFile_{name}_*.zip")
    with zipfile.ZipFile(path) as archive:
        members = {
            ("message" if "message" in member else "orderbook"): member for member in archive.namelist() if "csv" in member
        }
        with archive.open(members["message"]) as file:
            times = pd.read_csv(file, header=None, usecols=[0], dtype=str)[0]
        with archive.open(members["message"]) as file:
            columns = pd.read_csv(file, header=None, usecols=range(1, 6), dtype=np.int64).to_numpy().T
        with archive.open(members["orderbook"]) as file:
            rows = pd.read_csv(file, header=None, dtype=np.int64).to_numpy()
    seconds = times.str.partition(".")
    nanos = seconds[0].astype(np.int64) * 1_000_000_000 + seconds[2].str.ljust(9, "0").str.slice(0, 9).astype(np.int64)
    kinds, order_id, size, price, direction = (np.ascontiguousarray(column) for column in columns)
    return Day(nanos.to_numpy() + _MIDNIGHT, kinds, order_id, size, price, direction, rows.reshape(len(rows), -1, 4))


def records_of(day: Day) -> Records:
    """One frame for each message: orders, hidden executions as trades, halts as states."""
    count = len(day.type)
    records = Records(frames=count, events=count)
    events, frames = records.events, records.frames
    visible = np.isin(day.type, list(_KINDS))
    kinds = np.select(
        [day.type == of for of in (*_KINDS, HIDDEN, CROSS)],
        [*map(int, _KINDS.values()), int(EventKind.TRADE), int(EventKind.TRADE)],
        int(EventKind.STATUS),
    )
    events["frame"] = np.arange(count)
    events["ts_event"] = day.ts_event
    events["price"], events["quantity"] = np.maximum(day.price, 0), day.size
    events["order_id"] = day.order_id
    events["kind"] = kinds
    events["side"] = np.where(visible, day.direction, np.where(kinds == EventKind.STATUS, 0, -day.direction))
    events["flags"] = EventFlag.LAST | np.where(day.type == CROSS, EventFlag.NON_MARKET, 0)
    frames["input"] = np.arange(count)
    frames["ts_recv"] = day.ts_event
    for name in ("first_id", "last_id", "previous_id", "checksum"):
        frames[name] = -1
    other = np.where(kinds == EventKind.TRADE, int(FrameKind.TRADE), int(FrameKind.STATUS))
    frames["kind"] = np.where(visible, int(FrameKind.ORDERS), other)
    frames["n_events"] = 1
    frames["first_event"] = np.arange(count)
    records.n_frames = records.n_events = count
    return records
