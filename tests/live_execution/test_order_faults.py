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
    {"kind": "reject", "share": 0.3, "code": -2010, "message": "Account has insufficient balance for requested action."},
    {"kind": "status", "share": 0.3, "operation": "place_order", "status": 503},
    {"kind": "status", "share": 0.3, "operation": "query_order", "status": 500},
    {"kind": "slow", "share": 0.4, "operation": "place_order", "delay_ms": 150.0},
    {"kind": "disconnect", "every_s": 0.7},
    {"kind": "half_open", "every_s": 1.0, "seconds": 0.5, "count": 1},
]


@pytest.fixture(scope="module")
def venue() -> Iterator[Embedded]:
    with embedded_venue() as running:
        yield running
        struck = running.ask("/venue/counters")["faults"]
    assert sum(count > 0 for count in struck.values()) >= 6, struck  # the faults were there


@pytest.fixture(autouse=True)
def embedded_keys(planted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)


async def trade(venue: Embedded, trader: Trader, dice: np.random.Generator) -> None:
    """Eight wishes, some of them taken back, whatever became of the ones before."""
    book = await asyncio.to_thread(lambda: venue.ask("/fapi/v1/depth", symbol="BTCUSDT", limit=5))
    low = int(Decimal(book["bids"][0][0]) * 100 * Decimal("0.985")) // 10 * 10
    for _ in range(8):
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
        await asyncio.sleep(float(dice.uniform(0.0, 0.15)))


@pytest.mark.parametrize("market", ["usdm", "spot"])
@pytest.mark.parametrize("seed", range(8))
def test_the_lane_ends_where_the_venue_does(venue: Embedded, market: str, seed: int) -> None:
    dice = np.random.default_rng((seed, market == "spot"))
    chosen = dice.choice(len(FAULTS), size=3, replace=False)
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
    assert held() - before == Decimal(trader.position) / 100 - in_base
    told = Counter((one.event.client_order_id, one.event.fill_id) for one in rows)
    assert all(count == 1 for count in told.values())
