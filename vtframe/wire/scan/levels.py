"""Price levels to events: ``[["61773.60","1.001"],...]``, the part of a message that is most of its bytes.

Plain Python that is compiled with the codec that uses it. Neighbours are written alike: where a number has as many digits
before and after its point as the one above it, its end is known before it is read, and the processor need not wait for it.
"""

from __future__ import annotations

from typing import Any

from vtframe.wire.scan.codes import SPARE
from vtframe.wire.scan.numbers import POINT, SIXES, TEN_TO, UPPER_HALVES, ZERO, ZEROS, eight_digits, scan_quoted_decimal
from vtframe.wire.scan.output import DELTA_EVENT, put_event
from vtframe.wire.scan.symbols import INSTRUMENT, PRICE_DECIMALS, QUANTITY_DECIMALS
from vtframe.wire.scan.text import CLOSE_ARRAY, COMMA, OPEN_ARRAY, QUOTE, expect, first_item, next_item, skip_plain
from vtframe.wire.scan.words import Text, load

MOST = 8  # digits before a point, and after it, that the quick way reads
POINT_MARK = POINT ^ ZERO
ALL = -1


def put_levels(
    text: Text,
    at: int,
    events: Any,
    n: int,
    ts_event: int,
    side: int,
    units: Any,
    flags: int,
    columns: int,
) -> tuple[int, int]:
    """The array of levels at ``at`` as BOOK_DELTA events from place ``n`` on: (next place, position after the array).

    ``units`` is the instrument's row of a ``symbol_table``. A level is an array of ``columns`` plain strings, of which the
    first two are price and quantity, decimal numbers; others are skipped. A code may stand in either answer.
    """
    instrument, price_decimals, quantity_decimals = units[INSTRUMENT], units[PRICE_DECIMALS], units[QUANTITY_DECIMALS]
    end = len(text) - SPARE
    price_whole, price_part, price_length = 0, 0, 0  # how the numbers above were written; 0 where the quick way does not do
    quantity_whole, quantity_part, quantity_length = 0, 0, 0
    more, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    while more:
        middle = at + 2 + price_length  # the price's closing quote
        stop = middle + 3 + quantity_length  # the quantity's
        price, quantity = -1, -1
        if (
            price_whole > 0
            and quantity_whole > 0
            and stop + 2 < end
            and text[at] == OPEN_ARRAY
            and text[at + 1] == QUOTE
            and text[middle] == QUOTE
            and text[middle + 1] == COMMA
            and text[middle + 2] == QUOTE
            and text[stop] == QUOTE
            and text[stop + 1] == CLOSE_ARRAY
        ):
            price = read_alike(text, at + 2, price_whole, price_part, price_decimals)
            quantity = read_alike(text, middle + 3, quantity_whole, quantity_part, quantity_decimals)
        if price >= 0 and quantity >= 0:
            at = stop + 2
        else:
            first = expect(text, at, OPEN_ARRAY)
            price, second = scan_quoted_decimal(text, first, price_decimals)
            second = expect(text, second, COMMA)
            quantity, at = scan_quoted_decimal(text, second, quantity_decimals)
            if columns == 2:  # venues with more columns write no two numbers alike, and looking costs
                price_whole, price_part, price_length = written(text, first)
                quantity_whole, quantity_part, quantity_length = written(text, second)
            for _ in range(2, columns):
                at = skip_plain(text, expect(text, at, COMMA))
            at = expect(text, at, CLOSE_ARRAY)
            if at < 0:
                return n, at
        n = put_event(events, n, ts_event, DELTA_EVENT, side, price, quantity, instrument, flags, 0)
        if at < end and text[at] == COMMA and text[at + 1] == OPEN_ARRAY:
            at += 1
        else:
            more, at = next_item(text, at, CLOSE_ARRAY)
    return n, at


def read_alike(text: Text, at: int, whole: int, part: int, decimals: int) -> int:
    """The number at ``at``, if it is ``whole`` digits, a point and ``part`` digits (none: no point); else -1.

    Whether it ends there is for the caller to look at.
    """
    first = load(text, at) ^ ZEROS
    kept = (1 << (8 * whole)) - 1 if whole < 8 else ALL
    faults = ((first + SIXES) | first) & UPPER_HALVES & kept
    value = eight_digits(first << (8 * (8 - whole))) * TEN_TO[decimals]
    if part > 0:
        if text[at + whole] != POINT:
            return -1
        second = load(text, at + whole + 1) ^ ZEROS
        kept = (1 << (8 * part)) - 1 if part < 8 else ALL
        faults |= ((second + SIXES) | second) & UPPER_HALVES & kept
        if part > decimals:
            faults |= (second & kept) >> (8 * decimals)  # only zeros may be dropped
            part = decimals
        if part > 0:
            value += eight_digits(second << (8 * (8 - part))) * TEN_TO[decimals - part]
    return value if faults == 0 else -1


def written(text: Text, at: int) -> tuple[int, int, int]:
    """How the quoted number at ``at`` is written: digits before its point, digits after it, length. (0, 0, 0) where the
    quick way does not do for the next one: more than ``MOST`` of either, or white space before it."""
    end = len(text) - SPARE
    if at < 0 or at >= end or text[at] != QUOTE:
        return 0, 0, 0
    start = at + 1
    at = start
    while at < end and text[at] != QUOTE and text[at] != POINT:
        at += 1
    whole = at - start
    part = 0
    if at < end and text[at] == POINT:
        at += 1
        start_of_part = at
        while at < end and text[at] != QUOTE:
            at += 1
        part = at - start_of_part
    if whole == 0 or whole > MOST or part > MOST:
        return 0, 0, 0
    return whole, part, at - start
