"""Files in other people's formats, written from real recorded frames by plain code that knows nothing of the readers."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vtframe.assemble.market import open_data_side
from vtframe.dataset.collector import Collector
from vtframe.domain import EventFlag, FrameKind, Records
from vtframe.features.pipeline import RowBatch

PRICE_DECIMALS, QUANTITY_DECIMALS = 2, 3  # of USD-M BTCUSDT
HFT = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ],
    align=True,
)


class Level(NamedTuple):
    side: int
    price: int
    quantity: int


class Frame(NamedTuple):
    """What happened at one time: "picture" (the whole book), "depth" or "trade"."""

    kind: str
    ts_event: int
    ts_recv: int
    levels: list[Level]


def recorded_frames(config: Path, recording: Path) -> list[Frame]:
    """Depth and trades of a recording from the moment at which its book is known, and that book as the first frame.

    The book is kept in dicts, and synchronized as the venue's documentation says.
    """
    side = open_data_side(config, overrides={"feed": {"use": "recording", "paths": [str(recording)]}})
    found: list[tuple[Any, Any]] = []

    class Sink:
        stopping = False

        def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
            records = Records()
            codec.decode(data, records)
            records.stamp(number=0, ts_recv=ts_recv)
            for frame in records.frames[: records.n_frames]:
                events = records.events[frame["first_event"] : frame["first_event"] + frame["n_events"]]
                found.append((frame.copy(), events.copy()))

        def on_damage(self, where: str, problem: str) -> None:
            raise AssertionError(f"{where}: {problem}")

    codec = side.market.codec
    asyncio.run(side.market.feed.run(Sink()))  # type: ignore[arg-type]
    return _synchronized(found)


def _synchronized(found: list[tuple[Any, Any]]) -> list[Frame]:
    book: dict[tuple[int, int], int] = {}
    waiting: list[tuple[Any, Any]] = []
    frames: list[Frame] = []
    for frame, events in found:
        kind = int(frame["kind"])
        levels = [Level(int(e["side"]), int(e["price"]), int(e["quantity"])) for e in events if e["kind"] == 1]
        if kind == FrameKind.SNAPSHOT and not frames:
            book = {(level.side, level.price): level.quantity for level in levels}
            ts_event = int(events["ts_event"][-1])
            for early, changes in waiting:
                if early["last_id"] >= frame["last_id"]:
                    for e in changes:
                        book[int(e["side"]), int(e["price"])] = int(e["quantity"])
                    ts_event = int(changes["ts_event"][-1])
            picture = [Level(*key, quantity) for key, quantity in book.items() if quantity]
            frames.append(Frame("picture", ts_event, int(frame["ts_recv"]), picture))
        elif kind == FrameKind.DEPTH and not frames:
            waiting.append((frame, events))
        elif kind == FrameKind.DEPTH:
            frames.append(Frame("depth", int(events["ts_event"][0]), int(frame["ts_recv"]), levels))
        elif kind == FrameKind.TRADE and frames:
            market = [e for e in events if not e["flags"] & EventFlag.NON_MARKET]
            trades = [Level(int(e["side"]), int(e["price"]), int(e["quantity"])) for e in market]
            if trades:
                frames.append(Frame("trade", int(events["ts_event"][0]), int(frame["ts_recv"]), trades))
    return frames


def rows_of(config: Path, feed: dict[str, Any]) -> tuple[RowBatch, tuple[str, ...], Collector]:
    """Every row that the configuration's pipeline makes of a feed."""
    side = open_data_side(config, overrides={"feed": feed})
    batches: list[RowBatch] = []
    pipeline = side.pipeline()
    collector = Collector(pipeline, side.market.codec, batches.append)
    asyncio.run(side.market.feed.run(collector))
    collector.flush()
    rows = RowBatch(np.concatenate([b.meta for b in batches]), np.concatenate([b.values for b in batches]))
    return rows, pipeline.columns, collector


