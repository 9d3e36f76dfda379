"""Blocks that can be recognized, and sinks that publish them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from vtframe_redis import RedisSink

from vtframe.api import PredictionBlock, RowBlock, SessionInfo
from vtframe.domain import PREDICTION, ROW

COLUMNS = ("imbalance", "spread", "momentum")
INSTRUMENTS = ("BTCUSDT@binance", "ETHUSDT@binance")


def info(name: str = "20260101-000000-aaaa", **changes: Any) -> SessionInfo:
    settings: dict[str, Any] = {
        "session_id": name,
        "folder": Path("unused"),
        "instruments": INSTRUMENTS,
        "columns": COLUMNS,
        "dtype": "float32",
        "schema_hash": "cafe",
        "fingerprint": "numba x",
        "outputs": {"m": ("down", "up")},
    }
    return SessionInfo(**{**settings, **changes})


def rows(first: int, count: int, *, dtype: str = "float32") -> RowBlock:
    """Rows ``first`` and on: ``input`` is the number, values are arbitrary bits (every kind of nan and denormal among them)."""
    rng = np.random.default_rng(first)
    meta = np.zeros(count, ROW)
    numbers = np.arange(first, first + count)
    for i, name in enumerate(("input", "ts_event", "ts_recv", "update_id", "bid", "bid_quantity", "ask", "ask_quantity")):
        meta[name] = numbers + i * 1_000_000
    meta["number"] = numbers // 2
    meta["instrument"] = numbers % 2
    meta["state"] = 1
    meta["valid"] = numbers % 3 > 0
    size = np.dtype(dtype).itemsize
    values = np.frombuffer(rng.bytes(count * len(COLUMNS) * size), dtype).reshape(count, len(COLUMNS))
    return RowBlock(meta=meta, values=values)


def predictions(first: int, count: int) -> PredictionBlock:
    meta = np.zeros(count, PREDICTION)
    numbers = np.arange(first, first + count)
    for i, name in enumerate(PREDICTION.names or ()):
        if name not in {"instrument", "verdict"}:
            meta[name] = numbers + i * 1_000_000
    meta["verdict"] = numbers % 7
    outputs = np.random.default_rng(first + 7).random((count, 2), np.float32)
    outputs[meta["verdict"] > 2] = np.nan
    return PredictionBlock(model="m", meta=meta, outputs=outputs)


def sink(url: str, **settings: Any) -> RedisSink:
    return RedisSink(url=url, **settings)


def until(condition: Callable[[], bool], *, patience_s: float = 30.0) -> None:
    """Wait for something that must happen, as long as it takes."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def settled(publisher: RedisSink) -> bool:
    """Whether nothing waits and nothing is on its way."""
    return all(s["made"] == s["published"] + s["dropped"] for s in publisher.report()["streams"].values())
