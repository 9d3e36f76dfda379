"""Which instruments a recording of the article dialect holds, and in what units: only where its books leave no doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec

from vtframe.api import DecodeError, NumbersSeen
from vtframe.domain import Instrument
from vtframe_vectrade.known import VENUE, instrument_of, make_instrument
from vtframe_vectrade.messages import BOOK, HEAD
from vtframe_vectrade.reference import ORDERBOOK


def recognize(messages: Iterable[bytes]) -> Sequence[Instrument]:
    """The instruments whose books are in ``messages``, in order of appearance; empty where any is in doubt."""
    seen: dict[str, NumbersSeen] = {}
    total = odd = 0
    for data in messages:
        total += 1
        try:
            head = HEAD.decode(data)
            if head.type in {"snapshot", "delta"} and head.channel.startswith(ORDERBOOK):
                numbers = seen.setdefault(head.channel[len(ORDERBOOK) :], NumbersSeen())
                book = BOOK.decode(data)
                for price, size in (*book.bids, *book.asks):
                    numbers.add(price, size)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DecodeError):
            odd += 1
    if odd * 2 >= total:
        return ()
    found = [n.instrument(known_instrument(VENUE, symbol), partial(make_instrument, symbol)) for symbol, n in seen.items()]
    return tuple(one for one in found if one is not None) if None not in found else ()


def known_instrument(venue: str, symbol: str) -> Instrument | None:
    """Of a symbol of the venue, with the units that it has where nothing else is set."""
    return instrument_of(symbol) if venue == VENUE and symbol else None