def write_hftbacktest(path: Path, frames: Sequence[Frame], **arrays: Any) -> None:
    """As hftbacktest's Binance converter writes them, seen by both sides."""
    both, sides = 1 << 31 | 1 << 30, {1: 1 << 29, -1: 1 << 28}
    rows: list[tuple[int, int, int, float, float, int, int, float]] = []
    for frame in frames:
        times = frame.ts_event, frame.ts_recv
        for side in (1, -1) if frame.kind == "picture" else ():
            mine = sorted((level for level in frame.levels if level.side == side), key=lambda level: -side * level.price)
            rows.append((3 | sides[side] | both, *times, price_of(mine[-1]), 0.0, 0, 0, 0.0))
            rows += [(4 | sides[side] | both, *times, price_of(level), quantity_of(level), 0, 0, 0.0) for level in mine]
        code = {"depth": 1, "trade": 2}.get(frame.kind)
        if code is not None:
            rows += [(code | sides[at.side] | both, *times, price_of(at), quantity_of(at), 0, 0, 0.0) for at in frame.levels]
    np.savez_compressed(path, data=np.array(rows, HFT), **arrays)


def price_of(level: Level) -> float:
    return float(Decimal(level.price).scaleb(-PRICE_DECIMALS))


def quantity_of(level: Level) -> float:
    return float(Decimal(level.quantity).scaleb(-QUANTITY_DECIMALS))


def write_tardis(path: Path, frames: Sequence[Frame]) -> None:
    """As Tardis' documentation of incremental_book_L2 says; gzip."""
    lines = ["exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"]
    for frame in frames:
        if frame.kind == "trade":
            continue
        for level in frame.levels:
            price = f"{Decimal(level.price).scaleb(-PRICE_DECIMALS).normalize():f}"
            amount = f"{Decimal(level.quantity).scaleb(-QUANTITY_DECIMALS).normalize():f}"
            side = "bid" if level.side == 1 else "ask"
            snapshot = "true" if frame.kind == "picture" else "false"
            lines.append(
                f"binance-futures,BTCUSDT,{frame.ts_event // 1000},{frame.ts_recv // 1000},{snapshot},{side},{price},{amount}"
            )
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))


def write_nautilus(path: Path, frames: Sequence[Frame], *, width: int, metadata: dict[str, str] | None = None) -> None:
    """As nautilus_serialization's OrderBookDelta: ``width`` 8 or 16 bytes (10^9, 10^16), or 0 for the older int64 columns."""
    scale = 16 if width == 16 else 9
    rows: list[tuple[int, int, int, int, int, int, int]] = []  # action, side, price, size, flags, ts_event, ts_init
    known: set[tuple[int, int]] = set()
    for frame in frames:
        if frame.kind == "trade":
            continue
        first = len(rows)
        if frame.kind == "picture":
            rows.append((4, 0, 0, 0, 32, frame.ts_event, frame.ts_recv))
            known.clear()
        for level in frame.levels:
            key = level.side, level.price
            action = 3 if not level.quantity else 2 if key in known else 1
            (known.discard if action == 3 else known.add)(key)
            price = level.price * 10 ** (scale - PRICE_DECIMALS)
            size = level.quantity * 10 ** (scale - QUANTITY_DECIMALS)
            flags = 32 if frame.kind == "picture" else 0
            rows.append((action, 1 if level.side == 1 else 2, price, size, flags, frame.ts_event, frame.ts_recv))
        if len(rows) > first:
            rows[-1] = (*rows[-1][:4], rows[-1][4] | 128, *rows[-1][5:])
    columns = list(zip(*rows, strict=True))

    def fixed(values: Sequence[int], *, signed: bool) -> pa.Array:
        if not width:
            return pa.array(values, pa.int64() if signed else pa.uint64())
        return pa.array([value.to_bytes(width, "little", signed=signed) for value in values], pa.binary(width))

    stated = {"instrument_id": "BTCUSDT-PERP.BINANCE", "price_precision": "1", "size_precision": "3"} | (metadata or {})
    names = ["action", "side", "price", "size", "order_id", "flags", "sequence", "ts_event", "ts_init"]
    arrays = [
        pa.array(columns[0], pa.uint8()),
        pa.array(columns[1], pa.uint8()),
        fixed(columns[2], signed=True),
        fixed(columns[3], signed=False),
        pa.array([0] * len(rows), pa.uint64()),
        pa.array(columns[4], pa.uint8()),
        pa.array([0] * len(rows), pa.uint64()),
        pa.array(columns[5], pa.uint64()),
        pa.array(columns[6], pa.uint64()),
    ]
    table = pa.Table.from_arrays(arrays, names=names)
    pq.write_table(table.replace_schema_metadata({k: v for k, v in stated.items() if v}), path)
