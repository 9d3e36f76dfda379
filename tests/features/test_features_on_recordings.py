"""Every feature against an independent reference on recorded data, and live against batch, bit for bit."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vtframe.api import Feature
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.features import (
    BookImbalance,
    MicroPrice,
    MicroSpread,
    OrderFlowImbalance,
    RollingVolatility,
    TradeImbalance,
)
from vtframe.domain import BookState, EventFlag, FrameKind, Instrument, Records, Side
from vtframe.features import Pipeline

LEVELS = 5
FEATURES: tuple[Feature, ...] = (
    BookImbalance(),
    BookImbalance(levels=LEVELS, as_="book_imbalance_5"),
    MicroSpread(levels=LEVELS),
    MicroPrice(),
    RollingVolatility(window=50),
    OrderFlowImbalance(window=20),
    OrderFlowImbalance(window=7, normalize=False, as_="flow"),
    TradeImbalance(window=30),
)
LINES = 25_000
TICKS = 10.0  # in one dollar


@pytest.fixture(scope="module")
def recorded(data: Path) -> tuple[Records, list[Instrument], BinanceCodec]:
    """The first lines of the 2024 USD-M recording; its only snapshot is line 55."""
    records = Records(frames=1 << 15, events=1 << 18)
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as lines:
        raw = [next(lines).split(b" ", 1) for _ in range(LINES)]
    instruments = list(BinanceCodec.recognize(message for _, message in raw[:2000]))
    codec = BinanceCodec()
    codec.open(instruments)  # type: ignore[arg-type]
    for number, (received, message) in enumerate(raw):
        first = records.n_frames
        codec.decode(message, records)
        records.stamp(number=number, ts_recv=int(received), first_frame=first)
    assert len(instruments) == 1
    assert records.n_frames > 20_000
    return records, instruments, codec


def pipeline_of(recorded: tuple[Records, list[Instrument], BinanceCodec]) -> Pipeline:
    _, instruments, codec = recorded
    return Pipeline(FEATURES, instruments, [codec.sequence_rule(0)], dtype="float64")


@pytest.fixture(scope="module")
def rows(recorded: tuple[Records, list[Instrument], BinanceCodec]) -> tuple[np.ndarray, np.ndarray]:
    records = recorded[0]
    batches = list(pipeline_of(recorded).batch(records.frames[: records.n_frames], records.events[: records.n_events]))
    return np.concatenate([batch.meta for batch in batches]), np.concatenate([batch.values for batch in batches])


@pytest.fixture(scope="module")
def reference(recorded: tuple[Records, list[Instrument], BinanceCodec]) -> pd.DataFrame:
    """Best levels at every row, and the trades before it, from a book that is only asked for its levels."""
    records, instruments, codec = recorded
    book = Pipeline([], instruments, [codec.sequence_rule(0)])
    price, quantity = 10.0 ** instruments[0].price_decimals, 10.0 ** instruments[0].quantity_decimals
    table: list[list[float]] = []
    trades: list[float] = []  # signed quantity
    for index in range(records.n_frames):
        frame = records.frames[index]
        if frame["kind"] == FrameKind.TRADE:
            event = records.events[frame["first_event"]]
            if book.books.state(0) == BookState.LIVE and not event["flags"] & EventFlag.NON_MARKET:
                trades.append(int(event["side"]) * int(event["quantity"]) / quantity)
        elif book.process(records, index, index + 1) and book.books.state(0) == BookState.LIVE:
            bids, asks = (book.books.levels(0, side, LEVELS) for side in (Side.BUY, Side.SELL))
            table.append([*bids[0] / price, *bids[1] / quantity, *asks[0] / price, *asks[1] / quantity, len(trades)])
    names = [f"{name}{level}" for name in ("bp", "bq", "ap", "aq") for level in range(LEVELS)]
    frame = pd.DataFrame(table, columns=[*names, "trades"])
    frame.attrs["trades"] = np.array(trades)
    return frame


def sums(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[[f"{name}{level}" for level in range(LEVELS)]].sum(axis=1)


def flow(frame: pd.DataFrame) -> pd.Series:
    """Cont, Kukanov and Stoikov (2014), eq. 4, as it is printed."""
    bp, bq, ap, aq = (frame[name] for name in ("bp0", "bq0", "ap0", "aq0"))
    bp1, bq1, ap1, aq1 = (frame[name].shift() for name in ("bp0", "bq0", "ap0", "aq0"))
    e = (bp >= bp1) * bq - (bp <= bp1) * bq1.fillna(0) - (ap <= ap1) * aq + (ap >= ap1) * aq1.fillna(0)
    e.iloc[0] = np.nan
    return e


def average_price(frame: pd.DataFrame, side: str) -> pd.Series:
    weighted = sum(frame[f"{side}p{level}"] * frame[f"{side}q{level}"] for level in range(LEVELS))
    return weighted / sums(frame, f"{side}q")


def micro(frame: pd.DataFrame) -> pd.Series:
    bid, ask = frame["bp0"], frame["ap0"]
    return (ask * frame["bq0"] + bid * frame["aq0"]) / (frame["bq0"] + frame["aq0"]) - (bid + ask) / 2


def volatility(frame: pd.DataFrame) -> pd.Series:
    moves = np.log((frame["bp0"] + frame["ap0"]) / 2).diff() * 1e4
    return np.sqrt((moves**2).rolling(50).mean())


def traded(frame: pd.DataFrame) -> pd.Series:
    trades = frame.attrs["trades"]
    windows = [trades[max(0, count - 30) : count] for count in frame["trades"].astype(int)]
    return pd.Series([window.sum() / np.abs(window).sum() if len(window) else 0.0 for window in windows])


REFERENCES: dict[str, tuple[Callable[[pd.DataFrame], pd.Series], float]] = {
    "book_imbalance": (lambda f: (f["bq0"] - f["aq0"]) / (f["bq0"] + f["aq0"]), 1e-14),
    "book_imbalance_5": (lambda f: (sums(f, "bq") - sums(f, "aq")) / (sums(f, "bq") + sums(f, "aq")), 1e-13),
    "micro_spread": (lambda f: (average_price(f, "a") - average_price(f, "b")) * TICKS, 1e-7),
    "microprice": (lambda f: micro(f) * TICKS, 1e-8),
    "rolling_volatility": (volatility, 1e-8),
    "order_flow_imbalance": (
        lambda f: flow(f).rolling(20).sum() / ((f["bq0"] + f["aq0"]) / 2).rolling(20).mean(),
        1e-9,
    ),
    "flow": (lambda f: flow(f).rolling(7).sum(), 1e-9),
    "trade_imbalance": (traded, 1e-12),
}


@pytest.mark.parametrize("column", REFERENCES)
def test_a_feature_equals_its_formula_in_pandas(
    column: str, recorded: tuple, rows: tuple[np.ndarray, np.ndarray], reference: pd.DataFrame
) -> None:
    meta, values = rows
    live = meta["state"] == BookState.LIVE
    ours = values[live][:, pipeline_of(recorded).columns.index(column)]
    formula, tolerance = REFERENCES[column]
    theirs = formula(reference).to_numpy()
    assert len(ours) == len(theirs) > 1500
    assert np.isfinite(ours).sum() > 1500
    assert len(np.unique(ours[np.isfinite(ours)])) > 50
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_rows_say_where_they_come_from(rows: tuple[np.ndarray, np.ndarray], recorded: tuple) -> None:
    meta, values = rows
    records = recorded[0]
    frames = records.frames[: records.n_frames]
    assert meta["number"].tolist() == list(range(len(meta)))
    assert (np.diff(meta["input"]) > 0).all()
    by_input = dict(zip(frames["input"].tolist(), frames["ts_recv"].tolist(), strict=True))
    assert [by_input[number] for number in meta["input"].tolist()] == meta["ts_recv"].tolist()
    live = meta["state"] == BookState.LIVE
    first = int(live.argmax())
    assert live[first:].all()
    assert np.isnan(values[:first]).all()
    assert first > 0
    assert not meta["valid"][: first + 50].any()  # the longest warm-up
    assert meta["valid"][first + 50 :].all()


def test_live_and_batch_give_the_same_bytes_and_the_same_state(
    recorded: tuple[Records, list[Instrument], BinanceCodec], rows: tuple[np.ndarray, np.ndarray]
) -> None:
    """Frame by frame through the reused Records of a live session, against one call over the whole."""
    records = recorded[0]
    live, batch = pipeline_of(recorded), pipeline_of(recorded)
    small = Records(frames=1, events=1)
    values, meta = [], []
    for frame in records.frames[: records.n_frames]:
        small.clear()
        begin = int(frame["first_event"])
        small.append(
            kind=int(frame["kind"]),
            instrument=0,
            events=records.events[begin : begin + int(frame["n_events"])].tolist(),
            ts_recv=int(frame["ts_recv"]),
            first_id=int(frame["first_id"]),
            last_id=int(frame["last_id"]),
            previous_id=int(frame["previous_id"]),
            number=int(frame["input"]),
        )
        live.process(small)
        for instrument in live.new_rows.tolist():
            values.append(live.ring.window(instrument, 1)[0].copy())
            meta.append(live.ring.window_meta(instrument, 1).tobytes())
    blocks = list(batch.batch(records.frames[: records.n_frames], records.events[: records.n_events]))
    assert np.array(values).tobytes() == rows[1].tobytes()
    assert b"".join(meta) == b"".join(block.meta.tobytes() for block in blocks)
    assert live.counts() == batch.counts()
    assert live.state_digest() == batch.state_digest()


def test_a_dropped_frame_makes_rows_invalid_until_the_next_snapshot(
    recorded: tuple[Records, list[Instrument], BinanceCodec], rows: tuple[np.ndarray, np.ndarray]
) -> None:
    """Take one diff out of the recording, and give the book back as a snapshot some frames later."""
    records = recorded[0]
    frames, events = records.frames[: records.n_frames], records.events[: records.n_events]
    depth = np.flatnonzero(frames["kind"] == FrameKind.DEPTH)
    lost, later = depth[500], depth[800]
    pipeline, whole = pipeline_of(recorded), pipeline_of(recorded)
    whole.process(records, 0, int(later))
    pipeline.process(records, 0, int(lost))
    pipeline.process(records, int(lost) + 1, int(later))
    assert pipeline.books.state(0) == BookState.GAP
    assert pipeline.counts().gaps == 1
    invalid = pipeline.ring.window_meta(0, 299)
    assert not invalid["valid"].any()
    assert (invalid["state"] == BookState.GAP).all()
    assert np.isnan(pipeline.ring.window(0, 299)).all()
    assert pipeline.ring.window_meta(0, 300)["valid"][0] == 1

    snapshot = Records()
    held = [(side, *pair) for side in Side for pair in zip(*whole.books.levels(0, side, 9999), strict=True)]
    clear = (0, 0, 0, 0, 0, 0, int(EventFlag.SNAPSHOT), 2, 0)
    deltas = [(0, 0, int(price), int(quantity), 0, 0, int(EventFlag.SNAPSHOT), 1, int(side)) for side, price, quantity in held]
    snapshot.append(
        kind=FrameKind.SNAPSHOT, instrument=0, events=[clear, *deltas], last_id=whole.books.update_id(0), ts_recv=1, number=1
    )
    before = pipeline.ring.head(0)
    assert pipeline.process(snapshot) == 1
    assert pipeline.books.state(0) == BookState.LIVE
    pipeline.process(records, int(later), len(frames))
    assert pipeline.counts().resyncs == 2
    after = np.concatenate([batch.values for batch in whole.batch(frames[later:].copy(), events)])
    ours = pipeline.ring.window(0, pipeline.ring.head(0) - before - 1)
    kinds = [pipeline.columns.index(name) for name in ("book_imbalance", "book_imbalance_5", "micro_spread", "microprice")]
    assert ours[:, kinds].tobytes() == after[:, kinds].tobytes()
    window = pipeline.columns.index("rolling_volatility")
    assert np.isnan(ours[:48, window]).all()
    np.testing.assert_allclose(ours[49:, window], after[49:, window], rtol=1e-12)


def test_rows_in_float32_are_the_float64_rows_rounded(
    recorded: tuple[Records, list[Instrument], BinanceCodec], rows: tuple[np.ndarray, np.ndarray]
) -> None:
    records, instruments, codec = recorded
    pipeline = Pipeline(FEATURES, instruments, [codec.sequence_rule(0)])
    narrow = np.concatenate([b.values for b in pipeline.batch(records.frames[: records.n_frames], records.events)])
    assert narrow.dtype == np.float32
    assert narrow.tobytes() == rows[1].astype(np.float32).tobytes()
