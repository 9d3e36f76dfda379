"""Which instruments a recording of OKX's messages holds, and in what units: only where the messages leave no doubt.

Numbers are written without zeros at the end, so that the decimals are the most that any number has; the tick (and lot) is the
greatest common divisor of at least 1,000 different prices (and of the quantities beside them).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec

from vtframe.api import DecodeError, NumbersSeen
from vtframe.domain import Instrument
from vtframe_okx.known import VENUE, known_instrument, make_instrument
from vtframe_okx.messages import ABSENT, BOOKS, ENVELOPE
from vtframe_okx.reference import BOOK_CHANNELS


def recognize(messages: Iterable[bytes]) -> Sequence[Instrument]:
    """The instruments whose books are in ``messages``, in order of appearance; empty where any is in doubt."""
    seen: dict[str, NumbersSeen] = {}
    total = odd = 0
    for data in messages:
        total += 1
        try:
            message = ENVELOPE.decode(data)
            odd += message.arg is None
            if message.arg is None or message.arg.instId is None or message.data is ABSENT:
                continue
            if message.arg.channel in BOOK_CHANNELS:
                numbers = seen.setdefault(message.arg.instId, NumbersSeen())
                for book in BOOKS.decode(message.data):
                    for level in (*book.asks, *book.bids):
                        numbers.add(level[0], level[1])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DecodeError, IndexError):
            odd += 1
    if odd * 2 >= total:
        return ()
    found = [n.instrument(known_instrument(VENUE, symbol), partial(make_instrument, symbol)) for symbol, n in seen.items()]
    return tuple(i for i in found if i is not None) if None not in found else ()
