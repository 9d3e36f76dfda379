"""Trades and best prices from their bytes. Plain Python that is compiled with the codec."""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    CLOSE_OBJECT,
    N_EVENTS,
    SHAPE,
    Output,
    find_symbol,
    name,
    next_item,
    put_event,
    put_frame,
    same,
    scan_bool,
    scan_decimal,
    scan_int,
    scan_key,
    scan_string,
)
from vtframe.builtin.binance.kernel_members import (
    ABSENT,
    AGGREGATE,
    BOOK_TICKER,
    FUTURES,
    INSTRUMENT,
    KEY_A,
    KEY_B,
    KEY_E,
    KEY_M,
    KEY_T,
    KEY_X,
    LAST_UPDATE_ID,
    MARKET,
    MISSING,
    MS,
    NON_MARKET,
    OTHER,
    PRICE_DECIMALS,
    QUANTITY_DECIMALS,
    QUOTE_EVENT,
    QUOTE_FRAME,
    REPEATED,
    SPOT,
    TICKER,
    TRADE,
    TRADE_EVENT,
    TRADE_FRAME,
    TRADES,
    KEY_a,
    KEY_b,
    KEY_e,
    KEY_m,
    KEY_p,
    KEY_q,
    KEY_s,
    KEY_u,
    checked_id,
    checked_time,
    skip_other,
)


def read_trade(text: Any, at: int, out: Output, symbols: Any, cells: Any, aggregate: bool) -> tuple[int, int]:
    """A trade of either stream, from behind its type. Numbers are read at its end: its last members tell the market."""
    kind = AGGREGATE if aggregate else TRADE
    time = ABSENT
    symbol, symbol_stop, price_at, price_stop, quantity_at, quantity_stop = ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, ABSENT
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
            price_at, price_stop, at = scan_string(text, at)
        elif key == KEY_q:
            bit = 4
            quantity_at, quantity_stop, at = scan_string(text, at)
        elif key == KEY_T:
            bit = 8
            time, at = scan_int(text, at)
            at = checked_time(time, at)
        elif key == KEY_m:
            bit = 16
            maker_bought, at = scan_bool(text, at)
        elif key == KEY_M:
            bit = 32
            _, at = scan_bool(text, at)
        elif key == KEY_X and not aggregate:
            bit = 64
            start, stop, at = scan_string(text, at)
            flags = 0 if name(text, start, stop) == MARKET else NON_MARKET
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
    price, end = scan_decimal(text, price_at, symbols[row, PRICE_DECIMALS])
    quantity, quantity_end = scan_decimal(text, quantity_at, symbols[row, QUANTITY_DECIMALS])
    code = first_fault(end, price_stop, quantity_end, quantity_stop)
    if code < 0:
        return code, code
    instrument = symbols[row, INSTRUMENT]
    side = -1 if maker_bought else 1
    n = put_event(out.events, out.counts[N_EVENTS], time * MS, TRADE_EVENT, side, price, quantity, instrument, flags, 0)
    code = put_frame(out, n, TRADE_FRAME, instrument, -1, -1, -1, -1)
    return (kind, at) if code == 0 else (code, code)


def read_ticker(text: Any, at: int, out: Output, symbols: Any, update_id: int, typed: bool) -> tuple[int, int]:
    """Best bid and ask, from behind the first member: ``e``, or (spot, COIN-M) ``u``."""
    time, engine_time = ABSENT, ABSENT
    symbol, symbol_stop, bid_at, bid_stop, ask_at, ask_stop = ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, ABSENT
    bid_quantity_at, bid_quantity_stop, ask_quantity_at, ask_quantity_stop = ABSENT, ABSENT, ABSENT, ABSENT
    found = 64 if typed else 2
    at = at if typed else checked_id(update_id, at)
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
            update_id, at = scan_int(text, at)
            at = checked_id(update_id, at)
        elif key == KEY_b:
            bit = 4
            bid_at, bid_stop, at = scan_string(text, at)
        elif key == KEY_B:
            bit = 8
            bid_quantity_at, bid_quantity_stop, at = scan_string(text, at)
        elif key == KEY_a:
            bit = 16
            ask_at, ask_stop, at = scan_string(text, at)
        elif key == KEY_A:
            bit = 32
            ask_quantity_at, ask_quantity_stop, at = scan_string(text, at)
        elif key == KEY_e:
            bit = 64
            start, stop, at = scan_string(text, at)
            if at >= 0 and not same(text, start, stop, BOOK_TICKER):
                return OTHER, OTHER
        elif key == KEY_T:
            bit = 128
            engine_time, at = scan_int(text, at)
            at = checked_time(engine_time, at)
        elif key == KEY_E:
            bit = 256
            time, at = scan_int(text, at)
            at = checked_time(time, at)
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
    price_decimals, quantity_decimals = symbols[row, PRICE_DECIMALS], symbols[row, QUANTITY_DECIMALS]
    bid, bid_end = scan_decimal(text, bid_at, price_decimals)
    bid_quantity, bid_quantity_end = scan_decimal(text, bid_quantity_at, quantity_decimals)
    ask, ask_end = scan_decimal(text, ask_at, price_decimals)
    ask_quantity, ask_quantity_end = scan_decimal(text, ask_quantity_at, quantity_decimals)
    code = first_fault(bid_end, bid_stop, bid_quantity_end, bid_quantity_stop)
    if code == 0:
        code = first_fault(ask_end, ask_stop, ask_quantity_end, ask_quantity_stop)
    if code < 0:
        return code, code
    instrument = symbols[row, INSTRUMENT]
    ts_event = max(engine_time if engine_time >= 0 else time, 0) * MS
    n = out.counts[N_EVENTS]
    n = put_event(out.events, n, ts_event, QUOTE_EVENT, 1, bid, bid_quantity, instrument, 0, 0)
    n = put_event(out.events, n, ts_event, QUOTE_EVENT, -1, ask, ask_quantity, instrument, 0, 0)
    code = put_frame(out, n, QUOTE_FRAME, instrument, -1, update_id, -1, -1)
    return (TICKER, at) if code == 0 else (code, code)


def first_fault(first: int, first_stop: int, second: int, second_stop: int) -> int:
    """The code of two numbers that ought to end at their strings' ends; 0 where both do."""
    if first < 0:
        return first
    if second < 0:
        return second
    return 0 if first == first_stop and second == second_stop else SHAPE
