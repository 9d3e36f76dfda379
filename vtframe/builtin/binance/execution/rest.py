"""The few REST requests that orders need: the venue's time, the account, an order's trades, listen keys.

Nothing of a request but its path is ever told: its query holds a signature, its header the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec

from vtframe.builtin.binance.execution.codes import ErrorBody, VenueError
from vtframe.builtin.binance.execution.hosts import Market
from vtframe.builtin.binance.execution.reports import Trade, read_trades
from vtframe.builtin.binance.execution.server_clock import ServerClock
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.builtin.binance.weights import Weights, retry_after_s
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


class _Path(NamedTuple):
    """What is asked, and what it weighs among a minute's requests."""

    text: str
    weight: int


class _Paths(NamedTuple):
    time: _Path
    account: _Path
    open_orders: _Path  # of one symbol
    trades: _Path  # of one order


_PATHS: Final[dict[Market, _Paths]] = {
    "spot": _Paths(
        time=_Path("/api/v3/time", 1),
        account=_Path("/api/v3/account", 20),
        open_orders=_Path("/api/v3/openOrders", 6),
        trades=_Path("/api/v3/myTrades", 5),
    ),
    "usdm": _Paths(
        time=_Path("/fapi/v1/time", 1),
        account=_Path("/fapi/v2/account", 5),
        open_orders=_Path("/fapi/v1/openOrders", 1),
        trades=_Path("/fapi/v1/userTrades", 5),
    ),
}
_LISTEN_KEY: Final = _Path("/fapi/v1/listenKey", 1)
_POSITION_MODE: Final = _Path("/fapi/v1/positionSide/dual", 30)


class Rest:
    """Requests to ``base``. Each raises VenueError where the venue refuses, which ``learn`` is told before, and TransportError
    where it does not answer, or is not asked because it wants to be left alone."""

    def __init__(
        self,
        base: str,
        market: Market,
        *,
        signer: Signer,
        clock: ServerClock,
        recv_window_ms: int,
        weights: Weights,
        learn: Callable[[VenueError], None],
    ) -> None:
        self._base = base
        self._paths = _PATHS[market]
        self._signer = signer
        self._clock = clock
        self._window = recv_window_ms
        self._weights = weights
        self._learn = learn
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

    def _read(self, kind: type[T], body: bytes, path: _Path) -> T:
        """What was found is not told: it holds an account's affairs."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise TransportError(f"{self._base}{path.text}", "answers with something else than was asked for") from None

    async def _signed(self, method: str, path: _Path, **params: str | int) -> bytes:
        query = self._signer.query({**params, "recvWindow": self._window, "timestamp": self._clock.now_ms()})
        return await self._send(method, path, query, keyed=True)

    async def _send(self, method: str, path: _Path, query: str = "", *, keyed: bool = False) -> bytes:
        import aiohttp  # noqa: PLC0415

        url = f"{self._base}{path.text}"
        if self._http is None:
            raise TransportError(url, "is not open")
        if (blocked := self._weights.wait_s(path.weight, orders=True)) > 0:
            raise TransportError(url, f"is not asked: the venue's rate limit, {blocked:.1f} s more")
        headers = {"X-MBX-APIKEY": self._signer.key} if keyed else {}
        try:
            asked = f"{url}?{query}" if query else url
            # a redirect would take key and signature to another address
            async with self._http.request(method, asked, headers=headers, allow_redirects=False) as response:
                body = await _limited(response, url)
                status = response.status
                self._weights.heard(response.headers.get("X-MBX-USED-WEIGHT-1M"))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as e:  # ValueError: headers that are none
            raise TransportError(url, f"does not answer: {type(e).__name__}") from None  # its words may hold the query
        if status < 300:
            return body
        if status < 400:
            raise TransportError(url, f"wants to be asked elsewhere (status {status}); a signed request goes nowhere else")
        try:
            refusal = msgspec.json.decode(body, type=ErrorBody)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            refusal = ErrorBody(0, f"status {status}")
        error = refusal.error(f"{method} {path.text}", status)
        if (wait := retry_after_s(response.headers.get("Retry-After"))) is not None and not error.retry_at_ms:
            error.retry_at_ms = self._clock.now_ms() + wait * 1000
        self._learn(error)
        raise error


async def _limited(response: aiohttp.ClientResponse, url: str) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_chunked(1 << 16):
        parts.append(part)
        size += len(part)
        if size > MESSAGE_LIMIT:
            raise TransportError(url, f"answers with more than {MESSAGE_LIMIT} bytes")
    return b"".join(parts)
