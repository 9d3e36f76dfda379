"""Public questions: ping, time, exchangeInfo, depth, best prices and the mark price, for each market."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from vtframe.domain import Side
from vtframe.venue import payload
from vtframe.venue.asked import Asked
from vtframe.venue.exchange_info import exchange_info
from vtframe.venue.listing import MARKETS
from vtframe.venue.refusal import Refusal, malformed, unknown_symbol

_MS = 1_000_000
_WEIGHTS = {
    "spot": ((100, 5), (500, 25), (1000, 50), (5000, 250)),
    "usdm": ((50, 2), (100, 5), (500, 10), (1000, 20)),
    "coinm": ((50, 2), (100, 5), (500, 10), (1000, 20)),
}
"""Of a depth request: up to so many levels, so much."""


def ping(_: Asked) -> object:
    return {}


def server_time(asked: Asked) -> object:
    return {"serverTime": asked.now_ms}


def info(asked: Asked) -> object:
    market, parameters = asked.market, asked.parameters
    listings = [place.listing for place in asked.venue.of_market(market)]
    if market == "spot" and ("symbol" in parameters or "symbols" in parameters):
        wanted = _symbols(parameters)
        listings = [listing for listing in listings if listing.symbol in wanted]
        if len(listings) != len(wanted):
            raise unknown_symbol()
    return exchange_info(market, listings, now_ms=asked.now_ms, limits=asked.venue.limiters[market].table())


def depth(asked: Asked) -> object:
    place = asked.place
    limit = depth_limit(asked.market, asked.parameters)
    asked.venue.advance()
    load, changes = asked.venue.load, asked.venue.faults.stale_changes(asked.market)
    loaded = load.book_at(asked.market, place.listing.symbol) if load is not None else None
    update_id, bids, asks = loaded or place.tape.book.before(changes)
    text = payload.snapshot(
        place.listing,
        ts_ms=place.tape.ts_ns // _MS,
        event_ms=0 if asked.market == "spot" else asked.now_ms,  # spot's tells no time
        update_id=update_id,
        bids=bids,
        asks=asks,
        limit=limit,
    )
    return msgspec.Raw(text.encode())


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


def depth_weight(asked: Asked) -> int:
    limit = depth_limit(asked.market, asked.parameters)
    return next(weight for most, weight in _WEIGHTS[asked.market] if limit <= most)


def best(asked: Asked) -> object:
    """``ticker/bookTicker`` of one instrument, or of all."""
    places = [asked.place] if asked.parameters.get("symbol") else asked.venue.of_market(asked.market)
    asked.venue.advance()
    found = []
    for place in places:
        bid, ask = place.tape.book.top(Side.BUY), place.tape.book.top(Side.SELL)
        price, quantity = place.listing.price.text, place.listing.quantity.text
        found.append(
            {
                "symbol": place.listing.symbol,
                "bidPrice": price(bid[0]),
                "bidQty": quantity(bid[1]),
                "askPrice": price(ask[0]),
                "askQty": quantity(ask[1]),
            }
        )
    return found[0] if asked.parameters.get("symbol") else found


def premium_index(asked: Asked) -> object:
    """Mark and index price of one instrument, or of all."""
    places = [asked.place] if asked.parameters.get("symbol") else asked.venue.of_market(asked.market)
    asked.venue.advance()
    found = [msgspec.Raw(place.tape.mark.body(asked.now_ms).encode()) for place in places]
    return found[0] if asked.parameters.get("symbol") else found


def _symbols(parameters: Mapping[str, str]) -> set[str]:
    if "symbols" not in parameters:
        return {parameters["symbol"]}
    try:
        return set(msgspec.json.decode(parameters["symbols"], type=list[str]))
    except msgspec.DecodeError:
        raise malformed("symbols", '^\\["[A-Z0-9]{1,20}"(,"[A-Z0-9]{1,20}")*\\]$') from None
