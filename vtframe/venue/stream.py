"""Stream names and routes. Which route serves which stream is data: a stream on the wrong route is acknowledged and silent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vtframe.venue.listing import MARKETS

ROUTES: dict[str, dict[str, frozenset[str]]] = {
    "spot": {"": frozenset({"depth", "bookTicker", "trade", "aggTrade"})},
    "usdm": {
        "public": frozenset({"depth", "bookTicker"}),
        "market": frozenset({"trade", "aggTrade", "markPrice"}),  # sources disagree on trade: --trade-route
        "private": frozenset(),
    },
    "coinm": {"": frozenset({"depth", "bookTicker", "trade", "aggTrade", "markPrice"})},
}
_MARK_MS = {"": 3000, "@1s": 1000}


class Stream(NamedTuple):
    """A stream by its full name, as a client writes it."""

    symbol: str
    kind: str
    every_ms: int  # 0: at once


def parse_stream(market: str, name: str) -> Stream | None:
    """None for a name that no stream has; the venue acknowledges it all the same."""
    symbol, _, rest = name.partition("@")
    kind, at, suffix = rest.partition("@")
    if kind == "depth":
        every = MARKETS[market].depth_ms.get(at + suffix)
    elif kind == "markPrice":
        every = _MARK_MS.get(at + suffix) if market != "spot" else None
    else:
        every = 0 if kind in {"bookTicker", "trade", "aggTrade"} and not at else None
    if every is None or not symbol or symbol != symbol.lower():
        return None
    return Stream(symbol.upper(), kind, every)


def routes_with(trade_routes: frozenset[str]) -> Mapping[str, Mapping[str, frozenset[str]]]:
    """The table with USD-M's trade stream on these routes."""
    usdm = {
        route: (kinds - {"trade"}) | ({"trade"} if route in trade_routes else frozenset())
        for route, kinds in ROUTES["usdm"].items()
    }
    return {**ROUTES, "usdm": usdm}
