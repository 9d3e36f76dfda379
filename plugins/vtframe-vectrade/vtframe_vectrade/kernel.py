"""Reads the article dialect from its bytes: what it takes in gives the same records as the reference.

Plain Python that is compiled when a codec is opened. Anything that is not as the dialect writes it is answered with a code, and
the reference reads it.
"""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLEAR_EVENT,
    CLOSE_OBJECT,
    DEPTH_FRAME,
    INSTRUMENT,
    MISSING,
    N_EVENTS,
    OPEN_OBJECT,
    ORDER,
    OTHER,
    PICTURE,
    QUOTE_EVENT,
    QUOTE_FRAME,
    REPEATED,
    SHAPE,
    SNAPSHOT_FRAME,
    TRADE_EVENT,
    TRADE_FRAME,
    Output,
    find_symbol,
    finish,
    first_item,
    literal,
    name,
    next_item,
    packed,
    put_event,
    put_frame,
    put_levels,
    put_quoted,
    same,
    scan_id,
    scan_instant,
    scan_key,
    scan_side,
    scan_string,
    scan_word,
    set_time,
    skip_plain,
    skip_value,
)

NAMES = ("snapshot", "delta", "trade", "ticker")
SNAPSHOT, DELTA, TRADE, TICKER = range(len(NAMES))
"""What ``read`` answers: the place of the type's name."""

KEY_TYPE, KEY_CHANNEL, KEY_SEQUENCE = packed(b"type"), packed(b"channel"), packed(b"sequence")
KEY_BIDS, KEY_ASKS, KEY_PRICE, KEY_SIZE, KEY_SIDE = (
    packed(b"bids"),
    packed(b"asks"),
    packed(b"price"),
    packed(b"size"),
    packed(b"side"),
)
KEY_BID, KEY_ASK, KEY_BID_SIZE, KEY_ASK_SIZE = packed(b"bid"), packed(b"ask"), packed(b"bid_size"), packed(b"ask_size")
KEY_TIMESTAMP = literal(b"timestamp")
WORD_SNAPSHOT, WORD_DELTA, WORD_TRADE, WORD_TICKER = (
    packed(b"snapshot"),
    packed(b"delta"),
    packed(b"trade"),
    packed(b"ticker"),
)
WORD_BUY, WORD_SELL = packed(b"buy"), packed(b"sell")
ORDERBOOK, TRADES, TICKERS = literal(b"orderbook:"), literal(b"trades:"), literal(b"ticker:")
ABSENT = -1


def read(text: Any, out: Output, symbols: Any, cells: Any) -> int:
    """One message: type first, then its channel, then the rest in any order, but bids before asks."""
    more, at = first_item(text, 0, OPEN_OBJECT, CLOSE_OBJECT)
    start, stop, at = scan_key(text, at)
    if at < 0:
        return at
    if not more or name(text, start, stop) != KEY_TYPE:
        return OTHER
    word, at = scan_word(text, at)
    if word != WORD_SNAPSHOT and word != WORD_DELTA and word != WORD_TRADE and word != WORD_TICKER:
        return OTHER
    more, at = next_item(text, at, CLOSE_OBJECT)
    start, stop, at = scan_key(text, at)
    if at < 0:
        return at
    if not more or name(text, start, stop) != KEY_CHANNEL:
        return ORDER
    start, stop, at = scan_string(text, at)
    if at < 0:
        return at
    if word == WORD_TRADE:
        prefix = TRADES
    elif word == WORD_TICKER:
        prefix = TICKERS
    else:
        prefix = ORDERBOOK
    if not same(text, start, start + len(prefix), prefix):
        return SHAPE
    row = find_symbol(text, start + len(prefix), stop, 0, symbols)
    if row < 0:
        return OTHER
    if word == WORD_TRADE:
        return read_trade(text, at, out, symbols[row])
    if word == WORD_TICKER:
        return read_ticker(text, at, out, symbols[row])
    return read_book(text, at, out, symbols[row], word == WORD_SNAPSHOT)


