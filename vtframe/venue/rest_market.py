"""Public REST: ping, time, exchangeInfo and depth, for each market."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from vtframe.venue import payload
from vtframe.venue.exchange_info import exchange_info
from vtframe.venue.listing import MARKETS
from vtframe.venue.refusal import Refusal, malformed, missing, unknown_symbol
from vtframe.venue.venue import Place, Venue

_MS = 1_000_000


class Asked(NamedTuple):
    """A request, as far as its answer depends on it."""

    venue: Venue
    market: str
    parameters: Mapping[str, str]


def find_place(asked: Asked) -> Place:
    """The instrument that a request names; raises Refusal."""
    symbol = asked.parameters.get("symbol", "")
    if not symbol:
        raise missing("symbol")
    place = asked.venue.places.get((asked.market, symbol))
    if place is None:
        raise unknown_symbol()
    return place


def ping(_: Asked) -> bytes:
    return b"{}"


def server_time(asked: Asked) -> bytes:
    return msgspec.json.encode({"serverTime": asked.venue.clock.now_ns() // _MS})


def info(asked: Asked) -> bytes:
    market, parameters = asked.market, asked.parameters
    listings = [place.listing for place in asked.venue.of_market(market)]
    if market == "spot" and ("symbol" in parameters or "symbols" in parameters):
        wanted = _symbols(parameters)
        listings = [listing for listing in listings if listing.symbol in wanted]
        if len(listings) != len(wanted):
            raise unknown_symbol()
    return msgspec.json.encode(exchange_info(market, listings, now_ms=asked.venue.clock.now_ns() // _MS))


def depth(asked: Asked) -> bytes:
    place = find_place(asked)
    limit = depth_limit(asked.market, asked.parameters)
    now_ns = asked.venue.clock.now_ns()
    place.advance(now_ns)
    book = place.tape.book
    text = payload.snapshot(
        place.listing,
        ts_ms=place.tape.ts_ns // _MS,
        event_ms=now_ns // _MS,
        update_id=book.update_id,
        bids=book.bids,
        asks=book.asks,
        limit=limit,
    )
    return text.encode()


def depth_limit(market: str, parameters: Mapping[str, str]) -> int:
    """How many levels a request asks for; raises Refusal."""
    rules, text = MARKETS[market], parameters.get("limit", "")
    if not text:
        return rules.snapshot_limit
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise malformed("limit", "^[0-9]{1,20}$")
    limit = int(text)
    if market == "spot":
        return min(rules.snapshot_limits[-1], max(rules.snapshot_limits[0], limit))
    if limit not in rules.snapshot_limits:
        raise Refusal(-4021, f"{limit} is not valid depth limit.")
    return limit


def _symbols(parameters: Mapping[str, str]) -> set[str]:
    if "symbols" not in parameters:
        return {parameters["symbol"]}
    try:
        return set(msgspec.json.decode(parameters["symbols"], type=list[str]))
    except msgspec.DecodeError:
        raise malformed("symbols", '^\\["[A-Z0-9]{1,20}"(,"[A-Z0-9]{1,20}")*\\]$') from None


PUBLIC: dict[str, Callable[[Asked], bytes]] = {"ping": ping, "time": server_time, "exchangeInfo": info, "depth": depth}
"""Handlers by the last part of the path."""
