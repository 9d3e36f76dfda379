"""Top-of-book imbalance in hftbacktest: a numba strategy that wakes at every feed, as its documentation shows.

It does more than is timed elsewhere: the exchange's side of the simulation keeps a second book from the same rows.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import numpy as np
from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest, ROIVectorMarketDepthBacktest
from hftbacktest_format import to_hftbacktest
from numba import njit
from numpy.typing import NDArray
from replay_events import Replay, is_delta

from vtframe.domain import Instrument

Depth = Literal["ROI vector", "hash map"]
_BUILD = {"ROI vector": ROIVectorMarketDepthBacktest, "hash map": HashMapMarketDepthBacktest}
_LONG = 3_600 * 10**9  # no feed is this late
_FED = 2
_ORDERS_TOO = False


@njit
def by_property(hbt: Any, times: Any, out: Any) -> int:
    """Write time and imbalance of every wake-up; returns how many there were. The last feed wakes nobody: the data ended."""
    count = 0
    depth = hbt.depth(0)
    while hbt.wait_next_feed(_ORDERS_TOO, _LONG) == _FED:
        bid = depth.best_bid_qty
        ask = depth.best_ask_qty
        times[count] = hbt.current_timestamp
        out[count] = (bid - ask) / (bid + ask)
        count += 1
    return count


@njit
def by_tick(hbt: Any, times: Any, out: Any) -> int:
    """The same by price: release 2.4.4 answers ``best_bid_qty`` of a ROI vector from a place outside of it."""
    count = 0
    depth = hbt.depth(0)
    while hbt.wait_next_feed(_ORDERS_TOO, _LONG) == _FED:
        bid = depth.bid_qty_at_tick(depth.best_bid_tick)
        ask = depth.ask_qty_at_tick(depth.best_ask_tick)
        times[count] = hbt.current_timestamp
        out[count] = (bid - ask) / (bid + ask)
        count += 1
    return count


_STRATEGY = {"ROI vector": by_tick, "hash map": by_property}


class HftbacktestRun:
    """``seconds`` replays once, engine built anew and compiled before; ``series`` is what the replay before computed."""

    def __init__(self, replay: Replay, instrument: Instrument, depth: Depth) -> None:
        self.name = f"hftbacktest, {depth} depth"
        self._depth: Depth = depth
        self._instrument = instrument
        self._rows, self._moved = to_hftbacktest(replay, instrument)
        prices = replay.events["price"][is_delta(replay.events)] / 10.0**instrument.price_decimals
        middle = float(np.median(prices))
        self._range = max(float(prices.min()), 0.9 * middle), min(float(prices.max()), 1.1 * middle)
        self._times = np.zeros(len(self._rows), np.int64)
        self._out = np.zeros(len(self._rows))

    def seconds(self) -> float:
        hbt = _BUILD[self._depth]([self._asset()])
        before = time.perf_counter_ns()
        self._count = _STRATEGY[self._depth](hbt, self._times, self._out)
        spent = (time.perf_counter_ns() - before) / 1e9
        hbt.close()
        return spent

    def series(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Local time as recorded, and imbalance, of every wake-up."""
        return self._times[: self._count] - self._moved, self._out[: self._count]

    def _asset(self) -> Any:
        instrument = self._instrument
        asset = (
            BacktestAsset()
            .data([self._rows])
            .linear_asset(1.0)
            .constant_latency(10_000_000, 10_000_000)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(instrument.tick_size / 10.0**instrument.price_decimals)
            .lot_size(instrument.lot_size / 10.0**instrument.quantity_decimals)
            .last_trades_capacity(0)
        )
        return asset.roi_lb(self._range[0]).roi_ub(self._range[1]) if self._depth == "ROI vector" else asset
