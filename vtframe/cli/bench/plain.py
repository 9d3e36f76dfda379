"""The book and the six features in plain Python: the honest baseline of the compiled pipeline, and an independent reference.

It is what a careful author writes without a compiler: dictionaries for levels, sorted price lists for the best ones, deques
for windows. A test compares its numbers with the kernel's.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

from numpy.typing import NDArray

from vtframe.domain import EventFlag, EventKind, FrameKind, Instrument

_LEVELS = 5
_VOLATILITY = 100
_FLOW = 20
_TRADES = 50

Frame = tuple[int, list[tuple[int, int, int, int, int]]]  # kind; (kind, side, flags, price, quantity) of each event


def as_plain(frames: NDArray, events: NDArray) -> list[Frame]:  # type: ignore[type-arg]
    """Records as Python's own lists, so that the baseline pays no conversion while it is timed."""
    columns = [events[name].tolist() for name in ("kind", "side", "flags", "price", "quantity")]
    rows = list(zip(*columns, strict=True))
    starts, counts = frames["first_event"].tolist(), frames["n_events"].tolist()
    kinds = frames["kind"].tolist()
    return [(kind, rows[start : start + count]) for kind, start, count in zip(kinds, starts, counts, strict=True)]


class PlainPipeline:
    """One instrument's book and features; ``frame`` returns a row for each depth frame once there is a snapshot.

    ``deep`` adds the imbalance of five levels after that of the best, as the demo models read it.
    """

    def __init__(self, instrument: Instrument, *, deep: bool = False) -> None:
        self._deep = deep
        self._price_scale = 10.0**instrument.price_decimals
        self._quantity_scale = 10.0**instrument.quantity_decimals
        self._tick = instrument.tick_size / self._price_scale
        self._levels: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self._prices: dict[int, list[int]] = {1: [], -1: []}  # best last: bids ascending, asks negated and ascending
        self._live = False
        self._mid = math.nan
        self._squares: deque[float] = deque(maxlen=_VOLATILITY)
        self._flows: deque[float] = deque(maxlen=_FLOW)
        self._depths: deque[float] = deque(maxlen=_FLOW)
        self._trades: deque[tuple[float, float]] = deque(maxlen=_TRADES)
        self._last: tuple[float, float, float, float] | None = None

    def frame(self, frame: Frame) -> tuple[float, ...] | None:
        kind, events = frame
        if kind == FrameKind.TRADE:
            if self._live:
                for _, side, flags, _, quantity in events:
                    if not flags & EventFlag.NON_MARKET:
                        self._trades.append((side * quantity / self._quantity_scale, quantity / self._quantity_scale))
            return None
        if kind not in (FrameKind.DEPTH, FrameKind.SNAPSHOT) or not (self._live or kind == FrameKind.SNAPSHOT):
            return None
        for what, side, _, price, quantity in events:
            if what == EventKind.BOOK_DELTA:
                self._change(side, price, quantity)
            elif what == EventKind.BOOK_CLEAR:
                self._levels = {1: {}, -1: {}}
                self._prices = {1: [], -1: []}
        self._live = True
        return self._row()

    def _change(self, side: int, price: int, quantity: int) -> None:
        levels, prices, key = self._levels[side], self._prices[side], side * price
        if quantity:
            if price not in levels:
                insort(prices, key)
            levels[price] = quantity
        elif levels.pop(price, None) is not None:
            del prices[bisect_left(prices, key)]

    def _side(self, side: int) -> list[tuple[float, float]]:
        levels = self._levels[side]
        best = self._prices[side][: -_LEVELS - 1 : -1]
        return [(side * key / self._price_scale, levels[side * key] / self._quantity_scale) for key in best]

    def _row(self) -> tuple[float, ...]:
        bids, asks = self._side(1), self._side(-1)
        (bid, bid_quantity), (ask, ask_quantity) = bids[0], asks[0]
        imbalance = (bid_quantity - ask_quantity) / (bid_quantity + ask_quantity)
        micro_spread = (ask - bid + _distance(bids) + _distance(asks)) / self._tick
        microprice = (ask - bid) / 2 * imbalance / self._tick
        mid = (bid + ask) / 2
        if self._mid == self._mid:
            self._squares.append((10_000 * math.log1p((mid - self._mid) / self._mid)) ** 2)
        self._mid = mid
        volatility = math.sqrt(sum(self._squares) / _VOLATILITY) if len(self._squares) == _VOLATILITY else math.nan
        if self._last is not None:
            self._flows.append(_flow(self._last, bid, bid_quantity, ask, ask_quantity))
            self._depths.append((bid_quantity + ask_quantity) / 2)
        self._last = (bid, bid_quantity, ask, ask_quantity)
        flow = sum(self._flows) / (sum(self._depths) / _FLOW) if len(self._flows) == _FLOW else math.nan
        volume = sum(quantity for _, quantity in self._trades)
        trades = sum(signed for signed, _ in self._trades) / volume if volume else 0.0
        deep = (_imbalance(bids, asks),) if self._deep else ()
        return imbalance, *deep, micro_spread, microprice, volatility, flow, trades


def _imbalance(bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> float:
    bid, ask = sum(quantity for _, quantity in bids), sum(quantity for _, quantity in asks)
    return (bid - ask) / (bid + ask)


def _distance(levels: list[tuple[float, float]]) -> float:
    best = levels[0][0]
    return sum(quantity * abs(price - best) for price, quantity in levels) / sum(quantity for _, quantity in levels)


def _flow(last: tuple[float, float, float, float], bid: float, bid_quantity: float, ask: float, ask_quantity: float) -> float:
    """Cont, Kukanov and Stoikov (2014), eq. 4."""
    flow = 0.0
    if bid >= last[0]:
        flow += bid_quantity
    if bid <= last[0]:
        flow -= last[1]
    if ask <= last[2]:
        flow -= ask_quantity
    if ask >= last[2]:
        flow += last[3]
    return flow