def read_book(text: Any, at: int, out: Output, units: Any, picture: bool) -> int:
    """From behind the channel to the end."""
    first = out.counts[N_EVENTS]
    n = first
    flags = PICTURE if picture else 0
    if picture:
        n = put_event(out.events, n, 0, CLEAR_EVENT, 0, 0, 0, units[INSTRUMENT], flags, 0)
    time, sequence = 0, ABSENT
    found = 0
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_BIDS or key == KEY_ASKS:
            bit = 1 if key == KEY_BIDS else 2
            if bit == 2 and not found & 1:
                return ORDER
            n, at = put_levels(text, at, out.events, n, 0, 1 if bit == 1 else -1, units, flags, 2)
        elif key == KEY_SEQUENCE:
            bit = 4
            sequence, at = scan_id(text, at)
        elif same(text, start, stop, KEY_TIMESTAMP):
            bit = 8
            time, at = scan_instant(text, at)
        elif key == KEY_TYPE or key == KEY_CHANNEL:
            return REPEATED
        else:
            at = skip_value(text, at)
        if found & bit:
            return REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    code = finish(text, at)
    if code < 0:
        return code
    if found != 15:
        return MISSING
    set_time(out.events, first, n, time)
    code = put_frame(out, n, SNAPSHOT_FRAME if picture else DEPTH_FRAME, units[INSTRUMENT], -1, sequence, -1, -1)
    if code < 0:
        return code
    return SNAPSHOT if picture else DELTA


def read_trade(text: Any, at: int, out: Output, units: Any) -> int:
    """From behind the channel to the end."""
    time, side, price_at, size_at = 0, 0, ABSENT, ABSENT
    found = 0
    more, at = next_item(text, at, CLOSE_OBJECT)
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
        elif key == KEY_SIDE:
            bit = 4
            side, at = scan_side(text, at, WORD_BUY, WORD_SELL)
        elif same(text, start, stop, KEY_TIMESTAMP):
            bit = 8
            time, at = scan_instant(text, at)
        elif key == KEY_TYPE or key == KEY_CHANNEL:
            return REPEATED
        else:
            at = skip_value(text, at)
        if found & bit:
            return REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    code = finish(text, at)
    if code < 0:
        return code
    if found != 15:
        return MISSING
    n = put_quoted(text, price_at, size_at, out.events, out.counts[N_EVENTS], time, TRADE_EVENT, side, units, 0)
    code = put_frame(out, n, TRADE_FRAME, units[INSTRUMENT], -1, -1, -1, -1)
    return TRADE if code == 0 else code


def read_ticker(text: Any, at: int, out: Output, units: Any) -> int:
    """From behind the channel to the end; where a side is missing the reference reads it."""
    time, bid_at, bid_size_at, ask_at, ask_size_at = 0, ABSENT, ABSENT, ABSENT, ABSENT
    found = 0
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_BID:
            bit = 1
            bid_at = at
            at = skip_plain(text, at)
        elif key == KEY_BID_SIZE:
            bit = 2
            bid_size_at = at
            at = skip_plain(text, at)
        elif key == KEY_ASK:
            bit = 4
            ask_at = at
            at = skip_plain(text, at)
        elif key == KEY_ASK_SIZE:
            bit = 8
            ask_size_at = at
            at = skip_plain(text, at)
        elif same(text, start, stop, KEY_TIMESTAMP):
            bit = 16
            time, at = scan_instant(text, at)
        elif key == KEY_TYPE or key == KEY_CHANNEL:
            return REPEATED
        else:
            at = skip_value(text, at)
        if found & bit:
            return REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    code = finish(text, at)
    if code < 0:
        return code
    if found != 31:
        return MISSING
    n = put_quoted(text, bid_at, bid_size_at, out.events, out.counts[N_EVENTS], time, QUOTE_EVENT, 1, units, 0)
    n = put_quoted(text, ask_at, ask_size_at, out.events, n, time, QUOTE_EVENT, -1, units, 0)
    code = put_frame(out, n, QUOTE_FRAME, units[INSTRUMENT], -1, -1, -1, -1)
    return TICKER if code == 0 else code
