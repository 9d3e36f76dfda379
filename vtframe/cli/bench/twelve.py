"""Bytes to a row of twelve features without a compiler: what a careful author writes with msgspec, sorted lists and deques.

Sums that roll are kept running, quantities and prices stay exact integers (units cancel in every column), and only messages
that matter are decoded. A test compares its rows with the kernel's.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.cli.bench.decode import SortedBook
from vtframe.cli.bench.feature_sets import LEVELS
from vtframe.domain import Instrument

_FLOW = 20
_TRADES = 50
_VOLATILITY = 100
_KEEP = 0.5 ** (1.0 / 100.0)
_RETURN = 10
_RING = 4096
_HEAD = 96  # bytes in which a message says what it is


class _Trade(msgspec.Struct, gc=False):
    p: str
    q: str
    m: bool
    X: str = "MARKET"


class _WrappedTrade(msgspec.Struct, gc=False):
    data: _Trade


class _Ids(msgspec.Struct, gc=False):
    u: int = 0
    lastUpdateId: int = 0  # noqa: N815 - the venue's name
    bids: list[tuple[str, str]] = []


class _WrappedIds(msgspec.Struct, gc=False):
    data: _Ids


class PlainTwelve(SortedBook):
    """One instrument. ``message(bytes)`` writes a row into ``rows`` for every depth message once there is a snapshot."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__()
        self.rows: NDArray[np.float32] = np.zeros((_RING, 12), np.float32)
        self.count = 0
        self._instrument = instrument
        self._tick = instrument.tick_size
        self._trade = msgspec.json.Decoder(_Trade)
        self._wrapped_trade = msgspec.json.Decoder(_WrappedTrade)
        self._waiting: list[bytes] = []
        self._live = False
        self._mid = math.nan
        self._mids: deque[float] = deque([math.nan] * _RETURN, maxlen=_RETURN)
        self._squares: deque[float] = deque()
        self._square = 0.0
        self._ewm = self._ewm_weight = 0.0
        self._last: tuple[int, int, int, int] | None = None
        self._flows: deque[tuple[int, float]] = deque()
        self._flow = 0
        self._depth = 0.0
        self._trades: deque[tuple[int, int]] = deque()
        self._net = self._volume = 0

    def message(self, data: bytes) -> tuple[float, ...] | None:
        """Take one message in; the row, where it made one."""
        head = data[:_HEAD]
        if b'"depthUpdate"' in head:
            if not self._live:
                self._waiting.append(data)
                return None
            self.read(data)
        elif b'"e":"trade"' in head:
            self._take_trade(data)
            return None
        elif b'"lastUpdateId"' in head:
            self._start(data)
        else:
            return None
        row = self._row()
        self.rows[self.count % _RING] = row
        self.count += 1
        return row

    def _start(self, data: bytes) -> None:
        self.replace(data)
        found = msgspec.json.decode(data, type=_Ids)
        last = found.lastUpdateId
        for price, _ in found.bids[:1]:  # a venue may write more decimals than it uses
            self._tick = self._instrument.tick_size * 10 ** (len(price.partition(".")[2]) - self._instrument.price_decimals)
        for waiting in self._waiting:
            wrapped = waiting.startswith(b'{"stream"')
            ids = msgspec.json.decode(waiting, type=_WrappedIds).data if wrapped else msgspec.json.decode(waiting, type=_Ids)
            if ids.u > last:
                self.read(waiting)
        self._waiting.clear()
        self._live = True

    def _take_trade(self, data: bytes) -> None:
        trade = self._wrapped_trade.decode(data).data if data.startswith(b'{"stream"') else self._trade.decode(data)
        if trade.X != "MARKET" or not self._live:
            return
        quantity = int(trade.q.replace(".", ""))
        net = -quantity if trade.m else quantity
        self._trades.append((net, quantity))
        self._net += net
        self._volume += quantity
        if len(self._trades) > _TRADES:
            net, quantity = self._trades.popleft()
            self._net -= net
            self._volume -= quantity

    def _row(self) -> tuple[float, ...]:
        tick = self._tick
        bids, asks = self.prices[0][: -LEVELS - 1 : -1], self.prices[1][:LEVELS]
        bid_levels, ask_levels = self.levels
        bid_sizes, ask_sizes = [bid_levels[p] for p in bids], [ask_levels[p] for p in asks]
        bid, ask, bid_size, ask_size = bids[0], asks[0], bid_sizes[0], ask_sizes[0]
        bid_sum, ask_sum = sum(bid_sizes), sum(ask_sizes)
        both = bid_sum + ask_sum
        spread = ask - bid
        half = spread / 2
        imbalance = (bid_size - ask_size) / (bid_size + ask_size)
        below = above = bid_weight = ask_weight = 0.0
        for price, size in zip(bids, bid_sizes, strict=True):
            distance = bid - price
            below += size * distance
            bid_weight += size * math.exp(-(distance + half) / tick / 10.0)
        for price, size in zip(asks, ask_sizes, strict=True):
            distance = price - ask
            above += size * distance
            ask_weight += size * math.exp(-(distance + half) / tick / 10.0)
        below /= bid_sum
        above /= ask_sum
        volatility, ewm, change = self._moves((bid + ask) / 2)
        return (
            imbalance,
            (bid_sum - ask_sum) / both,
            (spread + below + above) / tick,
            half * imbalance / tick,
            ((half + above) * bid_sum - (half + below) * ask_sum) / both / tick,
            (bid_weight - ask_weight) / (bid_weight + ask_weight),
            float(round(spread / tick)),
            self._order_flow(bid, bid_size, ask, ask_size),
            self._net / self._volume if self._volume else 0.0,
            volatility,
            ewm,
            change,
        )

    def _moves(self, mid: float) -> tuple[float, float, float]:
        """Rolling and exponentially weighted volatility, and the return over ten rows, in basis points."""
        before, self._mid = self._mid, mid
        volatility = ewm = math.nan
        if before == before:  # noqa: PLR0124 - not nan
            square = (10_000 * math.log1p((mid - before) / before)) ** 2
            self._squares.append(square)
            self._square += square
            if len(self._squares) > _VOLATILITY:
                self._square -= self._squares.popleft()
            if len(self._squares) == _VOLATILITY:
                volatility = math.sqrt(max(self._square, 0.0) / _VOLATILITY)
            self._ewm = _KEEP * self._ewm + square
            self._ewm_weight = _KEEP * self._ewm_weight + 1.0
            ewm = math.sqrt(self._ewm / self._ewm_weight)
        then = self._mids[0]
        self._mids.append(mid)
        return volatility, ewm, 10_000 * math.log1p((mid - then) / then)

    def _order_flow(self, bid: int, bid_size: int, ask: int, ask_size: int) -> float:
        """Cont, Kukanov and Stoikov (2014), eq. 4 and 5, over the last twenty messages and their average depth."""
        last, self._last = self._last, (bid, bid_size, ask, ask_size)
        if last is None:
            return math.nan
        flow = 0
        if bid >= last[0]:
            flow += bid_size
        if bid <= last[0]:
            flow -= last[1]
        if ask <= last[2]:
            flow -= ask_size
        if ask >= last[2]:
            flow += last[3]
        depth = (bid_size + ask_size) / 2
        self._flows.append((flow, depth))
        self._flow += flow
        self._depth += depth
        if len(self._flows) > _FLOW:
            flow, depth = self._flows.popleft()
            self._flow -= flow
            self._depth -= depth
        return self._flow / (self._depth / _FLOW) if len(self._flows) == _FLOW else math.nan
