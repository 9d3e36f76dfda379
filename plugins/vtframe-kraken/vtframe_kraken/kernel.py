"""Reads Kraken's book updates and trades from their bytes: what it takes in gives the same records as the reference.

Plain Python that is compiled when a codec is opened. Full pictures (one for each subscription), and anything that is not as the
venue writes it, are answered with a code, and the reference reads them.
"""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    DELTA_EVENT,
    DEPTH_FRAME,
    INSTRUMENT,
    MISSING,
    N_EVENTS,
    OPEN_ARRAY,
    OPEN_OBJECT,
    OTHER,
    PRICE_DECIMALS,
    QUANTITY_DECIMALS,
    QUOTE,
    RANGE,
    REPEATED,
    TRADE_EVENT,
    TRADE_FRAME,
    Output,
    bids_first,
    expect,
    find_symbol,
    finish,
    first_item,
    name,
    next_item,
    peek,
    put_event,
    put_frame,
    same,
    scan_key,
    scan_quoted_decimal,
    scan_string,
    set_time,
    skip_plain,
    skip_value,
)
from vtframe_kraken.kernel_members import (
    ABSENT,
    BOOK,
    BOOK_10,
    BOOK_25,
    BOOK_100,
    BOOK_500,
    BOOK_1000,
    DIGITS,
    LARGEST,
    LATEST_US,
    NO_FLAGS,
    TRADE,
    US,
    WORD_TRADE,
    KEY_a,
    KEY_as,
    KEY_b,
    KEY_bs,
    KEY_c,
    WORD_b,
    WORD_s,
    has_decimals,
)
from vtframe_kraken.kernel_v2 import read_v2


def read(text: Any, out: Output, symbols: Any, cells: Any) -> int:
    """One message: v1 sends arrays, v2 objects."""
    if peek(text, 0) == OPEN_ARRAY:
        return read_v1(text, out, symbols)
    return read_v2(text, out, symbols)


def read_v1(text: Any, out: Output, symbols: Any) -> int:
    """``[channel id, payload, ..., channel name, pair]``: the payloads are read when the names behind them are known."""
    more, at = first_item(text, 0, OPEN_ARRAY, CLOSE_ARRAY)
    if not more:
        return MISSING
    more, payloads = next_item(text, skip_value(text, at), CLOSE_ARRAY)
    at = payloads
    count = 0
    while more and peek(text, at) != QUOTE:
        count += 1
        more, at = next_item(text, skip_value(text, at), CLOSE_ARRAY)
    if at < 0:
        return at
    if not more or count == 0:
        return MISSING
    start, stop, at = scan_string(text, at)
    channel = channel_of(text, start, stop)
    start, stop, at = scan_string(text, expect(text, at, COMMA))
    row = find_symbol(text, start, stop, 0, symbols)
    code = finish(text, expect(text, at, CLOSE_ARRAY))
    if code < 0:
        return code
    if channel < 0 or row < 0:
        return OTHER
    if channel == TRADE:
        return read_trades(text, payloads, count, out, symbols[row])
    return read_book(text, payloads, count, out, symbols[row])


def channel_of(text: Any, start: int, stop: int) -> int:
    """The channel by its name, ``book-1000`` or ``trade``; ABSENT for any other."""
    word = name(text, start, stop)
    if word == WORD_TRADE:
        return TRADE
    if word == BOOK_10 or word == BOOK_25 or same(text, start, stop, BOOK_1000):
        return BOOK
    return BOOK if same(text, start, stop, BOOK_100) or same(text, start, stop, BOOK_500) else ABSENT


