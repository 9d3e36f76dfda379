"""A small venue on loopback that does what a test tells it: streams of one market, REST, and every way to go wrong.

It runs in a thread of its own. Its books are dicts; a tick changes one of them and sends the diff, the best prices and now and
then a trade. The books are the truth that a client's are compared with.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Self, TypeVar

import numpy as np
from aiohttp import WSMsgType, web

T = TypeVar("T")
MIDDLE = 10_000  # ticks of 0.01
FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
    {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    {"filterType": "MIN_NOTIONAL", "notional": "5"},
]


class Book:
    """One instrument at the venue: levels by price in ticks, quantities in thousandths."""

    def __init__(self, symbol: str, seed: int) -> None:
        self.symbol = symbol
        self.random = np.random.default_rng(seed)
        self.bids = {MIDDLE - k: 1000 + k for k in range(1, 40)}
        self.asks = {MIDDLE + k: 1000 + k for k in range(1, 40)}
        self.update_id = 1000
        self.trade_id = 50
        self.history: dict[int, tuple[dict[int, int], dict[int, int]]] = {}
        self.note()

    def note(self) -> None:
        self.history[self.update_id] = (dict(self.bids), dict(self.asks))

    def tick(self) -> tuple[int, dict[int, int], dict[int, int]]:
        """Change some levels; returns the first id of the diff and the changes."""
        first = self.update_id + 1
        changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for _ in range(int(self.random.integers(1, 5))):
            side = int(self.random.integers(2))
            levels = (self.bids, self.asks)[side]
            price = MIDDLE + (1 if side else -1) * int(self.random.integers(1, 60))
            quantity = 0 if self.random.random() < 0.3 and len(levels) > 5 else int(self.random.integers(1, 5000))
            levels.pop(price, None)
            if quantity:
                levels[price] = quantity
            changed[side][price] = quantity
        self.update_id += int(self.random.integers(1, 6))
        self.note()
        return first, *changed


def price(ticks: int) -> str:
    return f"{ticks / 100:.2f}"


def quantity(thousandths: int) -> str:
    return f"{thousandths / 1000:.3f}"


def levels(side: dict[int, int], *, down: bool = False) -> list[list[str]]:
    return [[price(p), quantity(side[p])] for p in sorted(side, reverse=down)]


class Client:
    """One connection to the venue."""

    def __init__(self, socket: web.WebSocketResponse, route: str, number: int) -> None:
        self.socket = socket
        self.route = route
        self.number = number
        self.streams: set[str] = set()
        self.mute: set[str] = set()  # streams that nothing is sent of; "*": all
        self.requests: list[dict[str, Any]] = []


class ScriptedVenue:
    """``market`` is "spot", "usdm" or "coinm". Use as a context manager; ``call`` runs something in its thread.

    ``on_send(client, stream, text)`` may change what is sent: it returns a list of texts. ``on_request`` may answer a REST
    request itself; ``on_subscribe`` a subscription.
    """

    def __init__(self, market: str = "spot", symbols: tuple[str, ...] = ("BTCUSDT",), *, seed: int = 1) -> None:
        self.market = market
        self.books = {symbol: Book(symbol, seed + k) for k, symbol in enumerate(symbols)}
        self.clients: list[Client] = []
        self.connections = 0
        self.counts: Counter[str] = Counter()
        self.on_send: Callable[[Client, str, str], list[str]] | None = None
        self.on_request: Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse | None]] | None = None
        self.on_subscribe: Callable[[Client, dict[str, Any]], dict[str, Any] | None] | None = None
        self.symbols: dict[str, dict[str, Any]] = {symbol: self.listing(symbol) for symbol in symbols}
        self.wrong_route: set[str] = set()  # kinds that are acknowledged and silent
        self.weight = 0
        self.weight_of_depth = 50
        self.interval_s = 0.005
        self.quiet: set[str] = set()  # symbols that do not move
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._ready = threading.Event()
        self.url = ""

    def listing(self, symbol: str) -> dict[str, Any]:
        """Its entry in exchangeInfo."""
        base, quote = symbol[:3], "USD" if self.market == "coinm" else "USDT"
        entry: dict[str, Any] = {"symbol": symbol, "status": "TRADING", "baseAsset": base, "quoteAsset": quote}
        if self.market == "spot":
            entry |= {"baseAssetPrecision": 8}
        else:
            entry |= {"pricePrecision": 2, "quantityPrecision": 3, "marginAsset": base if self.market == "coinm" else quote}
            entry["filters"] = [one | ({"stepSize": "0.001"} if one["filterType"] == "LOT_SIZE" else {}) for one in FILTERS]
        if self.market == "coinm":
            entry |= {"contractSize": 100, "contractStatus": entry.pop("status")}
        return {"filters": FILTERS} | entry

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def call(self, main: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(main, self._loop)
        return future.result(20)

    def drop(self, *, abort: bool = True) -> None:
        """End every connection."""

        async def main() -> None:
            for client in list(self.clients):
                if abort and (transport := client.socket._req.transport) is not None:  # type: ignore[union-attr]
                    transport.abort()
                else:
                    await client.socket.close(code=1001, message=b"bye")

        self.call(main())

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()

    async def _start(self) -> None:
        app = web.Application()
        api = {"spot": "api/v3", "usdm": "fapi/v1", "coinm": "dapi/v1"}[self.market]
        app.router.add_get(f"/{api}/exchangeInfo", self._info)
        app.router.add_get(f"/{api}/depth", self._depth)
        for route in ("/public", "/market") if self.market == "usdm" else ("",):
            app.router.add_get(f"/{self.market}{route}/stream", self._stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._ticking = asyncio.create_task(self._tick())

    async def _stop(self) -> None:
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)
        for client in list(self.clients):
            if (transport := client.socket._req.transport) is not None:  # type: ignore[union-attr]
                transport.abort()
        await self._runner.cleanup()

    async def _info(self, request: web.Request) -> web.StreamResponse:
        self.counts["exchangeInfo"] += 1
        if self.on_request is not None and (answer := await self.on_request(request)) is not None:
            return answer
        if "symbols" in request.query and not set(json.loads(request.query["symbols"])) <= set(self.symbols):
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]
        return web.json_response({"rateLimits": limits, "symbols": list(self.symbols.values())})

    async def _depth(self, request: web.Request) -> web.StreamResponse:
        self.counts["depth"] += 1
        if self.on_request is not None and (answer := await self.on_request(request)) is not None:
            return answer
        self.weight += self.weight_of_depth
        headers = {"X-MBX-USED-WEIGHT-1M": str(self.weight)}
        return web.json_response(self.snapshot(request.query["symbol"]), headers=headers)

    def snapshot(self, symbol: str) -> dict[str, Any]:
        book = self.books[symbol]
        body: dict[str, Any] = {"lastUpdateId": book.update_id}
        if self.market != "spot":
            body |= {"E": 1_723_161_600_000, "T": 1_723_161_600_000}
        if self.market == "coinm":
            body |= {"symbol": symbol, "pair": symbol.partition("_")[0]}
        return body | {"bids": levels(book.bids, down=True), "asks": levels(book.asks)}

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(request)
        self.connections += 1
        client = Client(socket, request.path.split("/")[2], self.connections)
        self.clients.append(client)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    said = json.loads(message.data)
                    client.requests.append(said)
                    answer: dict[str, Any] | None = {"result": None, "id": said["id"]}
                    if self.on_subscribe is not None:
                        answer = self.on_subscribe(client, said)
                    if answer is not None:
                        if answer.get("result", 0) is None:
                            client.streams |= set(said["params"])
                        await socket.send_str(json.dumps(answer))
        finally:
            self.clients.remove(client)
        return socket

    async def _tick(self) -> None:
        previous = {symbol: book.update_id for symbol, book in self.books.items()}
        while True:
            await asyncio.sleep(self.interval_s)
            for symbol, book in self.books.items():
                if symbol in self.quiet:
                    continue
                first, bids, asks = book.tick()
                diff: dict[str, Any] = {
                    "e": "depthUpdate",
                    "E": 1_723_161_600_000,
                    "s": symbol,
                    "U": first,
                    "u": book.update_id,
                }
                if self.market != "spot":
                    diff = {**diff, "T": 1_723_161_600_000, "pu": previous[symbol]}
                diff |= {"b": levels(bids, down=True), "a": levels(asks)}
                previous[symbol] = book.update_id
                await self.send(symbol, "depth", diff)
                await self.send(symbol, "bookTicker", self._ticker(book))
                if book.random.random() < 0.3:
                    await self.send(symbol, "trade", self._trade(book))

    def _ticker(self, book: Book) -> dict[str, Any]:
        bid, ask = max(book.bids), min(book.asks)
        ticker = {"u": book.update_id, "s": book.symbol, "b": price(bid), "B": quantity(book.bids[bid])}
        ticker |= {"a": price(ask), "A": quantity(book.asks[ask])}
        return (
            ticker if self.market == "spot" else {"e": "bookTicker", **ticker, "T": 1_723_161_600_000, "E": 1_723_161_600_000}
        )

    def _trade(self, book: Book) -> dict[str, Any]:
        book.trade_id += 1
        trade = {"e": "trade", "E": 1_723_161_600_000, "s": book.symbol, "t": book.trade_id, "p": price(MIDDLE), "q": "0.010"}
        return trade | {"T": 1_723_161_600_000, "m": True} | ({"M": True} if self.market == "spot" else {"X": "MARKET"})

    async def send(self, symbol: str, kind: str, message: dict[str, Any]) -> None:
        """To all who subscribed, on whatever name the kind has there."""
        for client in list(self.clients):
            names = [s for s in client.streams if s.split("@")[0] == symbol.lower() and s.split("@")[1] == kind]
            for name in names:
                if kind in self.wrong_route or name in client.mute or "*" in client.mute:
                    continue
                text = json.dumps({"stream": name, "data": message}, separators=(",", ":"))
                texts = [text] if self.on_send is None else self.on_send(client, name, text)
                for one in texts:
                    try:
                        await client.socket.send_str(one)
                    except ConnectionError:
                        break
