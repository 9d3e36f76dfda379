"""Which instruments a sample of messages is of, and in what units: only where the messages leave no doubt.

Units come from a table where it has the instrument and the digits agree with it; else they are inferred: the greatest common
divisor of at least 1,000 different prices (and of the quantities beside them) is taken for the tick (and lot) size, and the
decimals that the venue writes for its precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from vtframe.builtin.binance.digits import fixed
from vtframe.builtin.binance.known import COINM, SPOT, USDM, futures_market, known_instrument, make_instrument
from vtframe.builtin.binance.messages import TYPES, Snapshot, envelope, partial_depth, type_name, wrapped
from vtframe.domain import Instrument, decimals
from vtframe.errors import DecodeError

_DECIMALS = 8  # Binance writes no more
_ROOMY = 10**16  # a quantity with 8 decimals that leaves int64 room for sums
_ENOUGH = 1_000  # different prices that a tick size is inferred from

_LEVELS = msgspec.json.Decoder(list[tuple[str, str]])
_DECODERS = {name: msgspec.json.Decoder(message) for name, message in TYPES.items()}


class _Seen:
    """The numbers of one instrument, in units of 10**-8."""

    def __init__(self) -> None:
        self.prices: set[int] = set()
        self.tick = 0  # greatest common divisor so far; 0 before the first
        self.lot = 0
        self.largest = 0  # quantity
        self.written = (0, 0)  # decimals that the last price and quantity were written with

    def add(self, price: str, quantity: str) -> None:
        p, q = fixed(price, _DECIMALS), fixed(quantity, _DECIMALS)
        if len(self.prices) < _ENOUGH:
            self.prices.add(p)
        self.tick, self.lot = math.gcd(self.tick, p), math.gcd(self.lot, q)
        self.largest = max(self.largest, q)
        self.written = (len(price.partition(".")[2]), len(quantity.partition(".")[2]))


def recognize(messages: Iterable[bytes]) -> Sequence[Instrument]:
    """The instruments of ``messages`` in order of appearance; empty where any of them, or their market, is in doubt."""
    seen: dict[tuple[str, str], _Seen] = {}
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
                _add_levels(seen.setdefault((market, named), _Seen()), snapshot.bids, snapshot.asks)
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


def _note(name: str, message: Any, seen: dict[tuple[str, str], _Seen]) -> None:
    if name == "depthUpdate":
        spot = message.pu is None
    elif name == "bookTicker":
        spot = message.e is None
    else:
        spot = message.M is not None
    numbers = seen.setdefault((SPOT if spot else futures_market(message.s), message.s), _Seen())
    if name == "depthUpdate":
        _add_levels(numbers, message.b, message.a)
    elif name == "bookTicker":
        numbers.add(message.b, message.B)
        numbers.add(message.a, message.A)
    else:
        numbers.add(message.p, message.q)


def _add_levels(numbers: _Seen, *sides: msgspec.Raw) -> None:
    for side in sides:
        for price, quantity in _LEVELS.decode(side):
            numbers.add(price, quantity)


def _instrument(market: str, symbol: str, numbers: _Seen) -> Instrument | None:
    instrument = known_instrument(market, symbol)
    if instrument is not None:
        tick = int(instrument.price(instrument.tick_size).scaleb(_DECIMALS))
        unit = 10 ** (_DECIMALS - instrument.quantity_decimals)
        if numbers.tick % tick == 0 and numbers.lot % unit == 0:
            return instrument
    if len(numbers.prices) < _ENOUGH or not numbers.tick or not numbers.lot:
        return None
    tick_size, lot_size = (Decimal(number).scaleb(-_DECIMALS).normalize() for number in (numbers.tick, numbers.lot))
    price_decimals, quantity_decimals = numbers.written
    if market == SPOT:  # writes 8 decimals of everything
        price_decimals = decimals(tick_size)
        if numbers.largest >= _ROOMY:
            quantity_decimals = decimals(lot_size)
    return make_instrument(
        market,
        symbol,
        tick=tick_size,
        lot=lot_size,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
    )
