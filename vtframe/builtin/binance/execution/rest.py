"""The few REST requests that orders need: the venue's time, the account, an order's trades, listen keys.

Nothing of a request but its path is ever told: its query holds a signature, its header the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from vtframe.builtin.binance.execution.codes import ErrorBody
from vtframe.builtin.binance.execution.hosts import Market
from vtframe.builtin.binance.execution.reports import Trade, read_trades
from vtframe.builtin.binance.execution.server_clock import ServerClock
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.transport import MESSAGE_LIMIT, TransportError

if TYPE_CHECKING:  # it takes long to import, and only a session needs it
    import aiohttp

T = TypeVar("T")
_TIMEOUT_S: Final = 5.0
_MOST_TRADES: Final = 1000  # of one order that one request brings


class _Time(msgspec.Struct, rename="camel"):
    server_time: int


class _ListenKey(msgspec.Struct, rename="camel"):
    listen_key: str


class _Paths(msgspec.Struct, frozen=True, kw_only=True):
    time: str
    account: str
    open_orders: str
    trades: str


_PATHS: Final[dict[Market, _Paths]] = {
    "spot": _Paths(time="/api/v3/time", account="/api/v3/account", open_orders="/api/v3/openOrders", trades="/api/v3/myTrades"),
    "usdm": _Paths(
        time="/fapi/v1/time", account="/fapi/v2/account", open_orders="/fapi/v1/openOrders", trades="/fapi/v1/userTrades"
    ),
}
_LISTEN_KEY: Final = "/fapi/v1/listenKey"
_POSITION_MODE: Final = "/fapi/v1/positionSide/dual"


class Rest:
    """Requests to ``base``. Each raises VenueError where the venue refuses, TransportError where it does not answer."""

    def __init__(self, base: str, market: Market, *, signer: Signer, clock: ServerClock, recv_window_ms: int) -> None:
        self._base = base
        self._paths = _PATHS[market]
        self._signer = signer
        self._clock = clock
        self._window = recv_window_ms
        self._http: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """In the event loop, before the first request."""
        import aiohttp  # noqa: PLC0415

        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S), auto_decompress=True)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def time(self) -> int:
        """The venue's time, ms."""
        return self._read(_Time, await self._send("GET", self._paths.time), self._paths.time).server_time

    async def account(self) -> Mapping[str, Any]:
        """Balances, and on USD-M positions, as the venue writes them."""
        return self._read(dict[str, Any], await self._signed("GET", self._paths.account), self._paths.account)

    async def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        body = await self._signed("GET", self._paths.open_orders, symbol=symbol)
        return self._read(list[dict[str, Any]], body, self._paths.open_orders)

    async def hedges(self) -> bool:
        """USD-M: whether the account keeps long and short positions apart."""
        body = await self._signed("GET", _POSITION_MODE)
        return bool(self._read(dict[str, Any], body, _POSITION_MODE).get("dualSidePosition"))

    async def trades(self, symbol: str, order_id: int) -> list[Trade]:
        """The trades of one order."""
        return read_trades(await self._signed("GET", self._paths.trades, symbol=symbol, orderId=order_id, limit=_MOST_TRADES))

    async def listen_key(self) -> str:
        """A key for the user data stream: a new one, or the one that is valid already, made valid for another hour."""
        return self._read(_ListenKey, await self._send("POST", _LISTEN_KEY, keyed=True), _LISTEN_KEY).listen_key

    async def keep_listen_key(self) -> None:
        """Another hour for it."""
        await self._send("PUT", _LISTEN_KEY, keyed=True)

    def _read(self, kind: type[T], body: bytes, path: str) -> T:
        """What was found is not told: it holds an account's affairs."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise TransportError(f"{self._base}{path}", "answers with something else than was asked for") from None

    async def _signed(self, method: str, path: str, **params: str | int) -> bytes:
        query = self._signer.query({**params, "recvWindow": self._window, "timestamp": self._clock.now_ms()})
        return await self._send(method, path, query, keyed=True)

    async def _send(self, method: str, path: str, query: str = "", *, keyed: bool = False) -> bytes:
        import aiohttp  # noqa: PLC0415

        url = f"{self._base}{path}"
        if self._http is None:
            raise TransportError(url, "is not open")
        headers = {"X-MBX-APIKEY": self._signer.key} if keyed else {}
        try:
            asked = f"{url}?{query}" if query else url
            # a redirect would take key and signature to another address
            async with self._http.request(method, asked, headers=headers, allow_redirects=False) as response:
                body = await _limited(response, url)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            raise TransportError(url, f"does not answer: {type(e).__name__}") from None  # its words may hold the query
        if status < 300:
            return body
        if status < 400:
            raise TransportError(url, f"wants to be asked elsewhere (status {status}); a signed request goes nowhere else")
        try:
            refusal = msgspec.json.decode(body, type=ErrorBody)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            refusal = ErrorBody(0, f"status {status}")
        error = refusal.error(f"{method} {path}", status)
        if (wait := response.headers.get("Retry-After", "")).isdigit() and not error.retry_at_ms:
            error.retry_at_ms = self._clock.now_ms() + int(wait) * 1000
        raise error


async def _limited(response: aiohttp.ClientResponse, url: str) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_chunked(1 << 16):
        parts.append(part)
        size += len(part)
        if size > MESSAGE_LIMIT:
            raise TransportError(url, f"answers with more than {MESSAGE_LIMIT} bytes")
    return b"".join(parts)
