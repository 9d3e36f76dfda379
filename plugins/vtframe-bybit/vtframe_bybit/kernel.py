"""Reads Bybit's books and trades from their bytes: what it takes in gives the same records as the reference.

Plain Python that is compiled when a codec is opened. Anything that is not as the venue writes it is answered with a code, and
the reference reads it.
"""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLEAR_EVENT,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    DEPTH_FRAME,
    INSTRUMENT,
    MISSING,
    MS,
    N_EVENTS,
    NON_MARKET,
    OPEN_ARRAY,
    OPEN_OBJECT,
    ORDER,
    OTHER,
    PICTURE,
    REPEATED,
    SHAPE,
    SNAPSHOT_FRAME,
    TRADE_EVENT,
    TRADE_FRAME,
    VALUES,
    Output,
    find_symbol,
    finish,
    first_item,
    literal,
    name,
    next_item,
    packed,
    peek,
    put_event,
    put_frame,
    put_levels,
    put_quoted,
    same,
    scan_bool,
    scan_digits,
    scan_id,
    scan_key,
    scan_millis,
    scan_side,
    scan_string,
    scan_symbol,
    scan_word,
    set_time,
    skip_plain,
    skip_value,
)

NAMES = ("orderbook", "publicTrade")
BOOK, TRADES = range(len(NAMES))
"""What ``read`` answers: the place of the type's name."""

DEPTH = VALUES + 3  # a column of symbols, behind those that all have
"""``DEPTH`` is that of the topic which makes the symbol's book; 0 until the reference has learnt it."""
ABSENT = -1

KEY_TOPIC, KEY_TYPE, KEY_TS, KEY_CTS, KEY_DATA = (
    packed(b"topic"),
    packed(b"type"),
    packed(b"ts"),
    packed(b"cts"),
    packed(b"data"),
)
KEY_OP, KEY_s, KEY_b, KEY_a, KEY_u = packed(b"op"), packed(b"s"), packed(b"b"), packed(b"a"), packed(b"u")
KEY_T, KEY_S, KEY_p, KEY_v, KEY_BT, KEY_L = packed(b"T"), packed(b"S"), packed(b"p"), packed(b"v"), packed(b"BT"), packed(b"L")
WORD_SNAPSHOT, WORD_DELTA, WORD_BUY, WORD_SELL = packed(b"snapshot"), packed(b"delta"), packed(b"Buy"), packed(b"Sell")
ORDERBOOK, PUBLIC_TRADE = literal(b"orderbook."), literal(b"publicTrade.")
POINT, ZERO = 46, 48


def read(text: Any, out: Output, symbols: Any, cells: Any) -> int:
    """One message; its first member tells the topic."""
    more, at = first_item(text, 0, OPEN_OBJECT, CLOSE_OBJECT)
    start, stop, at = scan_key(text, at)
    if not more or name(text, start, stop) != KEY_TOPIC:
        return OTHER if at >= 0 else at
    start, stop, at = scan_string(text, at)
    if at < 0:
        return at
    if same(text, start, start + len(ORDERBOOK), ORDERBOOK):
        zero = peek(text, start + len(ORDERBOOK)) == ZERO  # 050 is not the topic of depth 50
        depth, _, start = scan_digits(text, start + len(ORDERBOOK), 4)
        row = find_symbol(text, start + 1, stop, 0, symbols)
        if row < 0 or zero or peek(text, start) != POINT or depth != symbols[row, DEPTH]:
            return OTHER
        return read_book(text, at, out, symbols[row], row, symbols)
    if same(text, start, start + len(PUBLIC_TRADE), PUBLIC_TRADE):
        return read_trades(text, at, out, symbols)
    return OTHER