def read_book(text: Any, at: int, count: int, out: Output, units: Any) -> int:
    """An update's payloads, which the caller has seen to be values between commas."""
    first = out.counts[N_EVENTS]
    n = first
    checksum, newest = ABSENT, 0
    for _ in range(count):
        found = 0
        more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
        while more:
            start, stop, at = scan_key(text, at)
            key = name(text, start, stop)
            bit = 0
            if key == KEY_a or key == KEY_b:
                bit = 1 if key == KEY_b else 2
                n, time, at = read_levels(text, at, out.events, n, 1 if bit == 1 else -1, units)
                newest = max(newest, time)
            elif key == KEY_c:
                bit = 4
                checksum, at = scan_quoted_decimal(text, at, 0)
                if checksum > LARGEST:
                    return RANGE
            elif key == KEY_as or key == KEY_bs:
                return OTHER  # a full picture
            else:
                at = skip_value(text, at)
            if found & bit:
                return REPEATED
            found |= bit
            more, at = next_item(text, at, CLOSE_OBJECT)
        _, at = next_item(text, at, CLOSE_ARRAY)
    if at < 0:
        return at
    n = bids_first(out.events, first, n)
    set_time(out.events, first, n, newest)
    code = put_frame(out, n, DEPTH_FRAME, units[INSTRUMENT], -1, -1, -1, checksum)
    return BOOK if code == 0 else code


def read_levels(text: Any, at: int, events: Any, n: int, side: int, units: Any) -> tuple[int, int, int]:
    """``[["354.15000000","5.00000000","1618678133.365913"],...]`` to events from place ``n``: (next place, newest time,
    position), where a code may stand in the first or the last."""
    instrument, price_decimals, quantity_decimals = units[INSTRUMENT], units[PRICE_DECIMALS], units[QUANTITY_DECIMALS]
    newest = 0
    more, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    while more:
        at = expect(text, at, OPEN_ARRAY)
        price, at = scan_quoted_decimal(text, at, price_decimals)
        exact = at >= 0 and has_decimals(text, at - 1, price_decimals)
        quantity, at = scan_quoted_decimal(text, expect(text, at, COMMA), quantity_decimals)
        exact = exact and at >= 0 and has_decimals(text, at - 1, quantity_decimals)
        time, at = scan_quoted_decimal(text, expect(text, at, COMMA), 6)
        another, at = next_item(text, at, CLOSE_ARRAY)
        while another:
            another, at = next_item(text, skip_plain(text, at), CLOSE_ARRAY)
        if at < 0:
            return n, newest, at
        if not exact and quantity != 0:
            return n, newest, DIGITS
        if time > LATEST_US:
            return n, newest, RANGE
        newest = max(newest, time * US)
        n = put_event(events, n, 0, DELTA_EVENT, side, price, quantity, instrument, NO_FLAGS, 0)
        more, at = next_item(text, at, CLOSE_ARRAY)
    return n, newest, at


def read_trades(text: Any, at: int, count: int, out: Output, units: Any) -> int:
    """``[["354.11000000","0.89594024","1618678142.557535","s","l",""],...]`` in each payload, to one frame."""
    first = out.counts[N_EVENTS]
    n = first
    for _ in range(count):
        more, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
        while more:
            at = expect(text, at, OPEN_ARRAY)
            price, at = scan_quoted_decimal(text, at, units[PRICE_DECIMALS])
            quantity, at = scan_quoted_decimal(text, expect(text, at, COMMA), units[QUANTITY_DECIMALS])
            time, at = scan_quoted_decimal(text, expect(text, at, COMMA), 6)
            start, stop, at = scan_string(text, expect(text, at, COMMA))
            word = name(text, start, stop)
            another, at = next_item(text, at, CLOSE_ARRAY)
            while another:
                another, at = next_item(text, skip_plain(text, at), CLOSE_ARRAY)
            if at < 0:
                return at
            if (word != WORD_b and word != WORD_s) or time > LATEST_US:
                return RANGE
            side = 1 if word == WORD_b else -1
            n = put_event(out.events, n, time * US, TRADE_EVENT, side, price, quantity, units[INSTRUMENT], NO_FLAGS, 0)
            more, at = next_item(text, at, CLOSE_ARRAY)
        _, at = next_item(text, at, CLOSE_ARRAY)
    if at < 0:
        return at
    if n == first:
        return MISSING
    code = put_frame(out, n, TRADE_FRAME, units[INSTRUMENT], -1, -1, -1, -1)
    return TRADE if code == 0 else code
