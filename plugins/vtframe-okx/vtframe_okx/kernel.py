"""Reads OKX's books and trades from their bytes: what it takes in gives the same records as the reference.

Plain Python that is compiled when a codec is opened. Anything that is not as the venue writes it is answered with a code, and
the reference reads it.
"""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    N_EVENTS,
    OPEN_ARRAY,
    OPEN_OBJECT,
    OWN,
    SHAPE,
    VALUES,
    Output,
    bids_first,
    expect,
    find_symbol,
    finish,
    first_item,
    literal,
    name,
    next_item,
    packed,
    put_event,
    put_frame,
    same,
    scan_int,
    scan_key,
    scan_quoted_decimal,
    scan_string,
    set_time,
    skip_plain,
    skip_value,
)
from vtframe.domain import EventFlag, EventKind, FrameKind

NAMES = ("books", "books-l2-tbt", "books50-l2-tbt", "trades")
BOOKS, BOOKS_TBT, BOOKS_50, TRADES = range(len(NAMES))
"""What ``read`` answers: the place of the channel's name."""

OTHER = OWN  # not a message that is read here: the reference says what it is
REPEATED, MISSING, ORDER, RANGE = OWN - 1, OWN - 2, OWN - 3, OWN - 4
OWN_REASONS = {
    REPEATED: "a member twice",
    MISSING: "a member missing",
    ORDER: "members in another order",
    RANGE: "a number out of range",
}
INSTRUMENT, PRICE_DECIMALS, QUANTITY_DECIMALS = VALUES, VALUES + 1, VALUES + 2  # columns of symbols
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
MS, LATEST_MS = 1_000_000, 9_000_000_000_000

PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)
DELTA_EVENT, CLEAR_EVENT, TRADE_EVENT = int(EventKind.BOOK_DELTA), int(EventKind.BOOK_CLEAR), int(EventKind.TRADE)
DEPTH_FRAME, SNAPSHOT_FRAME, TRADE_FRAME = int(FrameKind.DEPTH), int(FrameKind.SNAPSHOT), int(FrameKind.TRADE)


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
            start, stop, at = scan_string(text, at)
            word = name(text, start, stop)
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
            start, stop, at = scan_string(text, at)
            row = find_symbol(text, start, stop, 0, symbols)
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
            n, at = read_levels(text, at, out.events, n, 1 if bit == 1 else -1, flags, units)
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


def read_levels(text: Any, at: int, events: Any, n: int, side: int, flags: int, units: Any) -> tuple[int, int]:
    """``[["30249.4","0","0","0"],...]`` to events from place ``n``: (next place, position), a code in either."""
    instrument, price_decimals, quantity_decimals = units[INSTRUMENT], units[PRICE_DECIMALS], units[QUANTITY_DECIMALS]
    more, at = first_item(text, at, OPEN_ARRAY, CLOSE_ARRAY)
    while more:
        at = expect(text, at, OPEN_ARRAY)
        price, at = scan_quoted_decimal(text, at, price_decimals)
        at = expect(text, at, COMMA)
        quantity, at = scan_quoted_decimal(text, at, quantity_decimals)
        another, at = next_item(text, at, CLOSE_ARRAY)
        while another:
            at = skip_plain(text, at)
            another, at = next_item(text, at, CLOSE_ARRAY)
        if at < 0:
            return n, at
        n = put_event(events, n, 0, DELTA_EVENT, side, price, quantity, instrument, flags, 0)
        more, at = next_item(text, at, CLOSE_ARRAY)
    return n, at


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
            start, stop, at = scan_string(text, at)
            word = name(text, start, stop)
            if at >= 0 and word != WORD_BUY and word != WORD_SELL:
                return n, SHAPE
            side = 1 if word == WORD_BUY else -1
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
