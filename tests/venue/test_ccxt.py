"""An independent client: ccxt's Binance classes, only their URLs changed, follow the book and trade."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import ccxt.pro
import pytest
from venue_process import API_KEY, SECRET, VenueProcess, running_venue

MARKETS = {"spot": ("BTC/USDT", "BTCUSDT"), "usdm": ("BTC/USDT:USDT", "BTCUSDT")}


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    with running_venue("--instrument", "spot:BTCUSDT", "--instrument", "usdm:BTCUSDT") as process:
        yield process


@asynccontextmanager
async def client(venue: VenueProcess, market: str) -> AsyncIterator[Any]:
    options: dict[str, Any] = {
        "apiKey": API_KEY,
        "secret": SECRET,
        "enableRateLimit": False,
        "options": {
            "defaultType": "spot" if market == "spot" else "swap",
            "fetchMarkets": {"types": ["spot" if market == "spot" else "linear"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
        },
    }
    exchange = ccxt.pro.binance(options) if market == "spot" else ccxt.pro.binanceusdm(options)
    base, sockets = venue.url, venue.urls
    exchange.urls["api"] |= {
        "public": f"{base}/api/v3",
        "private": f"{base}/api/v3",
        "fapiPublic": f"{base}/fapi/v1",
        "fapiPrivate": f"{base}/fapi/v1",
        "fapiPrivateV2": f"{base}/fapi/v2",
        "fapiPrivateV3": f"{base}/fapi/v3",
        "ws": {
            "spot": f"{sockets['spot']['stream']}/ws",
            "linear": sockets["usdm"]["public"].replace("/public", "/ws"),
            "ws-api": {"spot": sockets["spot"]["ws_api"], "linear": sockets["usdm"]["ws_api"]},
        },
    }
    try:
        await exchange.load_markets()
        yield exchange
    finally:
        await exchange.close()


def with_client(venue: VenueProcess, market: str, use: Callable[[Any], Awaitable[None]]) -> None:
    async def run() -> None:
        async with client(venue, market) as exchange:
            await asyncio.wait_for(use(exchange), timeout=60)

    asyncio.run(run())


@pytest.mark.parametrize("market", MARKETS)
def test_ccxt_follows_the_book(venue: VenueProcess, market: str) -> None:
    symbol, name = MARKETS[market]

    async def follow(exchange: Any) -> None:
        compared = 0
        while compared < 5:
            book = await exchange.watch_order_book(symbol)
            truth = venue.truth(market, name, book["nonce"])
            if truth.status != 200 or truth.body["update_id"] != book["nonce"]:
                continue
            for side in ("bids", "asks"):
                expected = [(Decimal(price), Decimal(quantity)) for price, quantity in truth.body[side]]
                found = [(Decimal(str(price)), Decimal(str(quantity))) for price, quantity in book[side]]
                assert found == expected[: len(found)]
                assert len(found) >= min(20, len(expected))
            compared += 1

    with_client(venue, market, follow)


@pytest.mark.parametrize("market", MARKETS)
def test_ccxt_places_and_cancels_and_is_filled(venue: VenueProcess, market: str) -> None:
    symbol, name = MARKETS[market]

    async def trade(exchange: Any) -> None:
        price = float(venue.best(market, name)[0]) - 300
        order = await exchange.create_order(symbol, "limit", "buy", 0.01, exchange.price_to_precision(symbol, price))
        assert order["status"] == "open"
        assert [one["id"] for one in await exchange.fetch_open_orders(symbol)] == [order["id"]]
        await exchange.cancel_order(order["id"], symbol)
        assert (await exchange.fetch_order(order["id"], symbol))["status"] == "canceled"
        bought = await exchange.create_order(symbol, "market", "buy", 0.02)
        filled = await exchange.fetch_order(bought["id"], symbol)
        assert filled["status"] == "closed"
        assert filled["filled"] == 0.02
        trades = await exchange.fetch_my_trades(symbol)
        assert sum(trade["amount"] for trade in trades if trade["order"] == bought["id"]) == pytest.approx(0.02)
        balance = await exchange.fetch_balance()
        assert balance["USDT"]["total"] < 1_000_000

    with_client(venue, market, trade)


@pytest.mark.parametrize("market", MARKETS)
def test_ccxt_hears_of_its_orders(venue: VenueProcess, market: str) -> None:
    symbol, _ = MARKETS[market]

    async def listen(exchange: Any) -> None:
        watching = asyncio.ensure_future(exchange.watch_orders(symbol))
        while not venue.counters()["user_streams"][market]:
            await asyncio.sleep(0.01)  # an order before that is not heard of
        order = await exchange.create_order(symbol, "market", "buy", 0.01)
        heard: list[str] = []
        while "closed" not in heard:
            heard += [one["status"] for one in await watching if one["id"] == order["id"]]
            watching = asyncio.ensure_future(exchange.watch_orders(symbol))
        watching.cancel()
        assert heard[0] in ("open", "closed")

    with_client(venue, market, listen)


def test_ccxt_raises_its_own_error_for_ours(venue: VenueProcess) -> None:
    async def spend(exchange: Any) -> None:
        with pytest.raises(ccxt.InsufficientFunds):
            await exchange.create_order("BTC/USDT", "limit", "buy", 90, float(venue.best("spot", "BTCUSDT")[0]) - 100)
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.cancel_order("99", "BTC/USDT")

    with_client(venue, "spot", spend)
