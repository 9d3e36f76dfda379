"""Stream payloads, byte for byte as the venue writes them: members in its order, digits as it prints them."""

from __future__ import annotations

from collections.abc import Iterable

from vtframe.venue.book import Levels
from vtframe.venue.listing import Listing


def levels_text(listing: Listing, rows: Iterable[tuple[int, int]]) -> str:
    price, quantity = listing.price.text, listing.quantity.text
    return ",".join(f'["{price(ticks)}","{quantity(lots)}"]' for ticks, lots in rows)


def depth_update(listing: Listing, *, ts_ms: int, event_ms: int, ids: tuple[int, int, int], bids: Levels, asks: Levels) -> str:
    """A diff; ``ids`` are first, last and previous update id; quantities of 0 remove a level."""
    first, last, previous = ids
    bid_text = levels_text(listing, sorted(bids.items(), reverse=listing.rules.bids_descend))
    ask_text = levels_text(listing, sorted(asks.items()))
    head = f'{{"e":"depthUpdate","E":{event_ms},'
    tail = f'"b":[{bid_text}],"a":[{ask_text}]}}'
    symbol = listing.symbol
    if listing.market == "spot":
        return f'{head}"s":"{symbol}","U":{first},"u":{last},{tail}'
    pair = f'"ps":"{listing.pair}",' if listing.market == "coinm" else ""
    return f'{head}"T":{ts_ms},"s":"{symbol}",{pair}"U":{first},"u":{last},"pu":{previous},{tail}'


def book_ticker(
    listing: Listing, *, ts_ms: int, event_ms: int, update_id: int, bid: tuple[int, int], ask: tuple[int, int]
) -> str:
    price, quantity = listing.price.text, listing.quantity.text
    best = f'"b":"{price(bid[0])}","B":"{quantity(bid[1])}","a":"{price(ask[0])}","A":"{quantity(ask[1])}"'
    if listing.market == "spot":
        return f'{{"u":{update_id},"s":"{listing.symbol}",{best}}}'
    tail = f'{best},"T":{ts_ms},"E":{event_ms}}}'
    if listing.market == "coinm":
        return f'{{"u":{update_id},"e":"bookTicker","s":"{listing.symbol}","ps":"{listing.pair}",{tail}'
    return f'{{"e":"bookTicker","u":{update_id},"s":"{listing.symbol}",{tail}'


def trade(listing: Listing, *, ts_ms: int, event_ms: int, number: int, price: int, quantity: int, buyer_is_maker: bool) -> str:
    maker = "true" if buyer_is_maker else "false"
    digits = f'"t":{number},"p":"{listing.price.text(price)}","q":"{listing.quantity.text(quantity)}"'
    if listing.market == "spot":
        return f'{{"e":"trade","E":{event_ms},"s":"{listing.symbol}",{digits},"T":{ts_ms},"m":{maker},"M":true}}'
    return f'{{"e":"trade","E":{event_ms},"T":{ts_ms},"s":"{listing.symbol}",{digits},"X":"MARKET","m":{maker}}}'


def aggregate_trade(
    listing: Listing, *, ts_ms: int, event_ms: int, number: int, price: int, quantity: int, buyer_is_maker: bool
) -> str:
    """Each trade of ours is one aggregate: its first and last trade are itself."""
    maker = "true" if buyer_is_maker else "false"
    digits = f'"p":"{listing.price.text(price)}","q":"{listing.quantity.text(quantity)}","f":{number},"l":{number}'
    if listing.market == "spot":
        tail = f'"s":"{listing.symbol}","a":{number},{digits},"T":{ts_ms},"m":{maker},"M":true}}'
    else:
        tail = f'"a":{number},"s":"{listing.symbol}",{digits},"T":{ts_ms},"m":{maker}}}'
    return f'{{"e":"aggTrade","E":{event_ms},{tail}'


def mark_price(listing: Listing, *, event_ms: int, mark: float, settle: float, index: float, rate: float, next_ms: int) -> str:
    return (
        f'{{"e":"markPriceUpdate","E":{event_ms},"s":"{listing.symbol}","p":"{mark:.8f}","P":"{settle:.8f}",'
        f'"i":"{index:.8f}","r":"{rate:.8f}","T":{next_ms}}}'
    )


def snapshot(listing: Listing, *, ts_ms: int, event_ms: int, update_id: int, bids: Levels, asks: Levels, limit: int) -> str:
    """The body of a depth request."""
    bid_text = levels_text(listing, sorted(bids.items(), reverse=True)[:limit])
    ask_text = levels_text(listing, sorted(asks.items())[:limit])
    tail = f'"bids":[{bid_text}],"asks":[{ask_text}]}}'
    if listing.market == "spot":
        return f'{{"lastUpdateId":{update_id},{tail}'
    names = f'"symbol":"{listing.symbol}","pair":"{listing.pair}",' if listing.market == "coinm" else ""
    return f'{{"lastUpdateId":{update_id},"E":{event_ms},"T":{ts_ms},{names}{tail}'
