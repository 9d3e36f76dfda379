"""The library's features with short windows, in one pipeline, and an independent reference of each in NumPy and pandas."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vtframe.api import Feature
from vtframe.builtin import features as box
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.domain import BookState, EventFlag, FrameKind, Instrument, Records, Side
from vtframe.features import Pipeline

LEVELS = 10
WEIGHTS = (0.4, 0.3, 0.2, 0.1)
TABLE = tuple(tuple(0.1 * spread * (share - 1.5) for share in range(4)) for spread in range(1, 61))

LIBRARY: tuple[Feature, ...] = (
    box.MicroSpread(),
    box.MicroPrice(),
    box.RollingVolatility(window=9),
    box.OrderFlowImbalance(window=8),
    box.TradeImbalance(window=6),
    box.BookImbalance(),
    box.DepthWeightedImbalance(levels=LEVELS, decay_ticks=3.0, as_="near_imbalance"),
    box.DepthWeightedImbalance(levels=4, weights=WEIGHTS, as_="level_imbalance"),
    box.MultiLevelOrderFlowImbalance(levels=3, window=5, as_="flow"),
    box.MultiLevelOrderFlowImbalance(levels=2, window=9, normalize=False, as_="raw_flow"),
    box.IntegratedOrderFlowImbalance(levels=4, window=6, as_="equal_flow"),
    box.IntegratedOrderFlowImbalance(levels=4, window=6, weights=(0.5, -0.1, 0.3, 0.2), as_="weighted_flow"),
    box.AdjustedMicroPrice(table=TABLE),
    box.Spread(as_="spread_ticks"),
    box.Spread(unit="bps", as_="spread_bps"),
    box.DepthSlope(levels=6),
    box.DepthConvexity(levels=6),
    box.VolumeAdjustedMid(levels=5),
    box.QueueSize(levels=3),
    box.QueueSize(logarithm=True, as_="log_queue"),
    box.QueueChange(window=4),
    box.RawLevels(levels=LEVELS, as_="raw"),
    box.TradeCountImbalance(window=13),
    box.TimedTradeImbalance(window_ms=700, capacity=4096),
    box.DecayedTradeImbalance(half_life_ms=150.0),
    box.TradeIntensity(half_life_ms=150.0, as_="count_intensity"),
    box.TradeIntensity(half_life_ms=150.0, by="volume", as_="volume_intensity"),
    box.Vpin(bucket_volume=5.0, buckets=7, warmup=60),
    box.KyleLambda(window=40),
    box.AmihudIlliquidity(window=40),
    box.AmihudIlliquidity(window=40, volume="quantity", as_="amihud_quantity"),
    box.BipowerVolatility(window=11),
    box.EwmVolatility(half_life=6.0),
    box.EwmVolatility(half_life=6.0, estimator="bipower", as_="ewm_bipower"),
    box.TimedVolatility(window_ms=500, capacity=256, warmup=60),
    box.TimedVolatility(window_ms=500, estimator="bipower", capacity=256, warmup=60, as_="timed_bipower"),
    box.LogReturn(rows=1, as_="return_1"),
    box.LogReturn(rows=7, as_="return_7"),
    box.TimedReturn(window_ms=500, capacity=256, warmup=60),
    box.ReturnAutocorrelation(lag=1, window=30, as_="autocorrelation_1"),
    box.ReturnAutocorrelation(lag=3, window=30, as_="autocorrelation_3"),
    box.TimeSinceTrade(),
    box.TimeSinceMidChange(),
    box.TopOfBookAge(as_="age"),
    box.Rsi(),
    box.Macd(),
    box.Bollinger(),
    box.RollingZScore(of="book_imbalance", window=25),
    box.RollingRank(of="book_imbalance", window=25),
    box.RollingRank(of="spread_ticks", window=40, as_="spread_rank"),
)
CROWDED: tuple[Feature, ...] = (  # their capacity is too small on purpose
    box.TimedTradeImbalance(window_ms=700, capacity=3, as_="crowded_imbalance"),
    box.TimedVolatility(window_ms=500, capacity=6, as_="crowded_volatility"),
    box.TimedReturn(window_ms=500, capacity=10, as_="crowded_return"),
)
ELSEWHERE = ("micro_spread", "microprice", "rolling_volatility", "order_flow_imbalance", "trade_imbalance")
"""Their references are in tests/features."""


class Recording(NamedTuple):
    """Decoded frames of one instrument."""

    records: Records
    instrument: Instrument
    codec: BinanceCodec

    def pipeline(self, features: tuple[Feature, ...]) -> Pipeline:
        return Pipeline(features, [self.instrument], [self.codec.sequence_rule(0)], dtype="float64")


def recording(file: Path, lines: int) -> Recording:
    """The first lines of a recording of the hftbacktest repository."""
    records = Records(frames=1 << 15, events=1 << 18)
    with gzip.open(file) as source:
        raw = [line.split(b" ", 1) for line in itertools.islice(source, lines)]
    instruments = list(BinanceCodec.recognize(message for _, message in raw[:2000]))
    codec = BinanceCodec()
    codec.open(instruments)
    for number, (received, message) in enumerate(raw):
        first = records.n_frames
        codec.decode(message, records)
        records.stamp(number=number, ts_recv=int(received), first_frame=first)
    (instrument,) = instruments
    return Recording(records, instrument, codec)


class Table(NamedTuple):
    """What a reference needs: one entry a row of a live book, and the market trades, oldest first."""

    bp: np.ndarray  # (rows, LEVELS), nan where there is no level
    bq: np.ndarray
    ap: np.ndarray
    aq: np.ndarray
    now: np.ndarray  # (rows,) ns
    before: np.ndarray  # (rows,) trades before the row
    trade_time: np.ndarray
    side: np.ndarray
    price: np.ndarray
    quantity: np.ndarray
    tick: float

    @property
    def mid(self) -> np.ndarray:
        return (self.bp[:, 0] + self.ap[:, 0]) / 2

    @property
    def moves(self) -> pd.Series:
        return pd.Series(np.log(self.mid)).diff() * 1e4


def table(recorded: Recording) -> Table:
    """Levels at every row and the trades, from a book that is only asked for its levels."""
    records, instrument, _ = recorded
    book = recorded.pipeline(())
    prices, quantities = 10.0**instrument.price_decimals, 10.0**instrument.quantity_decimals
    levels: list[list[np.ndarray]] = [[], [], [], []]
    now, before, trades = [], [], []
    for index in range(records.n_frames):
        frame = records.frames[index]
        if frame["kind"] == FrameKind.TRADE:
            events = records.events[frame["first_event"] :][: frame["n_events"]]
            if book.books.state(0) == BookState.LIVE:
                trades += [
                    (frame["ts_recv"], e["side"], e["price"] / prices, e["quantity"] / quantities)
                    for e in events
                    if not e["flags"] & EventFlag.NON_MARKET
                ]
        elif book.process(records, index, index + 1) and book.books.state(0) == BookState.LIVE:
            for k, side in enumerate((Side.BUY, Side.SELL)):
                price, quantity = book.books.levels(0, side, LEVELS)
                short = LEVELS - len(price)
                levels[2 * k].append(np.pad(price / prices, (0, short), constant_values=np.nan))
                levels[2 * k + 1].append(np.pad(quantity / quantities, (0, short)))
            now.append(int(frame["ts_recv"]))
            before.append(len(trades))
    time, side, price, quantity = (np.array(column) for column in zip(*trades, strict=True))
    return Table(
        *(np.array(column) for column in levels),
        np.array(now),
        np.array(before),
        time.astype(np.int64),
        side.astype(np.int64),
        price,
        quantity,
        instrument.tick_size / prices,
    )


def weighted(t: Table) -> np.ndarray:
    bid = t.bq * np.exp(-(t.mid[:, None] - t.bp) / t.tick / 3.0)
    ask = t.aq * np.exp(-(t.ap - t.mid[:, None]) / t.tick / 3.0)
    return (np.nansum(bid, 1) - np.nansum(ask, 1)) / (np.nansum(bid, 1) + np.nansum(ask, 1))


def by_level(t: Table) -> np.ndarray:
    bid, ask = t.bq[:, :4] @ WEIGHTS, t.aq[:, :4] @ WEIGHTS
    return (bid - ask) / (bid + ask)


def gains(t: Table, level: int) -> tuple[pd.Series, pd.Series]:
    """Of the bid and the ask: Cont, Kukanov and Stoikov (2014), eq. 4, as it is printed, at a level."""
    bp, bq, ap, aq = (pd.Series(column[:, level]) for column in (t.bp, t.bq, t.ap, t.aq))
    bid = (bp >= bp.shift()) * bq - (bp <= bp.shift()) * bq.shift()
    ask = (ap <= ap.shift()) * aq - (ap >= ap.shift()) * aq.shift()
    return bid, ask


def level_flow(t: Table, level: int, window: int, depth_levels: int | None) -> pd.Series:
    bid, ask = gains(t, level)
    flow = (bid - ask).rolling(window).sum()
    if depth_levels is None:
        return flow
    depth = pd.Series((t.bq[:, :depth_levels] + t.aq[:, :depth_levels]).sum(1) / 2 / depth_levels)
    return flow / depth.shift(0).rolling(window).mean()


def integrated(t: Table, weights: tuple[float, ...]) -> pd.Series:
    flows = sum(weight * level_flow(t, k, 6, 4) for k, weight in enumerate(weights))
    return flows / sum(map(abs, weights))


def adjusted(t: Table) -> np.ndarray:
    spread = np.rint((t.ap[:, 0] - t.bp[:, 0]) / t.tick).astype(int)
    share = np.minimum((t.bq[:, 0] / (t.bq[:, 0] + t.aq[:, 0]) * 4).astype(int), 3)
    known = spread <= len(TABLE)
    return np.where(known, np.array(TABLE)[np.minimum(spread, len(TABLE)) - 1, share], np.nan)


def fitted(t: Table, side: str, degree: int) -> np.ndarray:
    price, quantity = (t.bp, t.bq) if side == "bid" else (t.ap, t.aq)
    found = []
    for row in range(len(price)):
        x = np.abs(price[row, :6] - t.mid[row]) / t.tick
        found.append(np.polyfit(x, np.cumsum(quantity[row, :6]), degree)[0])
    return np.array(found)


def vamp(t: Table) -> np.ndarray:
    bq, aq = t.bq[:, :5].sum(1), t.aq[:, :5].sum(1)
    bid, ask = (t.bp * t.bq)[:, :5].sum(1) / bq, (t.ap * t.aq)[:, :5].sum(1) / aq
    return ((bid * aq + ask * bq) / (bq + aq) - t.mid) / t.tick


def counted(t: Table) -> np.ndarray:
    windows = [t.side[max(0, n - 13) : n] for n in t.before]
    return np.array([window.mean() if len(window) else 0.0 for window in windows])


def timed(t: Table, capacity: int) -> np.ndarray:
    found = []
    for now, n in zip(t.now, t.before, strict=True):
        inside = (t.trade_time[:n] > now - 700_000_000).nonzero()[0]
        side, quantity = t.side[inside], t.quantity[inside]
        if max((side > 0).sum(), (side < 0).sum()) > capacity:
            found.append(np.nan)
        else:
            found.append((side * quantity).sum() / quantity.sum() if len(inside) else 0.0)
    return np.array(found)


def decayed(t: Table, side: int, value: np.ndarray) -> np.ndarray:
    """``sum(x exp(-rate age))`` over one side's trades, term by term."""
    rate = np.log(2) / 0.150
    found = []
    for now, n in zip(t.now, t.before, strict=True):
        chosen = t.side[:n] == side
        age = (now - t.trade_time[:n][chosen]) / 1e9
        found.append((value[:n][chosen] * np.exp(-rate * age)).sum())
    return np.array(found)


