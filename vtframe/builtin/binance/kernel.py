"""Reads Binance's market messages from their bytes: what it takes in gives the same records as the reference codec.

Plain Python that is compiled when a codec is opened. Anything that is not as the venue writes it (members in another order,
text with escapes, numbers with exponents, a member given twice) is answered with a code, and the reference reads it.
"""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLOSE_OBJECT,
    COMMA,
    N_FRAMES,
    OPEN_OBJECT,
    ORDER,
    OTHER,
    Output,
    expect,
    finish,
    first_item,
    name,
    peek,
    same,
    scan_id,
    scan_key,
    scan_string,
)
from vtframe.builtin.binance.kernel_books import note_seen, read_depth, read_snapshot
from vtframe.builtin.binance.kernel_members import (
    ABSENT,
    AGGREGATE_NAME,
    AT_SIGN,
    BOOK_TICKER,
    DATA,
    DEPTH,
    DEPTH_UPDATE,
    DOUBTFUL,
    FIVE,
    HEAD,
    LAST_UPDATE_ID,
    ONE,
    SNAPSHOT_SUFFIX,
    TRADE_NAME,
    TWO,
    KEY_e,
    KEY_u,
    LETTER_d,
    LETTER_r,
)
from vtframe.builtin.binance.kernel_trades import read_ticker, read_trade


def read(text: Any, out: Output, symbols: Any, cells: Any) -> int:
    """One message, bare or of a combined stream."""
    if same(text, 0, len(HEAD), HEAD):
        start, stop, at = scan_string(text, len(HEAD) - 1)
        if is_partial(text, start, stop):
            return OTHER
        symbol_stop = snapshot_of(text, start, stop)
        at = expect(text, at, COMMA)
        key, key_stop, at = scan_key(text, at)
        if at >= 0 and name(text, key, key_stop) != DATA:
            return ORDER
        kind, at = read_message(text, at, out, symbols, cells, start, symbol_stop)
        at = expect(text, at, CLOSE_OBJECT)
    else:
        kind, at = read_message(text, 0, out, symbols, cells, ABSENT, ABSENT)
    code = finish(text, at)
    if code < 0:
        return code
    if kind == DEPTH and cells[DOUBTFUL] and out.counts[N_FRAMES] > 0:
        note_seen(out, cells)
    return kind


def is_partial(text: Any, start: int, stop: int) -> bool:
    """Whether a stream may be one of partial depth (``@depth5``, ``@depth10``, ``@depth20``, ``@rpiDepth``)."""
    at = start
    while 0 <= at < stop and text[at] != AT_SIGN:
        at += 1
    first = peek(text, at + 1)
    if first == LETTER_r:
        return True
    digit = peek(text, at + 6)
    return first == LETTER_d and (digit == FIVE or digit == ONE or digit == TWO)


def snapshot_of(text: Any, start: int, stop: int) -> int:
    """Where the symbol ends in ``btcusdt@depthSnapshot``, the name that a feed gives to a REST answer; ABSENT in any other."""
    at = stop - len(SNAPSHOT_SUFFIX)
    return at if at > start and same(text, at, stop, SNAPSHOT_SUFFIX) else ABSENT


def read_message(text: Any, at: int, out: Output, symbols: Any, cells: Any, symbol: int, symbol_stop: int) -> tuple[int, int]:
    """The message proper at ``at``: (type, position after it) or (code, code). Its first member tells the type.

    A snapshot's envelope names its symbol, in small letters, from ``symbol`` to ``symbol_stop`` (ABSENT where there is none).
    """
    more, at = first_item(text, at, OPEN_OBJECT, CLOSE_OBJECT)
    if at < 0:
        return at, at
    if not more:
        return OTHER, OTHER
    start, stop, at = scan_key(text, at)
    key = name(text, start, stop)
    if key == KEY_e:
        start, stop, at = scan_string(text, at)
        if same(text, start, stop, DEPTH_UPDATE):
            return read_depth(text, at, out, symbols)
        if same(text, start, stop, BOOK_TICKER):
            return read_ticker(text, at, out, symbols, ABSENT, True)
        kind = name(text, start, stop)
        if kind == TRADE_NAME:
            return read_trade(text, at, out, symbols, cells, False)
        if kind == AGGREGATE_NAME:
            return read_trade(text, at, out, symbols, cells, True)
    elif key == KEY_u:
        update_id, at = scan_id(text, at)
        return read_ticker(text, at, out, symbols, update_id, False)
    elif same(text, start, stop, LAST_UPDATE_ID):
        return read_snapshot(text, at, out, symbols, cells, symbol, symbol_stop)
    if at < 0:
        return at, at
    return OTHER, OTHER
