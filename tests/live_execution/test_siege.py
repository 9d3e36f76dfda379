"""A venue that sends anything at all: the session stays alive and small, its book right afterwards, no order lost or twice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from embedded import KEY, SECRET, Embedded, embedded_venue

from vtframe.domain import OrderFilled
from vtframe.journal import JournalReader
from vtframe.journal.records import OrderApproved, OrderReported

FEED = """[feed]
use = "binance"
market = "{market}"
url = "embedded"
instruments = ["BTCUSDT"]
transport = "{transport}"
snapshot_levels = 500
silence_s = 2.0
quiet_s = 5.0
first_s = 3.0
connect_s = 2.0
reconnect_s = 0.05
reconnect_most_s = 0.3
request_s = 2.0
snapshot_retry_s = 0.02
snapshot_retry_most_s = 0.2
refresh_s = 0.5
seed = 7

"""
EXECUTION = (
    'execution = {{ use = "binance", market = "{market}", url = "embedded", ack_timeout_ms = 300, '
    "recv_window_ms = 1000, "
    'transport = "{transport}" }}'
)
PUBLIC = "*@*"
REST = ("depth", "info", "server_time", "open_orders", "account", "trades", "start_key")
ORDERS = ("place_order", "cancel_order", "query_order")
SECONDS = 6.0
MOST_MIB = 120.0  # more than before, at any time: a few messages of the largest size at once
KEPT_MIB = 90.0  # of it afterwards


def faults(market: str, seed: int, *, lies: bool) -> list[dict[str, Any]]:
    """All of it at once."""
    found: list[dict[str, Any]] = [
        {"kind": "mutate", "stream": PUBLIC, "share": 0.01},
        {"kind": "nest", "stream": PUBLIC, "share": 0.003},
        {"kind": "nest", "stream": PUBLIC, "share": 0.001, "depth": 8_000_000},
        {"kind": "bad_frame", "stream": PUBLIC, "share": 0.002},
        {"kind": "bad_frame", "stream": PUBLIC, "share": 0.0005, "damage": "fragments"},
        {"kind": "bad_frame", "operation": "query_order", "share": 0.01, "damage": "fragments"},
        {"kind": "mutate", "stream": "user_data", "share": 0.2, "lies": lies},
        {"kind": "nest", "stream": "user_data", "share": 0.02},
        {"kind": "bad_frame", "stream": "user_data", "share": 0.03},
        {"kind": "oversize", "stream": "user_data", "share": 0.01, "size": 9 << 20},
    ]
    for operation in REST:
        found.append({"kind": "mutate", "operation": operation, "share": 0.3, "lies": lies or operation == "depth"})
        found.append({"kind": "nest", "operation": operation, "share": 0.05, "depth": 1_000_000})
    for operation in ORDERS:
        found.append({"kind": "mutate", "operation": operation, "share": 0.2, "lies": lies})
        found.append({"kind": "nest", "operation": operation, "share": 0.03})
        found.append({"kind": "bad_frame", "operation": operation, "share": 0.02})
    return [{**one, "market": market, "seed": seed} for one in found]


def besiege(root: Path, folder: Path, venue: Embedded, market: str, transport: str, *, lies: bool) -> dict[str, Any]:
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/")
    feed = FEED.format(market=market, transport=transport)
    text = re.sub(r"\[feed\].*?(?=\[sampling\])", feed, text, flags=re.DOTALL)
    text = re.sub(r"execution = \{.*?\}", EXECUTION.format(market=market, transport=transport), text)
    text = re.sub(r"strategy = \{.*?\}", 'strategy = { use = "bench_seldom", rows = 2 }', text)
    text = text.replace("max_age_ms = 250", "max_age_ms = 60_000")
    text = text.replace("deadline_us = 5_000", "deadline_us = 30_000_000\nstale_ms = 60_000")
    config = folder / "vtframe.toml"
    config.write_text(text)
    wish = {
        "config": str(config),
        "session": str(folder / "session"),
        "url": venue.url,
        "market": market,
        "faults": faults(market, 3, lies=lies),
        "seconds": SECONDS,
    }
    command = [sys.executable, str(Path(__file__).with_name("siege.py")), json.dumps(wish)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def venue() -> Iterator[Embedded]:
    with embedded_venue() as running:
        yield running


@pytest.fixture(autouse=True)
def embedded_keys(planted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)


def orders_at(venue: Embedded, market: str) -> list[dict[str, Any]]:
    path = {"spot": "/api/v3/allOrders", "usdm": "/fapi/v1/allOrders"}[market]
    found: list[dict[str, Any]] = venue.ask(path, signed=True, symbol="BTCUSDT", limit=1000)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "way", [("spot", "websockets", "damage"), ("usdm", "picows", "damage"), ("usdm", "websockets", "lies")], ids="-".join
)
def test_a_session_outlives_a_venue_that_sends_anything_at_all(
    root: Path, tmp_path: Path, venue: Embedded, way: tuple[str, str, str]
) -> None:
    market, transport, kind = way
    before = held(venue, market)
    told = besiege(root, tmp_path, venue, market, transport, lies=kind == "lies")
    report = told["report"]
    assert told["right"]  # the book, level by level
    assert told["most_mib"] - told["before_mib"] < MOST_MIB
    assert told["after_mib"] - told["before_mib"] < KEPT_MIB
    assert all(told["struck"].get(kind, 0) >= 3 for kind in ("mutate", "nest", "bad_frame")), told["struck"]
    assert sum(report["damage"].values()) >= 3
    assert report["feed"]["reconnects"] > 0
    journal = list(JournalReader(tmp_path / "session" / "journal"))
    approved = [one.order.client_order_id for one in journal if isinstance(one, OrderApproved)]
    theirs = [one["clientOrderId"] for one in orders_at(venue, market)]
    assert len(approved) == report["counts"]["orders"] > told["orders_after"]
    assert len(set(theirs)) == len(theirs)
    assert set(theirs) <= set(approved)
    assert venue.open_orders(market) == []
    assert report["orders"]["open"] == 0
    if kind != "lies":  # what was told of fills can be believed, where it can be read
        rows = [one for one in journal if isinstance(one, OrderReported)]
        filled = [one.event for one in rows if isinstance(one.event, OrderFilled)]
        assert len({(one.client_order_id, one.fill_id) for one in filled}) == len(filled)
        in_base = sum((Decimal(one.fee) for one in rows if one.fee_currency == "BTC"), start=Decimal(0))
        position = Decimal(report["lanes"]["demo"]["positions"].get(f"BTCUSDT@binance_{market}", "0"))
        assert held(venue, market) - before == position - in_base


def held(venue: Embedded, market: str) -> Decimal:
    return venue.position() if market == "usdm" else venue.balance("BTC")
