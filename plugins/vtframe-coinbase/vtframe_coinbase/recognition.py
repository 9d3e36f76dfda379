"""Which products a recording of Coinbase's messages holds, and in what units: only where the messages leave no doubt.

Numbers are written without zeros at the end, so that the decimals are the most that any number has; the tick (and lot) is the
greatest common divisor of at least 1,000 different prices (and of the quantities beside them).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec

from vtframe.api import DecodeError, NumbersSeen
from vtframe.domain import Instrument
from vtframe_coinbase.known import VENUE, known_instrument, make_instrument
from vtframe_coinbase.messages import ENVELOPE, LEVELS

_CHANNELS = frozenset(
    {"l2_data", "market_trades", "ticker", "ticker_batch", "candles", "status", "heartbeats", "subscriptions"}
)


def recognize(messages: Iterable[bytes]) -> Sequence[Instrument]:
    """The products whose books are in ``messages``, in order of appearance; empty where any is in doubt."""
    seen: dict[str, NumbersSeen] = {}
    total = odd = 0
    for data in messages:
        total += 1
        try:
            message = ENVELOPE.decode(data)
            odd += message.channel not in _CHANNELS or message.sequence_num is None
            if message.channel == "l2_data":
                for event in LEVELS.decode(message.events):
                    numbers = seen.setdefault(event.product_id, NumbersSeen())
                    for update in event.updates:
                        numbers.add(update.price_level, update.new_quantity)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DecodeError):
            odd += 1
    if odd * 2 >= total:
        return ()
    found = [n.instrument(known_instrument(VENUE, symbol), partial(make_instrument, symbol)) for symbol, n in seen.items()]
    return tuple(i for i in found if i is not None) if None not in found else ()
