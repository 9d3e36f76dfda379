"""Where Binance is, as data: hosts, paths, routes of streams, limits. The same tables serve the exchange, its testnet and the
embedded venue.

Sources are in docs/venues/binance.md. A stream that is asked for on the wrong route is acknowledged and stays silent.
"""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from vtframe.builtin.binance.known import COINM, SPOT, USDM
from vtframe.errors import ConfigError, Fault, nearest

MarketName = Literal["spot", "usdm", "coinm"]
Kind = Literal["depth", "trade", "aggTrade", "bookTicker", "markPrice"]


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one of Binance's markets wherever it is."""

    venue: str
    rest: str  # path of its REST API
    routes: dict[str, str]  # which route each kind of stream is on; kinds that it does not have are not in it
    depth_ms: tuple[int, ...]  # speeds of its diffs, the fastest first
    plain_depth_ms: int  # the speed of "@depth" without one
    snapshot_levels: tuple[int, ...]  # that may be asked for
    snapshot_weights: tuple[tuple[int, int], ...]  # (up to so many levels, weight)
    info_weight: int
    weight_limit: int  # a minute, where exchangeInfo does not say
    most_streams: int  # of one connection
    messages_per_second: float  # that a client may send on one connection

    def snapshot_weight(self, levels: int) -> int:
        return next((weight for most, weight in self.snapshot_weights if levels <= most), self.snapshot_weights[-1][1])

    def depth_stream(self, speed_ms: int) -> str:
        return "depth" if speed_ms == self.plain_depth_ms else f"depth@{speed_ms}ms"


_FUTURES_LEVELS = (5, 10, 20, 50, 100, 500, 1000)
_FUTURES_WEIGHTS = ((50, 2), (100, 5), (500, 10), (1000, 20))

MARKETS: Final[dict[str, Market]] = {
    "spot": Market(
        venue=SPOT,
        rest="api/v3",
        routes=dict.fromkeys(("depth", "trade", "aggTrade", "bookTicker"), "stream"),
        depth_ms=(100, 1000),
        plain_depth_ms=1000,
        snapshot_levels=tuple(range(1, 5001)),
        snapshot_weights=((100, 5), (500, 25), (1000, 50), (5000, 250)),
        info_weight=20,
        weight_limit=6000,
        most_streams=1024,
        messages_per_second=5,
    ),
    "usdm": Market(
        venue=USDM,
        rest="fapi/v1",
        routes={"depth": "public", "bookTicker": "public", "trade": "market", "aggTrade": "market", "markPrice": "market"},
        depth_ms=(0, 100, 250, 500),
        plain_depth_ms=250,
        snapshot_levels=_FUTURES_LEVELS,
        snapshot_weights=_FUTURES_WEIGHTS,
        info_weight=1,
        weight_limit=2400,
        most_streams=200,
        messages_per_second=10,
    ),
    "coinm": Market(
        venue=COINM,
        rest="dapi/v1",
        routes=dict.fromkeys(("depth", "bookTicker", "trade", "aggTrade", "markPrice"), "stream"),
        depth_ms=(0, 100, 250, 500),
        plain_depth_ms=250,
        snapshot_levels=_FUTURES_LEVELS,
        snapshot_weights=_FUTURES_WEIGHTS,
        info_weight=1,
        weight_limit=2400,
        most_streams=200,
        messages_per_second=10,
    ),
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One market at one place: where its REST API is, and the root of each route's streams (``ROOT/stream``)."""

    rest: str
    sockets: dict[str, str]


PLACES: Final[dict[str, dict[str, Place]]] = {
    "live": {
        "spot": Place(rest="https://api.binance.com/api/v3", sockets={"stream": "wss://stream.binance.com:9443"}),
        "usdm": Place(
            rest="https://fapi.binance.com/fapi/v1",
            sockets={"public": "wss://fstream.binance.com/public", "market": "wss://fstream.binance.com/market"},
        ),
        "coinm": Place(rest="https://dapi.binance.com/dapi/v1", sockets={"stream": "wss://dstream.binance.com"}),
    },
    "testnet": {  # its futures streams have not been split into routes
        "spot": Place(rest="https://testnet.binance.vision/api/v3", sockets={"stream": "wss://stream.testnet.binance.vision"}),
        "usdm": Place(
            rest="https://testnet.binancefuture.com/fapi/v1",
            sockets=dict.fromkeys(("public", "market"), "wss://stream.binancefuture.com"),
        ),
        "coinm": Place(rest="https://testnet.binancefuture.com/dapi/v1", sockets={"stream": "wss://dstream.binancefuture.com"}),
    },
}


EMBEDDED: Final = "embedded"
"""A venue that the session starts and whose address it puts in the place of this word."""
_NOWHERE: Final = "http://127.0.0.1:9"  # until it has: nobody listens there


def find_place(url: str, market: MarketName) -> Place:
    """The place that ``url`` names: "live", "testnet", "embedded", or the base URL of an embedded venue. Raises ConfigError."""
    if url in PLACES:
        return PLACES[url][market]
    if url == EMBEDDED:
        url = _NOWHERE
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        problem = (
            f"found {url!r}, expected {', '.join(map(repr, (*PLACES, EMBEDDED)))} or the base URL of a venue (http://HOST:PORT)"
        )
        raise ConfigError(Fault(key="url", problem=problem, hint=nearest(url, (*PLACES, EMBEDDED))))
    base = url.rstrip("/")
    sockets = ("wss" if parts.scheme == "https" else "ws") + base[len(parts.scheme) :] + f"/{market}"
    routes = set(MARKETS[market].routes.values())
    return Place(
        rest=f"{base}/{MARKETS[market].rest}",
        sockets={route: sockets if route == "stream" else f"{sockets}/{route}" for route in routes},
    )