def read_book(text: Any, at: int, out: Output, units: Any, row: int, symbols: Any) -> int:
    """From behind the topic: type, times and data in any order, but the type before the data."""
    time, engine_time, update_id = ABSENT, ABSENT, ABSENT
    picture = False
    first = out.counts[N_EVENTS]
    n = first
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
            if picture:
                n = put_event(out.events, n, 0, CLEAR_EVENT, 0, 0, 0, units[INSTRUMENT], PICTURE, 0)
            n, update_id, at = read_data(text, at, out.events, n, PICTURE if picture else 0, units, row, symbols)
        elif key == KEY_TYPE:
            bit = 2
            word, at = scan_word(text, at)
            picture = word == WORD_SNAPSHOT
            if word != WORD_SNAPSHOT and word != WORD_DELTA:
                return SHAPE
        elif key == KEY_TS:
            bit = 4
            time, at = scan_millis(text, at)
        elif key == KEY_CTS:
            bit = 8
            engine_time, at = scan_millis(text, at)
        elif key == KEY_OP or key == KEY_TOPIC:
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
    if found & 3 != 3:
        return MISSING
    set_time(out.events, first, n, max(engine_time if engine_time >= 0 else time, 0) * MS)
    code = put_frame(out, n, SNAPSHOT_FRAME if picture else DEPTH_FRAME, units[INSTRUMENT], -1, update_id, -1, -1)
    return BOOK if code == 0 else code


def read_data(text: Any, at: int, events: Any, n: int, flags: int, units: Any, row: int, symbols: Any) -> tuple[int, int, int]:
    """A book's data at ``at``: (next place, update id, position), where a code may stand in the first or the last."""
    update_id = ABSENT
    found = 0
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_b or key == KEY_a:
            bit = 1 if key == KEY_b else 2
            if bit == 2 and not found & 1:
                return n, 0, ORDER
            n, at = put_levels(text, at, events, n, 0, 1 if bit == 1 else -1, units, flags, 2)
        elif key == KEY_s:
            bit = 4
            start, stop, at = scan_string(text, at)
            if at >= 0 and find_symbol(text, start, stop, 0, symbols) != row:
                return n, 0, SHAPE
        elif key == KEY_u:
            bit = 8
            update_id, at = scan_id(text, at)
        else:
            at = skip_value(text, at)
        if found & bit:
            return n, 0, REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at >= 0 and found != 15:
        at = MISSING
    return n, update_id, at


def read_trades(text: Any, at: int, out: Output, symbols: Any) -> int:
    """From behind the topic. Trades of one symbol; where a message has several, the reference takes it."""
    n = out.counts[N_EVENTS]
    row = ABSENT
    found = 0
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_DATA:
            bit = 1
            another, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
            while another:
                n, of, at = read_trade(text, at, out.events, n, symbols)
                if at >= 0 and (of < 0 or (row >= 0 and of != row)):
                    return SHAPE
                row = of
                another, at = next_item(text, at, CLOSE_ARRAY)
        elif key == KEY_TYPE:
            bit = 2
            at = skip_plain(text, at)
        elif key == KEY_TS or key == KEY_CTS:
            bit = 4 if key == KEY_TS else 8
            _, at = scan_millis(text, at)
        elif key == KEY_OP or key == KEY_TOPIC:
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
    if row < 0:
        return MISSING
    code = put_frame(out, n, TRADE_FRAME, symbols[row, INSTRUMENT], -1, -1, -1, -1)
    return TRADES if code == 0 else code


def read_trade(text: Any, at: int, events: Any, n: int, symbols: Any) -> tuple[int, int, int]:
    """One trade to the event at place ``n``: (next place, row of its symbol, position), where a code may stand in the first
    or the last. The symbol may come after the numbers, which are read when it is known."""
    time, row, side, price_at, quantity_at = ABSENT, ABSENT, 0, ABSENT, ABSENT
    block = False
    found = 0
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_T:
            bit = 1
            time, at = scan_millis(text, at)
        elif key == KEY_s:
            bit = 2
            row, at = scan_symbol(text, at, 0, symbols)
        elif key == KEY_S:
            bit = 4
            side, at = scan_side(text, at, WORD_BUY, WORD_SELL)
        elif key == KEY_p:
            bit = 8
            price_at = at
            at = skip_plain(text, at)
        elif key == KEY_v:
            bit = 16
            quantity_at = at
            at = skip_plain(text, at)
        elif key == KEY_BT:
            bit = 32
            block, at = scan_bool(text, at)
        elif key == KEY_L:
            bit = 64
            at = skip_plain(text, at)
        else:
            at = skip_value(text, at)
        if found & bit:
            return n, row, REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return n, row, at
    if found & 31 != 31 or row < 0:
        return n, row, MISSING
    flags = NON_MARKET if block else 0
    return put_quoted(text, price_at, quantity_at, events, n, time * MS, TRADE_EVENT, side, symbols[row], flags), row, at
