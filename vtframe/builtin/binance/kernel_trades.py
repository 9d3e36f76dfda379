"""Trades and best prices from their bytes. Plain Python that is compiled with the codec."""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLOSE_OBJECT,
    INSTRUMENT,
    MISSING,
    MS,
    N_EVENTS,
    NON_MARKET,
    OTHER,
    QUOTE_EVENT,
    QUOTE_FRAME,
    REPEATED,
    TRADE_EVENT,
    TRADE_FRAME,
    Output,
    find_symbol,
    name,
    next_item,
    put_frame,
    put_quoted,
    same,
    scan_bool,
    scan_id,
    scan_key,
    scan_millis,
    scan_string,
    scan_word,
    skip_plain,
)
from vtframe.builtin.binance.kernel_members import (
    ABSENT,
    AGGREGATE,
    BOOK_TICKER,
    FUTURES,
    KEY_A,
    KEY_B,
    KEY_E,
    KEY_M,
    KEY_T,
    KEY_X,
    LAST_UPDATE_ID,
    MARKET,
    SPOT,
    TICKER,
    TRADE,
    TRADES,
    KEY_a,
    KEY_b,
    KEY_e,
    KEY_m,
    KEY_p,
    KEY_q,
    KEY_s,
    KEY_u,
    skip_other,
)


def read_trade(text: Any, at: int, out: Output, symbols: Any, cells: Any, aggregate: bool) -> tuple[int, int]:
    """A trade of either stream, from behind its type. Numbers are read at its end: its last members tell the market."""
    kind = AGGREGATE if aggregate else TRADE
    time, symbol, symbol_stop, price_at, quantity_at = ABSENT, ABSENT, ABSENT, ABSENT, ABSENT
    maker_bought = False
    flags = 0
    found = 0
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_s:
            bit = 1
            symbol, symbol_stop, at = scan_string(text, at)
        elif key == KEY_p:
            bit = 2
            price_at = at
            at = skip_plain(text, at)
        elif key == KEY_q:
            bit = 4
            quantity_at = at
            at = skip_plain(text, at)
        elif key == KEY_T:
            bit = 8
            time, at = scan_millis(text, at)
        elif key == KEY_m:
            bit = 16
            maker_bought, at = scan_bool(text, at)
        elif key == KEY_M:
            bit = 32
            _, at = scan_bool(text, at)
        elif key == KEY_X and not aggregate:
            bit = 64
            word, at = scan_word(text, at)
            flags = 0 if word == MARKET else NON_MARKET
        else:
            at = skip_other(text, at, key)
        if found & bit:
            return REPEATED, REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return at, at
    if found & 31 != 31:
        return MISSING, MISSING
    if cells[TRADES] != kind:
        return kind, at
    spot = found & 32 != 0 if aggregate else found & 64 == 0
    row = find_symbol(text, symbol, symbol_stop, SPOT if spot else FUTURES, symbols)
    if row < 0:
        return kind, at
    n, side = out.counts[N_EVENTS], -1 if maker_bought else 1
    n = put_quoted(text, price_at, quantity_at, out.events, n, time * MS, TRADE_EVENT, side, symbols[row], flags)
    code = put_frame(out, n, TRADE_FRAME, symbols[row, INSTRUMENT], -1, -1, -1, -1)
    return (kind, at) if code == 0 else (code, code)


def read_ticker(text: Any, at: int, out: Output, symbols: Any, update_id: int, typed: bool) -> tuple[int, int]:
    """Best bid and ask, from behind the first member: ``e``, or (spot, COIN-M) ``u``."""
    time, engine_time, symbol, symbol_stop = ABSENT, ABSENT, ABSENT, ABSENT
    bid_at, bid_quantity_at, ask_at, ask_quantity_at = ABSENT, ABSENT, ABSENT, ABSENT
    found = 64 if typed else 2
    more, at = next_item(text, at, CLOSE_OBJECT)
    while more:
        start, stop, at = scan_key(text, at)
        key = name(text, start, stop)
        bit = 0
        if key == KEY_s:
            bit = 1
            symbol, symbol_stop, at = scan_string(text, at)
        elif key == KEY_u:
            bit = 2
            update_id, at = scan_id(text, at)
        elif key == KEY_b:
            bit = 4
            bid_at = at
            at = skip_plain(text, at)
        elif key == KEY_B:
            bit = 8
            bid_quantity_at = at
            at = skip_plain(text, at)
        elif key == KEY_a:
            bit = 16
            ask_at = at
            at = skip_plain(text, at)
        elif key == KEY_A:
            bit = 32
            ask_quantity_at = at
            at = skip_plain(text, at)
        elif key == KEY_e:
            bit = 64
            start, stop, at = scan_string(text, at)
            if at >= 0 and not same(text, start, stop, BOOK_TICKER):
                return OTHER, OTHER
        elif key == KEY_T:
            bit = 128
            engine_time, at = scan_millis(text, at)
        elif key == KEY_E:
            bit = 256
            time, at = scan_millis(text, at)
        elif same(text, start, stop, LAST_UPDATE_ID):
            return OTHER, OTHER
        else:
            at = skip_other(text, at, key)
        if found & bit:
            return REPEATED, REPEATED
        found |= bit
        more, at = next_item(text, at, CLOSE_OBJECT)
    if at < 0:
        return at, at
    if found & 63 != 63:
        return MISSING, MISSING
    row = find_symbol(text, symbol, symbol_stop, FUTURES if found & 64 else SPOT, symbols)
    if row < 0:
        return TICKER, at
    ts_event = max(engine_time if engine_time >= 0 else time, 0) * MS
    n = out.counts[N_EVENTS]
    n = put_quoted(text, bid_at, bid_quantity_at, out.events, n, ts_event, QUOTE_EVENT, 1, symbols[row], 0)
    n = put_quoted(text, ask_at, ask_quantity_at, out.events, n, ts_event, QUOTE_EVENT, -1, symbols[row], 0)
    code = put_frame(out, n, QUOTE_FRAME, symbols[row, INSTRUMENT], -1, update_id, -1, -1)
    return (TICKER, at) if code == 0 else (code, code)
