"""Reads Coinbase's books and trades from their bytes: what it takes in gives the same records as the reference.

Plain Python that is compiled when a codec is opened. Anything that is not as the venue writes it is answered with a code, and
the reference reads it. ``cells`` says what the message's number is, and whose full picture it brought.
"""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLEAR_EVENT,
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
    PICTURE,
    PRICE_DECIMALS,
    QUANTITY_DECIMALS,
    REPEATED,
    SHAPE,
    SNAPSHOT_FRAME,
    TRADE_EVENT,
    TRADE_FRAME,
    Output,
    bids_first,
    finish,
    first_item,
    literal,
    name,
    next_item,
    packed,
    put_event,
    put_frame,
    put_quoted,
    same,
    scan_id,
    scan_instant,
    scan_key,
    scan_quoted_decimal,
    scan_side,
    scan_string,
    scan_symbol,
    scan_word,
    set_time,
    skip_plain,
    skip_value,
)

NAMES = ("l2_data", "market_trades")
LEVELS, TRADES = range(len(NAMES))
"""What ``read`` answers: the place of the channel's name."""

SEQUENCE, PICTURE_OF = 0, 1  # in cells; the instrument, or ABSENT
ABSENT = -1

KEY_CHANNEL, KEY_TIMESTAMP, KEY_SEQUENCE = packed(b"channel"), literal(b"timestamp"), literal(b"sequence_num")
KEY_EVENTS, KEY_TYPE, KEY_PRODUCT, KEY_UPDATES = packed(b"events"), packed(b"type"), literal(b"product_id"), packed(b"updates")
KEY_SIDE, KEY_TIME, KEY_LEVEL, KEY_QUANTITY = (
    packed(b"side"),
    literal(b"event_time"),
    literal(b"price_level"),
    literal(b"new_quantity"),
)
KEY_TRADES, KEY_PRICE, KEY_SIZE, KEY_TRADE_TIME = packed(b"trades"), packed(b"price"), packed(b"size"), packed(b"time")
WORD_LEVELS, WORD_TRADES = packed(b"l2_data"), literal(b"market_trades")
WORD_SNAPSHOT, WORD_UPDATE, WORD_BID, WORD_OFFER = packed(b"snapshot"), packed(b"update"), packed(b"bid"), packed(b"offer")
WORD_BUY, WORD_SELL = packed(b"BUY"), packed(b"SELL")


def read(text: Any, out: Output, symbols: Any, cells: Any) -> int:
    """One message: channel first, and its number before its events."""
    more, at = first_item(text, 0, OPEN_OBJECT, CLOSE_OBJECT)
    start, stop, at = scan_key(text, at)
    if at < 0:
        return at
    if not more or name(text, start, stop) != KEY_CHANNEL:
        return OTHER
    start, stop, at = scan_string(text, at)
    if name(text, start, stop) == WORD_LEVELS:
        channel = LEVELS
    elif same(text, start, stop, WORD_TRADES):
        channel = TRADES
    else:
        return OTHER if at >= 0 else at
    cells[PICTURE_OF] = ABSENT
    found = 0
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_EVENTS:
            bit = 1
            if not found & 2:
                return ORDER
            at = read_only(text, at, out, symbols, cells, channel)
        elif same(text, start, stop, KEY_SEQUENCE):
            bit = 2
            cells[SEQUENCE], at = scan_id(text, at)
        elif same(text, start, stop, KEY_TIMESTAMP):
            bit = 4
            _, at = scan_instant(text, at)
        elif key == KEY_CHANNEL or key == KEY_TYPE:
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
    return channel if found & 3 == 3 else MISSING


def read_only(text: Any, at: int, out: Output, symbols: Any, cells: Any, channel: int) -> int:
    """The only event of a message: position behind its array, or a code. Several are left to the reference."""
    more, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    if not more:
        return at if at < 0 else MISSING
    at = read_levels(text, at, out, symbols, cells) if channel == LEVELS else read_trades(text, at, out, symbols)
    more, at = next_item(text, at, CLOSE_ARRAY)
    return SHAPE if more else at


def read_levels(text: Any, at: int, out: Output, symbols: Any, cells: Any) -> int:
    """``{"type":...,"product_id":...,"updates":[...]}`` in this order: position after it, or a code."""
    first = out.counts[N_EVENTS]
    n = first
    row, ts_event = ABSENT, 0
    picture = False
    found = 0
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_UPDATES:
            bit = 1
            if found & 6 != 6:
                return ORDER
            flags = PICTURE if picture else 0
            if picture:
                n = put_event(out.events, n, 0, CLEAR_EVENT, 0, 0, 0, symbols[row, INSTRUMENT], flags, 0)
            n, ts_event, at = read_updates(text, at, out.events, n, flags, symbols[row])
        elif key == KEY_TYPE:
            bit = 2
            word, at = scan_word(text, at)
            picture = word == WORD_SNAPSHOT
            if word != WORD_SNAPSHOT and word != WORD_UPDATE:
                return SHAPE
        elif same(text, start, stop, KEY_PRODUCT):
            bit = 4
            row, at = scan_symbol(text, at, 0, symbols)
            if row < 0:
                return at if at < 0 else OTHER
        else:
            at = skip_value(text, at)
        if found & bit:
            return REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return at
    if found != 7:
        return MISSING
    n = bids_first(out.events, first, n)
    set_time(out.events, first, n, ts_event)
    instrument = symbols[row, INSTRUMENT]
    code = put_frame(out, n, SNAPSHOT_FRAME if picture else DEPTH_FRAME, instrument, -1, cells[SEQUENCE], -1, -1)
    if picture:
        cells[PICTURE_OF] = instrument
    return at if code == 0 else code