def faded(t: Table) -> np.ndarray:
    """Ages from the last trade, so that nothing underflows in a quiet spell."""
    rate = np.log(2) / 0.150
    found = []
    for n in t.before:
        weight = t.quantity[:n] * np.exp(-rate * (t.trade_time[max(0, n - 1)] - t.trade_time[:n]) / 1e9)
        found.append((t.side[:n] * weight).sum() / weight.sum() if n else 0.0)
    return np.array(found)


def intensity(t: Table, side: int, value: np.ndarray) -> np.ndarray:
    return np.log(2) / 0.150 * decayed(t, side, value)


def vpin(t: Table) -> np.ndarray:
    """Buckets read off the curve of signed volume over volume, in which a trade is a straight piece."""
    volume = np.concatenate([[0.0], np.cumsum(t.quantity)])
    signed = np.concatenate([[0.0], np.cumsum(t.quantity * t.side)])
    full = np.floor((volume[t.before] + 1e-9) / 5.0).astype(int)
    edges = np.interp(5.0 * np.arange(full.max() + 1), volume, signed)
    imbalance = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(edges)))])
    return np.where(full >= 7, (imbalance[full] - imbalance[np.maximum(full - 7, 0)]) / 35.0, np.nan)


def per_row(t: Table, value: np.ndarray) -> pd.Series:
    """The sum over the trades between a row and the one before."""
    total = np.concatenate([[0.0], np.cumsum(value)])[t.before]
    return pd.Series(total).diff()


