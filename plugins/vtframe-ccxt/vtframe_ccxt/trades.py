"""Trades as ccxt lists them, in one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vtframe.api import DecodeError
from vtframe.domain import EventFlag, EventKind, FrameKind, Instrument, Records
from vtframe_ccxt.book import MS
from vtframe_ccxt.exact import fixed_array

_SIDES = {"buy": 1, "sell": -1}  # of the taker


def append_trades(
    trades: Sequence[Mapping[str, Any]], index: int, instrument: Instrument, ts_recv: int, records: Records
) -> None:
    """Raises DecodeError for a trade without a side, and for numbers that cannot be kept exactly."""
    for trade in trades:
        if trade.get("side") not in _SIDES:
            raise DecodeError(f"a trade of side {trade.get('side')!r}")
    prices = fixed_array([trade["price"] for trade in trades], instrument.price_decimals).tolist()
    quantities = fixed_array([trade["amount"] for trade in trades], instrument.quantity_decimals).tolist()
    last = len(trades) - 1
    events = [
        (
            0,
            trade["timestamp"] * MS if isinstance(trade.get("timestamp"), int) else ts_recv,
            prices[k],
            quantities[k],
            0,
            index,
            int(EventFlag.LAST) * (k == last),
            int(EventKind.TRADE),
            _SIDES[trade["side"]],
        )
        for k, trade in enumerate(trades)
    ]
    if events:
        records.append(kind=int(FrameKind.TRADE), instrument=index, events=events, ts_recv=ts_recv)
