"""Seeded faults of the embedded venue: whatever it loses, repeats, delays or refuses, the lane ends where the venue does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from embedded import KEY, SECRET, Embedded, embedded_venue
from trading import Trader

from vtframe.domain import OrderStatus, TimeInForce
from vtframe.journal.records import OrderReported

S = OrderStatus
FAULTS: list[dict[str, Any]] = [
    {"kind": "lost_ack", "share": 0.4},
    {"kind": "lost_ack", "share": 0.4, "how": "timeout"},
    {"kind": "lost_ack", "share": 0.5, "operation": "cancel_order"},
    {"kind": "duplicate_fill", "share": 0.5},
    {"kind": "late_fill", "share": 0.5, "delay_ms": 350.0},
    {"kind": "lost_fill", "share": 0.4},
    {"kind": "reject", "share": 0.3},
    {"kind": "reject", "share": 0.3, "code": -1013},
    {"kind": "reject", "share": 0.3, "code": -1021},  # and the clock is measured again
    {"kind": "reject", "share": 0.3, "code": -1008},
    {"kind": "reject", "share": 0.3, "code": -1001},  # which leaves open whether it was taken
    {"kind": "reject", "share": 0.3, "code": -1015},
    {"kind": "reject", "share": 0.5, "operation": "cancel_order"},  # as unknown, and it works
    {"kind": "reject", "share": 0.4, "operation": "query_order", "code": -1001},
    {"kind": "refuse", "share": 0.3, "operation": "place_order"},
    {"kind": "refuse", "share": 0.4, "operation": "query_order"},
    {"kind": "refuse", "share": 0.5, "operation": "trades"},
    {"kind": "status", "share": 0.3, "operation": "place_order", "status": 429, "retry_after_s": 1},
    {"kind": "status", "share": 0.3, "operation": "query_order", "status": 429, "retry_after_s": 1},
    {"kind": "status", "share": 0.2, "operation": "place_order", "status": 418, "retry_after_s": 1},
    {"kind": "status", "share": 0.4, "operation": "cancel_order", "status": 429, "retry_after_s": 1},
    {"kind": "status", "share": 0.3, "operation": "place_order", "status": 503},
    {"kind": "status", "share": 0.3, "operation": "query_order", "status": 500},
    {"kind": "slow", "share": 0.4, "operation": "place_order", "delay_ms": 150.0},
    {"kind": "disconnect", "every_s": 0.4},
    {"kind": "half_open", "every_s": 0.5, "seconds": 0.4, "count": 2},
    {"kind": "expire", "every_s": 0.5},
    {"kind": "clock_skew", "skew_ms": 7_000},
    {"kind": "clock_skew", "skew_ms": -7_000},
]
AT_ONCE = 3
PLAYED: set[tuple[str, int]] = set()
ROUNDS = -(-len(FAULTS) // AT_ONCE)
UNCOUNTED = {"clock_skew"}  # nothing is struck by it


@pytest.fixture(scope="module")
def venue() -> Iterator[Embedded]:
    with embedded_venue() as running:
        yield running
        struck = running.ask("/venue/counters")["faults"]
    if len(PLAYED) == 2 * ROUNDS:  # the faults were there, every kind of them
        assert {kind for kind, count in struck.items() if count} >= {one["kind"] for one in FAULTS} - UNCOUNTED, struck


@pytest.fixture(autouse=True)
def embedded_keys(planted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)


async def trade(venue: Embedded, trader: Trader, dice: np.random.Generator) -> None:
    """Sixteen wishes, some of them taken back, whatever became of the ones before."""
    book = await asyncio.to_thread(lambda: venue.ask("/fapi/v1/depth", symbol="BTCUSDT", limit=5))
    low = int(Decimal(book["bids"][0][0]) * 100 * Decimal("0.985")) // 10 * 10
    for _ in range(16):
        target = int(dice.integers(0, 4))
        match int(dice.integers(0, 4)):
            case 0:
                trader.want(target, price=low, tif=TimeInForce.GTC)
            case 1:
                for name in trader.lane.working_orders():
                    if trader.status(name) in {S.ACCEPTED, S.PARTIALLY_FILLED}:
                        trader.cancel(name)
            case _:
                trader.want(target)
        await asyncio.sleep(float(dice.uniform(0.0, 0.2)))


@pytest.mark.parametrize("market", ["usdm", "spot"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_lane_ends_where_the_venue_does(venue: Embedded, market: str, seed: int) -> None:
    dice = np.random.default_rng((seed, market == "spot"))
    deck = np.random.default_rng(market == "spot").permutation(len(FAULTS))  # every fault is played on each market
    chosen = deck[AT_ONCE * seed : AT_ONCE * (seed + 1)]
    PLAYED.add((market, seed))
    faults = [{**FAULTS[k], "seed": seed, "market": market} for k in chosen]

    def held() -> Decimal:
        return venue.position() if market == "usdm" else venue.balance("BTC")

    before = held()

    async def play() -> Trader:
        trader = Trader(venue, market, ack_timeout_ms=150, recv_window_ms=800, existing="ignore")  # type: ignore[arg-type]
        async with trader:
            await asyncio.to_thread(venue.ask, "/venue/faults", method="POST", body=faults)
            try:
                await trade(venue, trader, dice)
            finally:
                await asyncio.to_thread(venue.ask, "/venue/faults", method="DELETE")
            trader.lane.wind_down("the faults are over")
            await trader.until(lambda: not trader.lane.working_orders(), f"the ends, after {[one['kind'] for one in faults]}")
        return trader

    trader = asyncio.run(play())
    assert not trader.lane.failed
    assert venue.open_orders(market) == []
    rows = [one for one in trader.bench.journal.of(OrderReported) if one.fee != "0"]
    in_base = sum((Decimal(one.fee) for one in rows if one.fee_currency == "BTC"), start=Decimal(0))
    path = {"spot": "/api/v3/allOrders", "usdm": "/fapi/v1/allOrders"}[market]
    names = [one["clientOrderId"] for one in venue.ask(path, signed=True, symbol="BTCUSDT", limit=1000)]
    ours = [name for name in names if name in set(trader.names())]
    assert len(set(ours)) == len(ours)  # nothing was sent twice
    assert held() - before == Decimal(trader.position) / 100 - in_base
    told = Counter((one.event.client_order_id, one.event.fill_id) for one in rows)
    assert all(count == 1 for count in told.values())