def kyle(t: Table) -> np.ndarray:
    flow, move = per_row(t, t.side * t.quantity).to_numpy(), np.diff(t.mid, prepend=np.nan) / t.tick
    found = np.full(len(move), np.nan)
    for row in range(40, len(move)):
        x, y = flow[row - 39 : row + 1], move[row - 39 : row + 1]
        found[row] = np.linalg.lstsq(x[:, None], y, rcond=None)[0][0] if np.abs(x).max() > 1e-9 else np.nan
    return found


def amihud(t: Table, value: np.ndarray) -> pd.Series:
    volume = per_row(t, value)
    ratio = (t.moves.abs() / volume).where(volume > 1e-9)
    return ratio.rolling(40, min_periods=1).mean().where(t.moves.rolling(40).count() == 40)


def bipower(t: Table) -> pd.Series:
    products = t.moves.abs() * t.moves.abs().shift()
    return np.sqrt(np.pi / 2 * products.rolling(10).mean())


def ewm(values: pd.Series) -> pd.Series:
    return np.sqrt(values.ewm(halflife=6.0, adjust=True).mean())


def timed_volatility(t: Table, terms: pd.Series, first: int, capacity: int) -> pd.Series:
    """From row ``first`` on the terms are known. pandas takes from its sums again, and is asked for what lies in the window
    only."""
    by_time = terms.set_axis(pd.to_datetime(t.now))
    total = by_time.rolling("500ms").apply(np.sum, raw=True)
    crowd = (by_time > 0).rolling("500ms").sum()
    known = t.now - t.now[first - 1] >= 500_000_000
    return np.sqrt(total.where(known & (crowd <= capacity)))


