"""A venue in a few hundred lines that does what a test tells it: independent of the adapter, it checks every signature itself.

It keeps the truth (orders, trades, position), answers REST and both WebSocket APIs, and pushes user data. A test replaces
``on_place`` or ``on_cancel`` to lose, delay, reorder, repeat or refuse.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from aiohttp import WSMsgType, web
from cryptography.exceptions import InvalidSignature

from vtframe.clock import LiveClock

KEY = "planted-api-key-6f1d2c"
SECRET = "planted-secret-93ab77"  # noqa: S105 - planted, to be looked for
OPEN = ("NEW", "PARTIALLY_FILLED")


class Order:
    def __init__(self, params: dict[str, Any], order_id: int) -> None:
        self.params = params
        self.order_id = order_id
        self.name = params["newClientOrderId"]
        self.quantity = Decimal(params["quantity"])
        self.executed = Decimal(0)
        self.status = "NEW"
        self.trades: list[dict[str, Any]] = []


class ScriptedVenue:
    """``url`` once it is entered. ``seen`` has every request about orders: (method, params)."""

    def __init__(self, *, public_key: Any = None) -> None:
        self.public_key = public_key  # of Ed25519; None: HMAC
        self.orders: dict[str, Order] = {}
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.refusals: list[str] = []  # what was wrong with requests: signatures, times
        self.user_data: list[web.WebSocketResponse] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.logged_on: set[web.WebSocketResponse] = set()
        self.skew_ms = 0
        self.price = Decimal(50_000)
        self.listen_keys = 0
        self.kept = 0
        self.dual = False
        self.open_already: list[dict[str, Any]] = []
        self.held = "0"
        self.refuse_logon: dict[str, Any] | None = None
        self.refuse_connections = False
        self.mute = False  # no user data goes out; what happens is in the truth alone
        self.rate_limits: list[dict[str, Any]] = []
        self.on_place: Callable[[web.WebSocketResponse, Any, Order], Awaitable[None]] = self.fill_or_rest
        self.on_cancel: Callable[[web.WebSocketResponse, Any, Order], Awaitable[None]] = self.cancel_at_once
        self.before_place: Callable[[web.WebSocketResponse, Any, dict[str, Any]], Awaitable[bool]] | None = None
        self._ids = 100

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/spot/ws-api/v3", self._api)
        app.router.add_get("/usdm/ws-fapi/v1", self._api)
        app.router.add_get("/usdm/private/ws/{key}", self._private)
        for prefix in ("/api/v3", "/fapi/v1", "/fapi/v2"):
            app.router.add_route("*", prefix + "/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop()
        await self._runner.cleanup()

    # the truth

    def now_ms(self) -> int:
        return LiveClock().now_ns() // 1_000_000 + self.skew_ms

    def position(self) -> Decimal:
        return sum(
            (one.executed * (1 if one.params["side"] == "BUY" else -1) for one in self.orders.values()), start=Decimal(0)
        )

    def trade(self, order: Order, quantity: str | Decimal, price: str | Decimal | None = None, *, maker: bool = False) -> dict:
        """Execute: the truth changes, and nobody is told yet."""
        self._ids += 1
        amount = Decimal(quantity)
        order.executed += amount
        order.status = "FILLED" if order.executed == order.quantity else "PARTIALLY_FILLED"
        row = {
            "id": self._ids,
            "orderId": order.order_id,
            "price": str(price or order.params.get("price") or self.price),
            "qty": str(amount),
            "commission": "0.01",
            "commissionAsset": "BNB",
            "time": self.now_ms(),
            "isMaker": maker,
            "maker": maker,
            "executed": str(order.executed),
            "status": order.status,
        }
        order.trades.append(row)
        return row

    def end(self, order: Order, status: str) -> None:
        order.status = status

    # what it says

    def report(self, order: Order, kind: str, trade: dict[str, Any] | None = None) -> dict[str, Any]:
        """The body of an executionReport, or of ORDER_TRADE_UPDATE's ``o``: as things stand, or stood at that trade."""
        spot = self._spot
        body = {
            "s": order.params["symbol"],
            "c": order.name if kind != "CANCELED" or not spot else "cancel-of-it",
            "C": order.name if kind == "CANCELED" and spot else "",
            "S": order.params["side"],
            "o": order.params["type"],
            "x": kind,
            "X": trade["status"] if trade else ("NEW" if kind == "NEW" else order.status),
            "r": "NONE",
            "i": order.order_id,
            "z": trade["executed"] if trade else ("0" if kind == "NEW" else str(order.executed)),
            "l": trade["qty"] if trade else "0",
            "L": trade["price"] if trade else "0",
            "n": trade["commission"] if trade else "0",
            "N": trade["commissionAsset"] if trade else None,
            "T": self.now_ms(),
            "t": trade["id"] if trade else -1,
            "m": bool(trade and trade["maker"]),
        }
        if not spot:
            del body["C"], body["r"]
        return body

    async def tell(self, order: Order, kind: str, trade: dict[str, Any] | None = None) -> None:
        body = self.report(order, kind, trade)
        if self._spot:
            await self.push({"e": "executionReport", "E": self.now_ms(), **body})
        else:
            await self.push({"e": "ORDER_TRADE_UPDATE", "E": self.now_ms(), "T": self.now_ms(), "o": body})

    async def push(self, event: dict[str, Any]) -> None:
        if self.mute:
            return
        message = {"subscriptionId": 0, "event": event} if self._spot else event
        for socket in tuple(self.user_data):
            with contextlib.suppress(ConnectionError):
                await socket.send_str(json.dumps(message))

    async def acknowledge(self, socket: web.WebSocketResponse, request_id: Any, order: Order) -> None:
        state = {
            "symbol": order.params["symbol"],
            "orderId": order.order_id,
            "clientOrderId": order.name,
            "transactTime": self.now_ms(),
            "updateTime": self.now_ms(),
        }
        await self.answer(socket, request_id, state)

    async def answer(self, socket: web.WebSocketResponse, request_id: Any, result: Any) -> None:
        with contextlib.suppress(ConnectionError):
            await socket.send_str(
                json.dumps({"id": request_id, "status": 200, "result": result, "rateLimits": self.rate_limits})
            )

    async def refuse(
        self, socket: web.WebSocketResponse, request_id: Any, code: int, msg: str, *, status: int = 400, data: Any = None
    ) -> None:
        error = {"code": code, "msg": msg} | ({"data": data} if data else {})
        await socket.send_str(json.dumps({"id": request_id, "status": status, "error": error}))

    # what it does where a test says nothing

    async def fill_or_rest(self, socket: web.WebSocketResponse, request_id: Any, order: Order) -> None:
        await self.acknowledge(socket, request_id, order)
        await self.tell(order, "NEW")
        if order.params["type"] == "MARKET":
            await self.tell(order, "TRADE", self.trade(order, order.quantity))

    async def cancel_at_once(self, socket: web.WebSocketResponse, request_id: Any, order: Order) -> None:
        self.end(order, "CANCELED")
        await self.answer(socket, request_id, self.state(order))
        await self.tell(order, "CANCELED")

    def state(self, order: Order) -> dict[str, Any]:
        return {
            "symbol": order.params["symbol"],
            "orderId": order.order_id,
            "clientOrderId": order.name,
            "origClientOrderId": order.name,
            "status": order.status,
            "executedQty": str(order.executed),
            "origQty": str(order.quantity),
            "updateTime": self.now_ms(),
            "transactTime": self.now_ms(),
        }

    async def drop(self, *, user_data: bool = True, orders: bool = True) -> None:
        """End connections without a word."""
        for socket in {*(self.user_data if user_data else ()), *(self.sockets if orders else ())}:
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)

    # protocols

    async def _api(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_connections:
            return web.Response(status=503)
        self._spot = request.path.startswith("/spot")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._take(socket, json.loads(message.data))
        finally:
            self.sockets.remove(socket)
            self.logged_on.discard(socket)
            if socket in self.user_data:
                self.user_data.remove(socket)
        return socket

    async def _private(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if request.match_info["key"] != f"listen-{self.listen_keys}":
            return socket
        self.user_data.append(socket)
        try:
            async for _ in socket:
                pass
        finally:
            self.user_data.remove(socket)
        return socket

    async def _take(self, socket: web.WebSocketResponse, request: dict[str, Any]) -> None:
        method, params, request_id = request["method"], request.get("params", {}), request["id"]
        problem = self._problem(socket, method, params)
        if problem:
            self.refusals.append(f"{method}: {problem}")
            await self.refuse(socket, request_id, *problem)
            return
        if method.startswith("order."):
            self.seen.append((method, params))
        if method == "session.logon":
            if self.refuse_logon:
                await self.refuse(socket, request_id, **self.refuse_logon)
                return
            self.logged_on.add(socket)
            await self.answer(socket, request_id, {"apiKey": params["apiKey"]})
        elif method.startswith("userDataStream.subscribe"):
            self.user_data.append(socket)
            await self.answer(socket, request_id, {"subscriptionId": 0})
        elif method == "order.place":
            await self._place(socket, request_id, params)
        elif method in {"order.cancel", "order.status"}:
            order = self.orders.get(params["origClientOrderId"])
            if order is None:
                code = (-2013, "Order does not exist.") if method == "order.status" else (-2011, "Unknown order sent.")
                await self.refuse(socket, request_id, *code)
            elif method == "order.status":
                await self.answer(socket, request_id, self.state(order))
            elif order.status in OPEN:
                await self.on_cancel(socket, request_id, order)
            else:
                await self.refuse(socket, request_id, -2011, "Unknown order sent.")
        else:
            await self.answer(socket, request_id, {})

    async def _place(self, socket: web.WebSocketResponse, request_id: Any, params: dict[str, Any]) -> None:
        if self.before_place is not None and not await self.before_place(socket, request_id, params):
            return
        self._ids += 1
        order = self.orders[params["newClientOrderId"]] = Order(params, self._ids)
        await self.on_place(socket, request_id, order)

    def _problem(self, socket: web.WebSocketResponse, method: str, params: dict[str, Any]) -> tuple[int, str] | None:
        if method in {"ping", "session.status", "userDataStream.subscribe"}:
            return None
        if abs(self.now_ms() - params["timestamp"]) > params.get("recvWindow", 5000):
            return (-1021, "Timestamp for this request is outside of the recvWindow.")
        if socket in self.logged_on:
            return None
        rest = {name: value for name, value in params.items() if name != "signature"}
        text = urlencode(sorted(rest.items()))
        return None if self._signed(text, str(params.get("signature"))) and rest.get("apiKey") == KEY else (-1022, "Signature.")

    def _signed(self, text: str, signature: str) -> bool:
        if self.public_key is None:
            return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest() == signature
        try:
            self.public_key.verify(base64.b64decode(signature), text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True

    async def _rest(self, request: web.Request) -> web.Response:
        path = request.path
        if path.endswith("/time"):
            return web.json_response({"serverTime": self.now_ms()})
        if request.headers.get("X-MBX-APIKEY") != KEY:
            return web.json_response({"code": -2015, "msg": "Invalid API-key."}, status=401)
        if path.endswith("/listenKey"):
            self.listen_keys += request.method == "POST"
            self.kept += request.method == "PUT"
            return web.json_response({"listenKey": f"listen-{self.listen_keys}"})
        text, _, signature = request.query_string.rpartition("&signature=")
        query = dict(parse_qsl(text))
        if not self._signed(text, dict(parse_qsl(f"s={signature}"))["s"]):
            self.refusals.append(f"{path}: signature")
            return web.json_response({"code": -1022, "msg": "Signature for this request is not valid."}, status=400)
        if path.endswith("/account"):
            balances = [{"asset": "USDT", "free": "100000", "locked": "0"}, {"asset": "BTC", "free": "5", "locked": "0"}]
            positions = [{"symbol": "BTCUSDT", "positionAmt": self.held}]
            return web.json_response({"canTrade": True, "balances": balances, "assets": [], "positions": positions})
        if path.endswith("/dual"):
            return web.json_response({"dualSidePosition": self.dual})
        if path.endswith("/openOrders"):
            return web.json_response(self.open_already)
        if path.endswith(("/myTrades", "/userTrades")):
            rows = [row for one in self.orders.values() for row in one.trades if row["orderId"] == int(query["orderId"])]
            return web.json_response(rows)
        return web.json_response({"code": -1, "msg": "no such thing"}, status=404)
