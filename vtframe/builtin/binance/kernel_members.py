"""What the kernel knows of Binance's messages: names, types, limits; and the members that no record holds."""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import OWN, SHAPE, VALUES, literal, packed, skip_value
from vtframe.domain import EventFlag, EventKind, FrameKind

NAMES = ("depthUpdate", "trade", "aggTrade", "bookTicker", "snapshot", "snapshot of an unknown instrument")
DEPTH, TRADE, AGGREGATE, TICKER, SNAPSHOT, STRAY_SNAPSHOT = range(len(NAMES))
"""What ``read`` answers: the place of the type's name."""

OTHER = OWN  # not a message that is read here: the reference says what it is
REPEATED, MISSING, ORDER, RANGE = OWN - 1, OWN - 2, OWN - 3, OWN - 4
OWN_REASONS = {
    OTHER: "another first member",
    REPEATED: "a member twice",
    MISSING: "a member missing",
    ORDER: "members in another order",
    RANGE: "a number out of range",
}

SPOT, FUTURES = 0, 1  # groups of symbols: a message tells which of the two it is of
INSTRUMENT, PRICE_DECIMALS, QUANTITY_DECIMALS, USDM = VALUES, VALUES + 1, VALUES + 2, VALUES + 3  # columns of symbols
TRADES, DOUBTFUL, SEEN = 0, 1, 2  # in cells; from SEEN on, two for each instrument: ids of the diffs seen, UNSEEN before
UNSEEN = -2
ABSENT = -1  # no time, no previous id, no text

HEAD = literal(b'{"stream":"')
DATA = packed(b"data")
STREAM = packed(b"stream")
DEPTH_UPDATE = literal(b"depthUpdate")
BOOK_TICKER = literal(b"bookTicker")
LAST_UPDATE_ID = literal(b"lastUpdateId")
TRADE_NAME, AGGREGATE_NAME = packed(b"trade"), packed(b"aggTrade")
MARKET = packed(b"MARKET")
KEY_e, KEY_E, KEY_T, KEY_s = packed(b"e"), packed(b"E"), packed(b"T"), packed(b"s")
KEY_U, KEY_u, KEY_pu = packed(b"U"), packed(b"u"), packed(b"pu")
KEY_b, KEY_B, KEY_a, KEY_A = packed(b"b"), packed(b"B"), packed(b"a"), packed(b"A")
KEY_p, KEY_q, KEY_m, KEY_M, KEY_X = packed(b"p"), packed(b"q"), packed(b"m"), packed(b"M"), packed(b"X")
KEY_BIDS, KEY_ASKS, KEY_SYMBOL = packed(b"bids"), packed(b"asks"), packed(b"symbol")

MS = 1_000_000  # nanoseconds in the venue's unit
LATEST_MS = 9_000_000_000_000  # fits int64 in nanoseconds
AT_SIGN, LETTER_d, LETTER_r = 64, 100, 114
ONE, TWO, FIVE = 49, 50, 53

NON_MARKET = int(EventFlag.NON_MARKET)
SNAPSHOT_FLAG = int(EventFlag.SNAPSHOT)
DELTA_EVENT, CLEAR_EVENT = int(EventKind.BOOK_DELTA), int(EventKind.BOOK_CLEAR)
TRADE_EVENT, QUOTE_EVENT = int(EventKind.TRADE), int(EventKind.QUOTE)
DEPTH_FRAME, SNAPSHOT_FRAME = int(FrameKind.DEPTH), int(FrameKind.SNAPSHOT)
TRADE_FRAME, QUOTE_FRAME = int(FrameKind.TRADE), int(FrameKind.QUOTE)


def skip_other(text: Any, at: int, key: int) -> int:
    """Position after a member that no record holds. One that would make this another message is left to the reference."""
    if key == STREAM or key == DATA or key == KEY_e:
        return SHAPE
    return skip_value(text, at)


def checked_time(time: int, at: int) -> int:
    """The position, or RANGE for a time that does not fit int64 in nanoseconds."""
    return at if 0 <= time <= LATEST_MS else RANGE


def checked_id(update_id: int, at: int) -> int:
    return at if at < 0 or update_id >= 0 else RANGE
