"""What the messages of most venues state: sides, symbols, times, update ids, and trades whose symbol comes after their numbers.

Plain Python that is compiled with the codec that uses it.
"""

from __future__ import annotations

from typing import Any

from vtframe.wire.scan.codes import RANGE, SHAPE
from vtframe.wire.scan.numbers import scan_int, scan_quoted_decimal
from vtframe.wire.scan.output import put_event
from vtframe.wire.scan.symbols import INSTRUMENT, PRICE_DECIMALS, QUANTITY_DECIMALS, find_symbol
from vtframe.wire.scan.text import name, scan_string
from vtframe.wire.scan.words import Text

MS = 1_000_000  # nanoseconds in a millisecond
LATEST_MS = 9_000_000_000_000  # fits int64 in nanoseconds


def scan_word(text: Text, at: int) -> tuple[int, int]:
    """A plain string as the number that ``packed`` makes of it, 0 where it is longer than eight bytes: (word, position)."""
    start, stop, at = scan_string(text, at)
    return name(text, start, stop), at


def scan_side(text: Text, at: int, buy: int, sell: int) -> tuple[int, int]:
    """1 for the word ``buy``, -1 for ``sell`` (both ``packed``): (side, position), or (0, code): SHAPE for any other word."""
    word, at = scan_word(text, at)
    if at < 0:
        return 0, at
    if word == buy:
        return 1, at
    return (-1, at) if word == sell else (0, SHAPE)


def scan_symbol(text: Text, at: int, group: int, symbols: Any) -> tuple[int, int]:
    """Row of the symbol that a string names, -1 where it is none of the session's: (row, position)."""
    start, stop, at = scan_string(text, at)
    return find_symbol(text, start, stop, group, symbols), at


def scan_millis(text: Text, at: int) -> tuple[int, int]:
    """A time, an integer in milliseconds: (ms, position), or (0, code): RANGE where int64 cannot hold it in nanoseconds."""
    time, at = scan_int(text, at)
    return (time, at) if at < 0 or 0 <= time <= LATEST_MS else (0, RANGE)


def scan_id(text: Text, at: int) -> tuple[int, int]:
    """An update id: (id, position), or (0, code): RANGE where it is below 0."""
    update_id, at = scan_int(text, at)
    return (update_id, at) if at < 0 or update_id >= 0 else (0, RANGE)


def put_quoted(
    text: Text,
    price_at: int,
    quantity_at: int,
    events: Any,
    n: int,
    ts_event: int,
    kind: int,
    side: int,
    units: Any,
    flags: int,
) -> int:
    """The event at place ``n`` of the price and the quantity that stand as strings at two places of the message: the next
    place, or a code. ``n`` may be a code, which is handed on."""
    if n < 0:
        return n
    price, good = scan_quoted_decimal(text, price_at, units[PRICE_DECIMALS])
    if good < 0:
        return good
    quantity, good = scan_quoted_decimal(text, quantity_at, units[QUANTITY_DECIMALS])
    if good < 0:
        return good
    return put_event(events, n, ts_event, kind, side, price, quantity, units[INSTRUMENT], flags, 0)
