"""Reads OKX's books and trades from their bytes: what it takes in gives the same records as the reference.

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
    LATEST_MS,
    MISSING,
    MS,
    N_EVENTS,
    OPEN_ARRAY,
    OPEN_OBJECT,
    ORDER,
    OTHER,
    PICTURE,
    PRICE_DECIMALS,
    QUANTITY_DECIMALS,
    RANGE,
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
    put_levels,
    same,
    scan_int,
    scan_key,
    scan_quoted_decimal,
    scan_side,
    scan_string,
    scan_symbol,
    scan_word,
    set_time,
    skip_value,
)

NAMES = ("books", "books-l2-tbt", "books50-l2-tbt", "trades")
BOOKS, BOOKS_TBT, BOOKS_50, TRADES = range(len(NAMES))
"""What ``read`` answers: the place of the channel's name."""

ABSENT = -1

KEY_ARG, KEY_ACTION, KEY_DATA, KEY_EVENT, KEY_OP = (
    packed(b"arg"),
    packed(b"action"),
    packed(b"data"),
    packed(b"event"),
    packed(b"op"),
)
KEY_CHANNEL, KEY_INSTRUMENT = packed(b"channel"), packed(b"instId")
KEY_ASKS, KEY_BIDS, KEY_TS, KEY_CHECKSUM = packed(b"asks"), packed(b"bids"), packed(b"ts"), packed(b"checksum")
KEY_SEQUENCE, KEY_PREVIOUS = packed(b"seqId"), literal(b"prevSeqId")
KEY_PRICE, KEY_SIZE, KEY_SIDE = packed(b"px"), packed(b"sz"), packed(b"side")
WORD_BOOKS, WORD_TRADES = packed(b"books"), packed(b"trades")
TEXT_TBT, TEXT_50 = literal(b"books-l2-tbt"), literal(b"books50-l2-tbt")
WORD_SNAPSHOT, WORD_UPDATE, WORD_BUY, WORD_SELL = packed(b"snapshot"), packed(b"update"), packed(b"buy"), packed(b"sell")
UNSIGNED, SIGNED = 2**32 - 1, 2**31


def read(text: Any, out: Output, symbols: Any, cells: Any) -> int:
    """One message: arg first, then action where there is a book, then data."""
    more, at = first_item(text, 0, OPEN_OBJECT, CLOSE_OBJECT)
    start, stop, at = scan_key(text, at)
    if at < 0:
        return at
    if not more or name(text, start, stop) != KEY_ARG:
        return OTHER
    channel, row, at = read_argument(text, at, symbols)
    if at >= 0 and (channel < 0 or row < 0):
        return OTHER
    found = 0
    picture = False
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_DATA:
            bit = 1
            if channel == TRADES:
                at = read_trades(text, at, out, symbols[row])
            elif not found & 2:
                return ORDER
            else:
                at = read_book(text, at, out, symbols[row], picture)
        elif key == KEY_ACTION:
            bit = 2
            word, at = scan_word(text, at)
            picture = word == WORD_SNAPSHOT
            if word != WORD_SNAPSHOT and word != WORD_UPDATE:
                return SHAPE
        elif key == KEY_ARG or key == KEY_EVENT or key == KEY_OP:
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
    return channel if found & 1 else MISSING


def read_argument(text: Any, at: int, symbols: Any) -> tuple[int, int, int]:
    """``{"channel":...,"instId":...}``: (channel, row of the symbol, position); below 0 where it is none that is read here."""
    channel, row = ABSENT, ABSENT
    found = 0
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_CHANNEL:
            bit = 1
            start, stop, at = scan_string(text, at)
            if name(text, start, stop) == WORD_BOOKS:
                channel = BOOKS
            elif name(text, start, stop) == WORD_TRADES:
                channel = TRADES
            elif same(text, start, stop, TEXT_TBT):
                channel = BOOKS_TBT
            elif same(text, start, stop, TEXT_50):
                channel = BOOKS_50
        elif key == KEY_INSTRUMENT:
            bit = 2
            row, at = scan_symbol(text, at, 0, symbols)
        else:
            at = skip_value(text, at)
        if found & bit:
            return channel, row, REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    return channel, row, at


