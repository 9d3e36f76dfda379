"""Which instruments a recording of Bybit's messages holds, and in what units: only where the messages leave no doubt.

Spot and contracts send the same book messages under the same symbols: trades tell them apart (only a contract's have ``L``).
The tick (and lot) is the greatest common divisor of at least 1,000 different prices (and of the quantities beside them).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec

from vtframe.api import DecodeError, NumbersSeen
from vtframe.domain import Instrument
from vtframe_bybit.known import SPOT, contract_market, known_instrument, make_instrument
from vtframe_bybit.messages import BOOK, ENVELOPE, TRADES, Envelope


def recognize(messages: Iterable[bytes]) -> Sequence[Instrument]:
    """The instruments whose books are in ``messages``, in order of appearance; empty where any is in doubt."""
    seen: dict[str, NumbersSeen] = {}
    contracts: dict[str, set[bool]] = {}
    total = odd = 0
    for data in messages:
        total += 1
        try:
            message = ENVELOPE.decode(data)
            odd += message.topic is None
            _note(message, seen, contracts)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DecodeError, IndexError):
            odd += 1
    kinds = set().union(*contracts.values()) if contracts else set()
    if odd * 2 >= total or len(kinds) != 1:  # one connection serves one market: what one trade says holds for all symbols
        return ()
    found = [_instrument(symbol, numbers, contract=True in kinds) for symbol, numbers in seen.items()]
    return tuple(i for i in found if i is not None) if None not in found else ()


def _note(message: Envelope, seen: dict[str, NumbersSeen], contracts: dict[str, set[bool]]) -> None:
    topic = message.topic or ""
    if topic.startswith("orderbook."):
        book = BOOK.decode(message.data)
        numbers = seen.setdefault(book.s, NumbersSeen())
        for level in (*book.b, *book.a):
            numbers.add(level[0], level[1])
    elif topic.startswith("publicTrade."):
        for trade in TRADES.decode(message.data):
            contracts.setdefault(trade.s, set()).add(trade.L is not None)


def _instrument(symbol: str, numbers: NumbersSeen, *, contract: bool) -> Instrument | None:
    venue = contract_market(symbol) if contract else SPOT
    return numbers.instrument(known_instrument(venue, symbol), partial(make_instrument, venue, symbol))
