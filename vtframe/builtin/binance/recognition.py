"""Which instruments a sample of messages is of, and in what units: only where the messages leave no doubt.

Units come from a table where it has the instrument and the digits agree with it; else they are inferred: the greatest common
divisor of at least 1,000 different prices (and of the quantities beside them) is taken for the tick (and lot) size, and the
decimals that the venue writes for its precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from vtframe.builtin.binance.known import COINM, SPOT, USDM, futures_market, known_instrument, make_instrument
from vtframe.builtin.binance.messages import TYPES, Snapshot, envelope, partial_depth, type_name, wrapped
from vtframe.domain import Instrument, decimals
from vtframe.errors import DecodeError
from vtframe.wire.numbers_seen import NumbersSeen

_ROOMY = 10**8  # a quantity with 8 decimals that leaves int64 room for sums

_LEVELS = msgspec.json.Decoder(list[tuple[str, str]])
_DECODERS = {name: msgspec.json.Decoder(message) for name, message in TYPES.items()}


def recognize(messages: Iterable[bytes]) -> Sequence[Instrument]:
    """The instruments of ``messages`` in order of appearance; empty where any of them, or their market, is in doubt."""
    seen: dict[tuple[str, str], NumbersSeen] = {}
    anonymous: list[tuple[str, Snapshot]] = []
    total = odd = 0
    for data in messages:
        total += 1
        try:
            name, message = _read(data)
            if message is None:
                odd += name == "unknown"
            elif isinstance(message, Snapshot):
                market = COINM if message.symbol is not None else SPOT if message.E is None else USDM
                anonymous.append((market, message))
            else:
                _note(name, message, seen)
        except (msgspec.DecodeError, UnicodeDecodeError, DecodeError):
            odd += 1
    if odd * 2 >= total:  # broken, or nobody knows what: a market is told by what most messages say
        return ()
    for market, snapshot in anonymous:
        symbols = [s for m, s in seen if m == market]
        named = snapshot.symbol or (symbols[0] if len(symbols) == 1 else None)
        if named is not None:
            try:
                _add_levels(seen.setdefault((market, named), NumbersSeen()), snapshot.bids, snapshot.asks)
            except (msgspec.DecodeError, DecodeError):
                return ()
    found = [_instrument(market, symbol, numbers) for (market, symbol), numbers in seen.items()]
    return tuple(i for i in found if i is not None) if None not in found else ()


def _read(data: bytes) -> tuple[str, Any]:
    """Type and message; None for what carries no market data that is read here."""
    outer = envelope(data)
    inner: bytes | msgspec.Raw = data
    stream = wrapped(outer)
    if stream is not None:
        if partial_depth(stream):
            return "partial depth", None
        inner = outer.data
        outer = envelope(inner)
    name = type_name(outer)
    decoder = _DECODERS.get(name)
    return name, None if decoder is None else decoder.decode(inner)


def _note(name: str, message: Any, seen: dict[tuple[str, str], NumbersSeen]) -> None:
    if name == "depthUpdate":
        spot = message.pu is None
    elif name == "bookTicker":
        spot = message.e is None
    else:
        spot = message.M is not None
    numbers = seen.setdefault((SPOT if spot else futures_market(message.s), message.s), NumbersSeen())
    if name == "depthUpdate":
        _add_levels(numbers, message.b, message.a)
    elif name == "bookTicker":
        numbers.add(message.b, message.B)
        numbers.add(message.a, message.A)
    else:
        numbers.add(message.p, message.q)


def _add_levels(numbers: NumbersSeen, *sides: msgspec.Raw) -> None:
    for side in sides:
        for price, quantity in _LEVELS.decode(side):
            numbers.add(price, quantity)


def _instrument(market: str, symbol: str, numbers: NumbersSeen) -> Instrument | None:
    known = known_instrument(market, symbol)
    if known is not None and numbers.fit(known):
        return known
    if not numbers.enough or not numbers.tick:
        return None
    price_decimals, quantity_decimals = numbers.price_decimals[1], numbers.quantity_decimals[1]
    if market == SPOT:  # writes 8 decimals of everything
        price_decimals = decimals(numbers.tick)
        if numbers.largest >= _ROOMY:
            quantity_decimals = decimals(numbers.lot)
    return make_instrument(
        market,
        symbol,
        tick=numbers.tick,
        lot=numbers.lot,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
    )