def read_book(text: Any, at: int, out: Output, units: Any, picture: bool) -> int:
    """``[{"asks":...,"bids":...,...}]``, one book: position after it, or a code. Time and ids may stand behind the levels."""
    first = out.counts[N_EVENTS]
    n = first
    flags = PICTURE if picture else 0
    if picture:
        n = put_event(out.events, n, 0, CLEAR_EVENT, 0, 0, 0, units[INSTRUMENT], flags, 0)
    time, checksum, sequence, previous = 0, 0, ABSENT, ABSENT
    found = 0
    another, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    if not another:
        return at if at < 0 else MISSING
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_ASKS or key == KEY_BIDS:
            bit = 1 if key == KEY_BIDS else 2
            n, at = put_levels(text, at, out.events, n, 0, 1 if bit == 1 else -1, units, flags, 4)
        elif key == KEY_TS:
            bit = 4
            time, at = scan_time(text, at)
        elif key == KEY_CHECKSUM:
            bit = 8
            checksum, at = scan_int(text, at)
            if at >= 0 and (checksum >= SIGNED or checksum < -SIGNED):
                return RANGE
        elif key == KEY_SEQUENCE:
            bit = 16
            sequence, at = scan_int(text, at)
            if at >= 0 and sequence < ABSENT:
                return RANGE
        elif same(text, start, stop, KEY_PREVIOUS):
            bit = 32
            previous, at = scan_int(text, at)
            if at >= 0 and previous < ABSENT:
                return RANGE
        else:
            at = skip_value(text, at)
        if found & bit:
            return REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return at
    if found & 7 != 7:
        return MISSING
    another, at = next_item(text, at, CLOSE_ARRAY)
    if another:
        return SHAPE
    n = bids_first(out.events, first, n)
    set_time(out.events, first, n, time)
    sent = checksum & UNSIGNED if checksum != 0 else ABSENT
    code = put_frame(out, n, SNAPSHOT_FRAME if picture else DEPTH_FRAME, units[INSTRUMENT], -1, sequence, previous, sent)
    return at if code == 0 else code


def scan_time(text: Any, at: int) -> tuple[int, int]:
    """Milliseconds in a string: (ns, position) or (0, code)."""
    time, at = scan_quoted_decimal(text, at, 0)
    if time > LATEST_MS:
        return 0, RANGE
    return time * MS, at


def read_trades(text: Any, at: int, out: Output, units: Any) -> int:
    """``[{"px":...,"sz":...,"side":...,"ts":...},...]`` to one frame: position after it, or a code."""
    n = out.counts[N_EVENTS]
    more, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    if not more:
        return at if at < 0 else MISSING
    while more:
        n, at = read_trade(text, at, out.events, n, units)
        more, at = next_item(text, at, CLOSE_ARRAY)
    if at < 0:
        return at
    code = put_frame(out, n, TRADE_FRAME, units[INSTRUMENT], -1, -1, -1, -1)
    return at if code == 0 else code


def read_trade(text: Any, at: int, events: Any, n: int, units: Any) -> tuple[int, int]:
    """One trade to the event at place ``n``: (next place, position), where a code may stand in either."""
    time, price, quantity, side = 0, 0, 0, 0
    found = 0
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_PRICE:
            bit = 1
            price, at = scan_quoted_decimal(text, at, units[PRICE_DECIMALS])
        elif key == KEY_SIZE:
            bit = 2
            quantity, at = scan_quoted_decimal(text, at, units[QUANTITY_DECIMALS])
        elif key == KEY_SIDE:
            bit = 4
            side, at = scan_side(text, at, WORD_BUY, WORD_SELL)
        elif key == KEY_TS:
            bit = 8
            time, at = scan_time(text, at)
        else:
            at = skip_value(text, at)
        if found & bit:
            return n, REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return n, at
    if found != 15:
        return n, MISSING
    return put_event(events, n, time, TRADE_EVENT, side, price, quantity, units[INSTRUMENT], 0, 0), at
