"""Which pairs a recording of Kraken's messages holds, and in what units: only where the messages leave no doubt.

Kraken writes all prices of a pair with one number of decimals, and all quantities: those are the instrument's. In v1 they are
more than the tick needs, so that the tick is what v2's ``instrument`` channel states, or else the greatest common divisor of at
least 1,000 different prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from vtframe.api import DecodeError, NumbersSeen
from vtframe.domain import Instrument
from vtframe_kraken.known import make_instrument
from vtframe_kraken.messages import ARRAY, BOOK_V1, BOOKS_V2, ENVELOPE, INSTRUMENTS_V2, NAME, Increments

_OWN = frozenset({"heartbeat", "status", "systemStatus", "subscriptionStatus", "pong", "subscribe", "unsubscribe"})
_CHANNELS = frozenset({"book", "trade", "ticker", "ohlc", "spread", "instrument", "level3"}) | _OWN


class _Seen:
    def __init__(self) -> None:
        self.numbers: dict[str, NumbersSeen] = {}
        self.stated: dict[str, Increments] = {}

    def add(self, symbol: str, price: str, quantity: str) -> None:
        numbers = self.numbers.setdefault(symbol, NumbersSeen())
        if quantity.strip("0."):
            numbers.add(price, quantity)


def recognize(messages: Iterable[bytes]) -> Sequence[Instrument]:
    """The pairs whose books are in ``messages``, in order of appearance; empty where any is in doubt."""
    seen = _Seen()
    total = odd = 0
    for data in messages:
        total += 1
        try:
            odd += _note(data, seen) not in _CHANNELS
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DecodeError):
            odd += 1
    if odd * 2 >= total:
        return ()
    found = [_instrument(symbol, numbers, seen.stated.get(symbol)) for symbol, numbers in seen.numbers.items()]
    return tuple(i for i in found if i is not None) if None not in found else ()


def _note(data: bytes, seen: _Seen) -> str:
    """Take a message's numbers; returns its channel."""
    if data[:1] == b"[":
        parts = ARRAY.decode(data)
        if len(parts) < 4:
            return ""
        kind = NAME.decode(parts[-2]).partition("-")[0]
        if kind == "book":
            symbol = NAME.decode(parts[-1])
            for book in map(BOOK_V1.decode, parts[1:-2]):
                for level in (*(book.as_ or ()), *(book.bs or ()), *(book.a or ()), *(book.b or ())):
                    seen.add(symbol, level[0], level[1])
        return kind
    message = ENVELOPE.decode(data)
    if message.channel == "book":
        for sent in BOOKS_V2.decode(message.data):
            for row in (*sent.bids, *sent.asks):
                seen.add(sent.symbol, bytes(row.price).decode(), bytes(row.qty).decode())
    elif message.channel == "instrument":
        seen.stated |= {pair.symbol: pair for pair in INSTRUMENTS_V2.decode(message.data).pairs}
    return message.channel or message.method or message.event or ""


def _instrument(symbol: str, numbers: NumbersSeen, stated: Increments | None) -> Instrument | None:
    (fewest, price_decimals), (least, quantity_decimals) = numbers.price_decimals, numbers.quantity_decimals
    if fewest != price_decimals or least != quantity_decimals:
        return None
    tick, lot = numbers.tick, numbers.lot
    if stated is None and not numbers.enough:
        return None
    if stated is not None:
        if (stated.price_precision, stated.qty_precision) != (price_decimals, quantity_decimals):
            return None
        tick, lot = (Decimal(bytes(raw).decode()) for raw in (stated.price_increment, stated.qty_increment))
    return make_instrument(symbol, price_decimals=price_decimals, quantity_decimals=quantity_decimals, tick=tick, lot=lot)
