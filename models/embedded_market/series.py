"""One view of both markets, recorded and simulated: best quotes at every change, trades, and the book at 50 ms samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from recording import Recording

from vtframe.domain import EventKind, FrameKind, Records
from vtframe.sim import SimulatedMarket, read_calibration, tables

DEPTH = 20
SAMPLE_MS = 50


class Series(NamedTuple):
    """Times in ms; prices in ticks, quantities in lots."""

    ts: NDArray[np.float64]  # of best quotes
    bid: NDArray[np.int64]
    bid_lots: NDArray[np.int64]
    ask: NDArray[np.int64]
    ask_lots: NDArray[np.int64]
    trades: NDArray[np.float64]  # time of each taker's order
    traded_lots: NDArray[np.int64]
    depth: NDArray[np.int64]  # (samples, DEPTH): lots by distance from the best, both sides below each other
    spread: NDArray[np.int64]  # at the samples

    @property
    def seconds(self) -> float:
        return float(self.ts[-1] - self.ts[0]) / 1000

    def at(self, times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of the quote in force at each of ``times``."""
        return np.maximum(np.searchsorted(self.ts, times, "right") - 1, 0)


def _levels(bids: dict[int, int], asks: dict[int, int]) -> tuple[list[list[int]], int]:
    bid, ask = max(bids), min(asks)
    near = [[bids.get(bid - i, 0) for i in range(DEPTH)], [asks.get(ask + i, 0) for i in range(DEPTH)]]
    return near, ask - bid


def recorded(recording: Recording) -> Series:
    """The recording as it is; a frame of depth diffs comes about every 50 ms."""
    bids, asks = dict(recording.snapshot.bids), dict(recording.snapshot.asks)
    depth: list[list[int]] = []
    spread: list[int] = []
    for frame in recording.depth:
        for book, changes in ((bids, frame.bids), (asks, frame.asks)):
            for price, lots in changes:
                if lots:
                    book[price] = lots
                else:
                    book.pop(price, None)
        near, width = _levels(bids, asks)
        depth += near
        spread.append(width)
    quotes = np.array(recording.touches)
    quotes = quotes[np.argsort(quotes[:, 0], kind="stable")]
    orders: dict[tuple[int, int], int] = {}
    for trade in recording.prints:
        orders[trade.ts, trade.side] = orders.get((trade.ts, trade.side), 0) + trade.lots
    return Series(
        ts=quotes[:, 0].astype(float),
        bid=quotes[:, 2],
        bid_lots=quotes[:, 3],
        ask=quotes[:, 4],
        ask_lots=quotes[:, 5],
        trades=np.sort([float(ts) for ts, _ in orders]),
        traded_lots=np.array(list(orders.values())),
        depth=np.array(depth),
        spread=np.array(spread),
    )


def frames_of(market: SimulatedMarket, *, until_ns: int) -> Iterator[tuple[int, list[tuple[int, ...]]]]:
    """Every frame up to ``until_ns``: its kind, and (ts_event, kind, side, price, quantity) of its events."""
    records, done = Records(frames=8192), False
    while not done:
        records.clear()
        done = market.generate(records, frames=4096, until_ns=until_ns)
        events = records.events[["ts_event", "kind", "side", "price", "quantity"]][: records.n_events].tolist()
        for frame in records.frames[: records.n_frames]:
            first = int(frame["first_event"])
            yield int(frame["kind"]), events[first : first + int(frame["n_events"])]


def simulated(regime: str, *, seconds: float, seed: int) -> Series:
    """The same view, rebuilt from what the simulated venue publishes, and from nothing else."""
    market = SimulatedMarket(tables(read_calibration(), regime), seed=seed, start_price=618_000, start_ns=0)
    books: dict[int, dict[int, int]] = {1: {}, -1: {}}
    quotes: list[tuple[float, int, int, int, int]] = []
    trades: list[float] = []
    lots: list[int] = []
    depth: list[list[int]] = []
    spread: list[int] = []
    due = 0.0
    for kind, events in frames_of(market, until_ns=int(seconds * 1e9)):
        ts = events[0][0] / 1e6
        if kind == FrameKind.TRADE:
            trades.append(ts)
            lots.append(sum(event[4] for event in events))
            continue
        while quotes and ts > due:
            near, width = _levels(books[1], books[-1])
            depth += near
            spread.append(width)
            due += SAMPLE_MS
        for _, what, side, price, quantity in events:
            if what == EventKind.BOOK_DELTA:
                if quantity:
                    books[side][price] = quantity
                else:
                    books[side].pop(price, None)
        bid, ask = max(books[1]), min(books[-1])
        quote = (bid, books[1][bid], ask, books[-1][ask])
        if not quotes or quotes[-1][1:] != quote:
            quotes.append((ts, *quote))
    columns = [np.array(column) for column in zip(*quotes, strict=True)]
    return Series(
        ts=columns[0],
        bid=columns[1],
        bid_lots=columns[2],
        ask=columns[3],
        ask_lots=columns[4],
        trades=np.array(trades),
        traded_lots=np.array(lots),
        depth=np.array(depth),
        spread=np.array(spread),
    )
