"""Recorded frames as hftbacktest 2 reads them. NumPy alone: the peer is not needed to make its files.

Layout and flags are hftbacktest's own (its types.py): 64 bytes a row, kind in the low byte, flags above it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from replay_events import Replay

from vtframe.domain import EventKind, FrameKind, Instrument

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
DEPTH, CLEAR, SNAPSHOT = 1, 3, 4
EXCHANGE, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28


def to_hftbacktest(replay: Replay, instrument: Instrument, *, latency_ns: int = 1_000_000) -> tuple[NDArray[Any], int]:
    """One row for each event, and the nanoseconds by which local times were moved.

    ``exch_ts`` is ts_event, ``local_ts`` ts_recv; where the recorder's clock ran behind the exchange's, all local times move
    by one constant, so that the smallest latency is ``latency_ns`` (as its correct_local_timestamp does). A clear without a
    side is one of both. Both sides of its simulation see a row, except where the exchange's times go back: such a row is
    written twice, for each side in that side's order (as its correct_event_order does).
    """
    frames, events = replay.frames, replay.events
    picture = np.repeat(frames["kind"], frames["n_events"]) == FrameKind.SNAPSHOT
    clears = events["kind"] == EventKind.BOOK_CLEAR
    rows = np.zeros(len(events), RECORD)
    what = np.where(clears, CLEAR, np.where(picture, SNAPSHOT, DEPTH))
    rows["ev"] = what | np.where(clears, 0, np.where(events["side"] > 0, BUY, SELL))
    rows["exch_ts"] = events["ts_event"]
    rows["local_ts"] = np.repeat(frames["ts_recv"], frames["n_events"])
    rows["px"] = np.where(clears, 0, events["price"]) / 10.0**instrument.price_decimals
    rows["qty"] = np.where(clears, 0, events["quantity"]) / 10.0**instrument.quantity_decimals
    latency = int((rows["local_ts"] - rows["exch_ts"]).min())
    moved = latency_ns - latency if latency < 0 else 0
    rows["local_ts"] += moved
    return _in_both_orders(rows), moved


def _in_both_orders(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows whose exchange times go back stand where they arrived for the local side, and earlier for the exchange's."""
    late = rows["exch_ts"] < np.maximum.accumulate(rows["exch_ts"])
    kept, early = rows.copy(), rows[late]
    kept["ev"] |= np.where(late, LOCAL, EXCHANGE | LOCAL).astype(np.uint64)
    early["ev"] |= np.uint64(EXCHANGE)
    early = early[np.argsort(early["exch_ts"], kind="stable")]
    on_time = np.flatnonzero(~late)
    before = np.searchsorted(kept["exch_ts"][on_time], early["exch_ts"], side="right")
    return np.insert(kept, np.append(on_time, len(rows))[before], early)