def since_then(t: Table, capacity: int) -> np.ndarray:
    found = []
    for row, now in enumerate(t.now):
        then = np.searchsorted(t.now[: row + 1], now - 500_000_000, side="right") - 1
        found.append(np.log(t.mid[row] / t.mid[then]) * 1e4 if then >= 0 and row - then <= capacity else np.nan)
    return np.array(found)


def autocorrelation(t: Table, lag: int) -> pd.Series:
    now, then = t.moves, t.moves.shift(lag)
    both, one, other = ((x * y).rolling(30).apply(np.sum, raw=True) for x, y in ((now, then), (now, now), (then, then)))
    found = both / np.sqrt(one * other)
    return found.mask((one * other == 0) & one.notna() & other.notna(), 0.0)


def age(t: Table, changed: np.ndarray) -> np.ndarray:
    changed[0] = True
    last = np.maximum.accumulate(np.where(changed, np.arange(len(changed)), 0))
    return (t.now - t.now[last]) / 1e9


def since_trade(t: Table) -> np.ndarray:
    return (t.now - np.where(t.before > 0, t.trade_time[np.maximum(t.before, 1) - 1], t.now[0])) / 1e9


def differs(*columns: np.ndarray) -> np.ndarray:
    return np.any([np.diff(column, prepend=np.nan) != 0 for column in columns], axis=0)


