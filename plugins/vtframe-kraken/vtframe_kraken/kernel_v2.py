"""Version 2 of Kraken's protocol, read from its bytes: objects with plain numbers. Plain Python that is compiled."""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    DELTA_EVENT,
    DEPTH_FRAME,
    INSTRUMENT,
    MISSING,
    N_EVENTS,
    OPEN_ARRAY,
    OPEN_OBJECT,
    ORDER,
    OTHER,
    PRICE_DECIMALS,
    QUANTITY_DECIMALS,
    RANGE,
    REPEATED,
    SHAPE,
    TRADE_EVENT,
    TRADE_FRAME,
    Output,
    bids_first,
    finish,
    first_item,
    name,
    next_item,
    put_event,
    put_frame,
    same,
    scan_decimal,
    scan_instant,
    scan_int,
    scan_key,
    scan_side,
    scan_string,
    scan_symbol,
    scan_word,
    set_time,
    skip_value,
)
from vtframe_kraken.kernel_members import (
    ABSENT,
    BOOK,
    DIGITS,
    KEY_ASKS,
    KEY_BIDS,
    KEY_CHANNEL,
    KEY_CHECKSUM,
    KEY_DATA,
    KEY_EVENT,
    KEY_METHOD,
    KEY_PRICE,
    KEY_QUANTITY,
    KEY_RESULT,
    KEY_SIDE,
    KEY_SYMBOL,
    KEY_TIMESTAMP,
    KEY_TYPE,
    LARGEST,
    NO_FLAGS,
    TRADE,
    WORD_BOOK,
    WORD_BUY,
    WORD_SELL,
    WORD_TRADE,
    WORD_UPDATE,
    has_decimals,
    is_number_start,
)


def read_v2(text: Any, out: Output, symbols: Any) -> int:
    """``{"channel":...,"type":"update","data":[...]}`` in this order."""
    more, at = first_item(text, 0, OPEN_OBJECT, CLOSE_OBJECT)
    start, stop, at = scan_key(text, at)
    if at < 0:
        return at
    if not more or name(text, start, stop) != KEY_CHANNEL:
        return OTHER
    word, at = scan_word(text, at)
    if word != WORD_BOOK and word != WORD_TRADE:
        return OTHER if at >= 0 else at
    channel = BOOK if word == WORD_BOOK else TRADE
    found = 0
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_DATA:
            bit = 1
            if not found & 2:
                return ORDER
            at = read_books(text, at, out, symbols) if channel == BOOK else read_trades(text, at, out, symbols)
        elif key == KEY_TYPE:
            bit = 2
            start, stop, at = scan_string(text, at)
            if at >= 0 and name(text, start, stop) != WORD_UPDATE:
                return OTHER  # a full picture, or what was traded before
        elif key == KEY_CHANNEL or key == KEY_METHOD or key == KEY_RESULT or key == KEY_EVENT:
            return SHAPE
        else:
            at = skip_value(text, at)
        if found & bit:
            return REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    code = finish(text, at)
    if code < 0:
        return code
    return channel if found == 3 else MISSING


def read_books(text: Any, at: int, out: Output, symbols: Any) -> int:
    """One or several books of the session: position after them, or a code."""
    another, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    while another:
        at = read_book(text, at, out, symbols)
        another, at = next_item(text, at, CLOSE_ARRAY)
    return at


def read_book(text: Any, at: int, out: Output, symbols: Any) -> int:
    """``{"symbol":...,"bids":[...],"asks":[...],"checksum":...,"timestamp":...}``: position after it, or a code."""
    first = out.counts[N_EVENTS]
    n = first
    row, checksum, time = ABSENT, ABSENT, 0
    found = 0
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_BIDS or key == KEY_ASKS:
            bit = 1 if key == KEY_BIDS else 2
            if row < 0:
                return ORDER
            n, at = read_levels(text, at, out.events, n, 1 if bit == 1 else -1, symbols[row])
        elif key == KEY_SYMBOL:
            bit = 4
            row, at = scan_symbol(text, at, 0, symbols)
            if row < 0:
                return at if at < 0 else OTHER
        elif key == KEY_CHECKSUM:
            bit = 8
            checksum, at = scan_int(text, at)
            if at >= 0 and (checksum < 0 or checksum > LARGEST):
                return RANGE
        elif same(text, start, stop, KEY_TIMESTAMP):
            bit = 16
            time, at = scan_instant(text, at)
        else:
            at = skip_value(text, at)
        if found & bit:
            return REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return at
    if row < 0:
        return MISSING
    n = bids_first(out.events, first, n)
    set_time(out.events, first, n, time)
    code = put_frame(out, n, DEPTH_FRAME, symbols[row, INSTRUMENT], -1, -1, -1, checksum)
    return at if code == 0 else code