def read_updates(text: Any, at: int, events: Any, n: int, flags: int, units: Any) -> tuple[int, int, int]:
    """Levels to events from place ``n``: (next place, newest time, position), where a code may stand in the first or last."""
    instrument, price_decimals, quantity_decimals = units[INSTRUMENT], units[PRICE_DECIMALS], units[QUANTITY_DECIMALS]
    newest = 0
    another, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    while another:
        side, time, price, quantity = 0, 0, 0, 0
        found = 0
        more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
        while more:
            start, stop, at = scan_key(text, at)
            bit = 0
            if name(text, start, stop) == KEY_SIDE:
                bit = 1
                side, at = scan_side(text, at, WORD_BID, WORD_OFFER)
            elif same(text, start, stop, KEY_TIME):
                bit = 2
                time, at = scan_instant(text, at)
                newest = max(newest, time)
            elif same(text, start, stop, KEY_LEVEL):
                bit = 4
                price, at = scan_quoted_decimal(text, at, price_decimals)
            elif same(text, start, stop, KEY_QUANTITY):
                bit = 8
                quantity, at = scan_quoted_decimal(text, at, quantity_decimals)
            else:
                at = skip_value(text, at)
            if found & bit:
                return n, newest, REPEATED
            found |= bit
            more, at = next_item(text, at, CLOSE_OBJECT)
        if at < 0:
            return n, newest, at
        if found != 15:
            return n, newest, MISSING
        n = put_event(events, n, 0, DELTA_EVENT, side, price, quantity, instrument, flags, 0)
        another, at = next_item(text, at, CLOSE_ARRAY)
    return n, newest, at


def read_trades(text: Any, at: int, out: Output, symbols: Any) -> int:
    """``{"type":"update","trades":[...]}`` of one product, newest first, turned round: position after it, or a code."""
    first = out.counts[N_EVENTS]
    n = first
    row = ABSENT
    found = 0
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_TRADES:
            bit = 1
            another, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
            while another:
                n, of, at = read_trade(text, at, out.events, n, symbols)
                if at >= 0 and row >= 0 and of != row:
                    return SHAPE
                row = of
                another, at = next_item(text, at, CLOSE_ARRAY)
        elif key == KEY_TYPE:
            bit = 2
            start, stop, at = scan_string(text, at)
            if at >= 0 and name(text, start, stop) != WORD_UPDATE:
                return OTHER  # what was traded before
        else:
            at = skip_value(text, at)
        if found & bit:
            return REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return at
    if found != 3 or row < 0:
        return MISSING
    turn_round(out.events, first, n)
    code = put_frame(out, n, TRADE_FRAME, symbols[row, INSTRUMENT], -1, -1, -1, -1)
    return at if code == 0 else code


def read_trade(text: Any, at: int, events: Any, n: int, symbols: Any) -> tuple[int, int, int]:
    """One trade to the event at place ``n``: (next place, row of its product, position), where a code may stand in the first
    or the last. ``side`` is the maker's: the aggressor's is the other."""
    row, time, side, price_at, size_at = ABSENT, 0, 0, ABSENT, ABSENT
    found = 0
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_PRICE:
            bit = 1
            price_at = at
            at = skip_plain(text, at)
        elif key == KEY_SIZE:
            bit = 2
            size_at = at
            at = skip_plain(text, at)
        elif key == KEY_TRADE_TIME:
            bit = 4
            time, at = scan_instant(text, at)
        elif key == KEY_SIDE:
            bit = 8
            side, at = scan_side(text, at, WORD_SELL, WORD_BUY)
        elif same(text, start, stop, KEY_PRODUCT):
            bit = 16
            row, at = scan_symbol(text, at, 0, symbols)
            if row < 0:
                return n, row, at if at < 0 else OTHER
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
    return put_quoted(text, price_at, size_at, events, n, time, TRADE_EVENT, side, symbols[row], 0), row, at


def turn_round(events: Any, first: int, n: int) -> None:
    """Newest first to oldest first. ``n`` may be a code: nothing is done."""
    last = n - 1
    while first < last:
        one, other = events[first], events[last]
        one["ts_event"], other["ts_event"] = other["ts_event"], one["ts_event"]
        one["price"], other["price"] = other["price"], one["price"]
        one["quantity"], other["quantity"] = other["quantity"], one["quantity"]
        one["side"], other["side"] = other["side"], one["side"]
        first += 1
        last -= 1