def rsi(t: Table) -> np.ndarray:
    moves = np.diff(t.mid)
    gain, loss = np.maximum(moves, 0), np.maximum(-moves, 0)
    up, down = gain[:14].mean(), loss[:14].mean()
    found = np.full(len(t.mid), np.nan)
    for row in range(14, len(t.mid)):
        if row > 14:
            up, down = (up * 13 + gain[row - 1]) / 14, (down * 13 + loss[row - 1]) / 14
        found[row] = 100 - 100 / (1 + up / down) if down > 0 else (100.0 if up > 0 else 50.0)
    return found


def macd(t: Table, part: str) -> pd.Series:
    mid = pd.Series(t.mid) / t.tick
    line = mid.ewm(span=12, adjust=False).mean() - mid.ewm(span=26, adjust=False).mean()
    signal = line.ewm(span=9, adjust=False).mean()
    return {"line": line, "signal": signal, "histogram": line - signal}[part]


def windows(values: np.ndarray, size: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, size)


def bollinger(t: Table, part: str) -> np.ndarray:
    view = windows(t.mid, 20)
    mean, deviation = view.mean(1), np.where(np.ptp(view, axis=1) == 0, 0.0, view.std(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        position = np.where(deviation == 0, 0.5, (t.mid[19:] - (mean - 2 * deviation)) / (4 * deviation))
    found = position if part == "position" else 4 * deviation / mean * 1e4
    return np.concatenate([np.full(19, np.nan), found])


def imbalance(t: Table) -> np.ndarray:
    return (t.bq[:, 0] - t.aq[:, 0]) / (t.bq[:, 0] + t.aq[:, 0])


def zscore(values: np.ndarray) -> np.ndarray:
    view = windows(values, 25)
    still = np.ptp(view, axis=1) == 0
    with np.errstate(invalid="ignore"):
        found = np.where(still, 0.0, (values[24:] - view.mean(1)) / view.std(1))
    return np.concatenate([np.full(24, np.nan), found])


def rank(values: np.ndarray, size: int) -> pd.Series:
    return (pd.Series(values).rolling(size).rank(method="average") - 1) / (size - 1)


def spread_ticks(t: Table) -> np.ndarray:
    return np.rint((t.ap[:, 0] - t.bp[:, 0]) / t.tick)


def raw(t: Table, what: str, level: int) -> np.ndarray:
    prices = {"ask_price": t.ap, "bid_price": t.bp}
    if what in prices:
        return (prices[what][:, level] - t.mid) / t.tick
    return {"ask_quantity": t.aq, "bid_quantity": t.bq}[what][:, level]


Reference = Callable[[Table], "np.ndarray | pd.Series"]
REFERENCES: dict[str, tuple[Reference, float]] = {  # column: formula, tolerance (relative and absolute)
    "book_imbalance": (imbalance, 1e-13),
    "near_imbalance": (weighted, 1e-8),
    "level_imbalance": (by_level, 1e-13),
    **{f"flow_{k + 1}": (lambda t, k=k: level_flow(t, k, 5, 3), 1e-9) for k in range(3)},
    **{f"raw_flow_{k + 1}": (lambda t, k=k: level_flow(t, k, 9, None), 1e-9) for k in range(2)},
    "equal_flow": (lambda t: integrated(t, (1.0, 1.0, 1.0, 1.0)), 1e-9),
    "weighted_flow": (lambda t: integrated(t, (0.5, -0.1, 0.3, 0.2)), 1e-9),
    "adjusted_microprice": (adjusted, 1e-13),
    "spread_ticks": (spread_ticks, 0.0),
    "spread_bps": (lambda t: (t.ap[:, 0] - t.bp[:, 0]) / t.mid * 1e4, 1e-10),
    **{f"depth_slope_{side}": (lambda t, side=side: fitted(t, side, 1), 1e-6) for side in ("bid", "ask")},
    **{f"depth_convexity_{side}": (lambda t, side=side: fitted(t, side, 2), 1e-5) for side in ("bid", "ask")},
    "volume_adjusted_mid": (vamp, 1e-6),
    "queue_size_bid": (lambda t: t.bq[:, :3].sum(1), 1e-13),
    "queue_size_ask": (lambda t: t.aq[:, :3].sum(1), 1e-13),
    "log_queue_bid": (lambda t: np.log(t.bq[:, 0]), 1e-13),
    "log_queue_ask": (lambda t: np.log(t.aq[:, 0]), 1e-13),
    "queue_change_bid": (lambda t: gains(t, 0)[0].rolling(4).sum(), 1e-9),
    "queue_change_ask": (lambda t: gains(t, 0)[1].rolling(4).sum(), 1e-9),
    **{
        f"raw_{what}_{k + 1}": (lambda t, what=what, k=k: raw(t, what, k), 1e-7)
        for k in range(LEVELS)
        for what in ("ask_price", "ask_quantity", "bid_price", "bid_quantity")
    },
    "trade_count_imbalance": (counted, 1e-15),
    "timed_trade_imbalance": (lambda t: timed(t, 4096), 1e-12),
    "crowded_imbalance": (lambda t: timed(t, 3), 1e-12),
    "decayed_trade_imbalance": (faded, 1e-10),
    "count_intensity_buy": (lambda t: intensity(t, 1, np.ones(len(t.side))), 1e-10),
    "count_intensity_sell": (lambda t: intensity(t, -1, np.ones(len(t.side))), 1e-10),
    "volume_intensity_buy": (lambda t: intensity(t, 1, t.quantity), 1e-10),
    "volume_intensity_sell": (lambda t: intensity(t, -1, t.quantity), 1e-10),
    "vpin": (vpin, 1e-9),
    "kyle_lambda": (kyle, 1e-8),
    "amihud_illiquidity": (lambda t: amihud(t, t.price * t.quantity / 1e6), 1e-7),
    "amihud_quantity": (lambda t: amihud(t, t.quantity), 1e-7),
    "bipower_volatility": (bipower, 1e-6),
    "ewm_volatility": (lambda t: ewm(t.moves**2), 1e-8),
    "ewm_bipower": (lambda t: ewm(np.pi / 2 * t.moves.abs() * t.moves.abs().shift()), 1e-8),
    "timed_volatility": (lambda t: timed_volatility(t, t.moves**2, 1, 256), 1e-6),
    "timed_bipower": (lambda t: timed_volatility(t, np.pi / 2 * t.moves.abs() * t.moves.abs().shift(), 2, 256), 1e-6),
    "crowded_volatility": (lambda t: timed_volatility(t, t.moves**2, 1, 6), 1e-6),
    "return_1": (lambda t: t.moves, 1e-9),
    "return_7": (lambda t: t.moves.rolling(7).sum(), 1e-8),
    "timed_return": (lambda t: since_then(t, 256), 1e-8),
    "crowded_return": (lambda t: since_then(t, 10), 1e-8),
    "autocorrelation_1": (lambda t: autocorrelation(t, 1), 1e-8),
    "autocorrelation_3": (lambda t: autocorrelation(t, 3), 1e-8),
    "time_since_trade": (since_trade, 1e-12),
    "time_since_mid_change": (lambda t: age(t, differs(t.mid)), 1e-12),
    "age_bid": (lambda t: age(t, differs(t.bp[:, 0], t.bq[:, 0])), 1e-12),
    "age_ask": (lambda t: age(t, differs(t.ap[:, 0], t.aq[:, 0])), 1e-12),
    "rsi": (rsi, 1e-9),
    **{f"macd_{part}": (lambda t, part=part: macd(t, part), 1e-6) for part in ("line", "signal", "histogram")},
    **{f"bollinger_{part}": (lambda t, part=part: bollinger(t, part), 1e-6) for part in ("position", "bandwidth")},
    "rolling_zscore": (lambda t: zscore(imbalance(t)), 1e-9),
    "rolling_rank": (lambda t: rank(imbalance(t), 25), 1e-12),
    "spread_rank": (lambda t: rank(spread_ticks(t), 40), 1e-12),
}
