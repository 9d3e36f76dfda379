"""The embedded venue's own limits, and a client of ours that comes to them: it is told, waits, goes on, and is never banned."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
import urllib.error
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from embedded import KEY, SECRET, Embedded, embedded_venue
from trading import Trader

from vtframe.domain import OrderStatus
from vtframe.journal.records import OrderDenied

S = OrderStatus
WAIT_S = 20.0
LEFT_MS = 9_000  # of the venue's minute when its weight runs out
ORDERS = {"spot": 100, "usdm": 300}  # in ten seconds


@pytest.fixture
def venue() -> Iterator[Embedded]:
    with embedded_venue() as running:
        yield running


@pytest.fixture(autouse=True)
def embedded_keys(planted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)


def refused(venue: Embedded, market: str) -> int:
    return int(venue.ask("/venue/counters")["limited"][market])


async def ask(venue: Embedded, path: str, **more: Any) -> Any:
    return await asyncio.to_thread(lambda: venue.ask(path, **more))


def sign_and_post(venue: Embedded, path: str, order: dict[str, str]) -> None:
    """By the venue's own time, which is not ours."""
    told = venue.ask(path.rpartition("/")[0] + "/time")["serverTime"]
    query = urlencode({**order, "timestamp": told})
    signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    venue.ask(f"{path}?{query}&signature={signature}", method="POST")


async def until_open(trader: Trader) -> float:
    """Seconds until entries are allowed again."""
    began = time.monotonic()
    while not trader.lane.view.trading_available:
        assert time.monotonic() - began < WAIT_S, trader.lane.closed_for
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def skew_to(venue: Embedded, period_ms: int, at_ms: int) -> None:
    """Have the venue's clock be ``at_ms`` into its period."""
    now_ms = (await ask(venue, "/venue/clock"))["now_ns"] // 1_000_000
    skew = (at_ms - now_ms) % period_ms
    await ask(venue, "/venue/faults", method="POST", body={"kind": "clock_skew", "skew_ms": skew})


@pytest.mark.slow
@pytest.mark.parametrize(("market", "path"), [("spot", "/api/v3/order"), ("usdm", "/fapi/v1/order")])
def test_no_order_is_sent_while_a_venue_takes_no_more_of_them(venue: Embedded, market: str, path: str) -> None:
    async def play() -> None:
        await skew_to(venue, 10_000, 500)
        async with Trader(venue, market, existing="ignore") as trader:  # type: ignore[arg-type]
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
            for _ in range(ORDERS[market] - 2):  # of somebody else in the same account
                await asyncio.to_thread(sign_and_post, venue, path, order)
            for target in (1, 2):
                await trader.until_status(trader.want(target), S.FILLED)
            await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
            assert "rate limit" in trader.lane.closed_for
            for target in (3, 4, 3, 4):
                assert trader.want(target) == "" or trader.status(trader.names()[-1]) is S.DENIED
                assert trader.bench.journal.of(OrderDenied)[-1].denied.policy == "venue_closed"
            assert await until_open(trader) <= 11
            await trader.until_status(trader.want(0), S.FILLED)
            assert await asyncio.to_thread(refused, venue, market) == 0  # not one too many
            assert not trader.lane.failed

    asyncio.run(play())


async def use_up(venue: Embedded, path: str, most: int, more: dict[str, Any]) -> int:
    """Ask as somebody else at the same address does, until that is refused: with which status."""
    for _ in range(most):
        try:
            await ask(venue, path, **more)
        except urllib.error.HTTPError as e:
            e.close()
            return e.code
    return 200


@pytest.mark.slow
@pytest.mark.parametrize(("market", "path", "weight"), [("spot", "/api/v3/exchangeInfo", 20), ("usdm", "/fapi/v1/depth", 20)])
def test_a_client_whose_address_has_used_up_its_weight_waits_for_the_next_minute(
    venue: Embedded, market: str, path: str, weight: int
) -> None:
    async def play() -> None:
        await skew_to(venue, 60_000, 60_000 - LEFT_MS)
        async with Trader(venue, market, existing="ignore") as trader:  # type: ignore[arg-type]
            await trader.until_status(trader.want(1), S.FILLED)
            more = {"symbol": "BTCUSDT", "limit": 1000} if market == "usdm" else {}
            assert await use_up(venue, path, 6_000 // weight + 1, more) == 429
            told = await asyncio.to_thread(refused, venue, market)
            name = trader.want(2)
            await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
            assert trader.status(name) is S.REJECTED
            assert trader.reasons(name)[0].startswith("-1003: Too many requests")
            for _ in range(20):
                trader.want(3)
                await asyncio.sleep(0.02)
            assert await asyncio.to_thread(refused, venue, market) == told + 1
            assert await until_open(trader) <= LEFT_MS / 1000 + 1
            await trader.until_status(trader.want(0), S.FILLED)
            assert await asyncio.to_thread(refused, venue, market) == told + 1  # and no ban
            assert not trader.lane.failed

    asyncio.run(play())