def read_levels(text: Any, at: int, events: Any, n: int, side: int, units: Any) -> tuple[int, int]:
    """``[{"price":0.5657,"qty":1098.3947558},...]`` to events from place ``n``: (next place, position), a code in either."""
    another, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    while another:
        price, quantity = 0, 0
        exact = True
        found = 0
        more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
        while more:
            start, stop, at = scan_key(text, at)
            key = name(text, start, stop)
            bit = 0
            if key == KEY_PRICE:
                bit = 1
                price, at = scan_number(text, at, units[PRICE_DECIMALS])
                exact = exact and has_decimals(text, at, units[PRICE_DECIMALS])
            elif key == KEY_QUANTITY:
                bit = 2
                quantity, at = scan_number(text, at, units[QUANTITY_DECIMALS])
                exact = exact and has_decimals(text, at, units[QUANTITY_DECIMALS])
            else:
                at = skip_value(text, at)
            if found & bit:
                return n, REPEATED
            found |= bit
            more, at = next_item(text, at, CLOSE_OBJECT)
        if at < 0:
            return n, at
        if found != 3:
            return n, MISSING
        if not exact and quantity != 0:
            return n, DIGITS
        n = put_event(events, n, 0, DELTA_EVENT, side, price, quantity, units[INSTRUMENT], NO_FLAGS, 0)
        another, at = next_item(text, at, CLOSE_ARRAY)
    return n, at


def read_trades(text: Any, at: int, out: Output, symbols: Any) -> int:
    """Trades of one pair, to one frame: position after them, or a code. Several pairs are left to the reference."""
    n = out.counts[N_EVENTS]
    row = ABSENT
    another, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    while another:
        n, of, at = read_trade(text, at, out.events, n, symbols)
        if at >= 0 and row >= 0 and of != row:
            return SHAPE
        row = of
        another, at = next_item(text, at, CLOSE_ARRAY)
    if at < 0:
        return at
    if row < 0:
        return MISSING
    code = put_frame(out, n, TRADE_FRAME, symbols[row, INSTRUMENT], -1, -1, -1, -1)
    return at if code == 0 else code


def read_trade(text: Any, at: int, events: Any, n: int, symbols: Any) -> tuple[int, int, int]:
    """One trade, its symbol first, to the event at place ``n``: (next place, row, position), a code in the first or last."""
    row, time, side, price, quantity = ABSENT, 0, 0, 0, 0
    found = 0
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_PRICE or key == KEY_QUANTITY:
            bit = 1 if key == KEY_PRICE else 2
            if row < 0:
                return n, row, ORDER
            if bit == 1:
                price, at = scan_number(text, at, symbols[row, PRICE_DECIMALS])
            else:
                quantity, at = scan_number(text, at, symbols[row, QUANTITY_DECIMALS])
        elif key == KEY_SYMBOL:
            bit = 4
            row, at = scan_symbol(text, at, 0, symbols)
            if row < 0:
                return n, row, at if at < 0 else OTHER
        elif key == KEY_SIDE:
            bit = 8
            side, at = scan_side(text, at, WORD_BUY, WORD_SELL)
        elif same(text, start, stop, KEY_TIMESTAMP):
            bit = 16
            time, at = scan_instant(text, at)
        else:
            at = skip_value(text, at)
        if found & bit:
            return n, row, REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return n, row, at
    if found != 31:
        return n, row, MISSING
    return put_event(events, n, time, TRADE_EVENT, side, price, quantity, symbols[row, INSTRUMENT], NO_FLAGS, 0), row, at


def scan_number(text: Any, at: int, decimals: int) -> tuple[int, int]:
    """A plain JSON number that is not negative: (fixed point, position after it) or (0, code). What follows it is the caller's
    to look at: an exponent is no comma."""
    if not is_number_start(text, at):
        return 0, SHAPE
    value, at = scan_decimal(text, at, decimals)
    return value, at
