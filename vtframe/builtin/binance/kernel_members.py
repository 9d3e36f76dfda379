"""What the kernel knows of Binance's messages: names, types, limits; and the members that no record holds."""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    OTHER,
    REASONS,
    SHAPE,
    VALUES,
    literal,
    packed,
    skip_value,
)

NAMES = ("depthUpdate", "trade", "aggTrade", "bookTicker", "snapshot", "snapshot of an unknown instrument")
DEPTH, TRADE, AGGREGATE, TICKER, SNAPSHOT, STRAY_SNAPSHOT = range(len(NAMES))
"""What ``read`` answers: the place of the type's name."""

ALL_REASONS = {**REASONS, OTHER: "another first member"}

SPOT, FUTURES = 0, 1  # groups of symbols: a message tells which of the two it is of
SMALL = 2  # more: the groups of the same symbols in small letters, as streams are named
USDM = VALUES + 3  # a column of symbols, behind those that all have
TRADES, DOUBTFUL, SEEN = 0, 1, 2  # in cells; from SEEN on, two for each instrument: ids of the diffs seen, UNSEEN before
UNSEEN = -2
ABSENT = -1  # no time, no previous id, no text
STRANGER = -2  # no row: two names that differ

HEAD = literal(b'{"stream":"')
DATA = packed(b"data")
STREAM = packed(b"stream")
DEPTH_UPDATE = literal(b"depthUpdate")
BOOK_TICKER = literal(b"bookTicker")
LAST_UPDATE_ID = literal(b"lastUpdateId")
SNAPSHOT_SUFFIX = literal(b"@depthSnapshot")
TRADE_NAME, AGGREGATE_NAME = packed(b"trade"), packed(b"aggTrade")
MARKET = packed(b"MARKET")
KEY_e, KEY_E, KEY_T, KEY_s = packed(b"e"), packed(b"E"), packed(b"T"), packed(b"s")
KEY_U, KEY_u, KEY_pu = packed(b"U"), packed(b"u"), packed(b"pu")
KEY_b, KEY_B, KEY_a, KEY_A = packed(b"b"), packed(b"B"), packed(b"a"), packed(b"A")
KEY_p, KEY_q, KEY_m, KEY_M, KEY_X = packed(b"p"), packed(b"q"), packed(b"m"), packed(b"M"), packed(b"X")
KEY_BIDS, KEY_ASKS, KEY_SYMBOL = packed(b"bids"), packed(b"asks"), packed(b"symbol")

AT_SIGN, LETTER_d, LETTER_r = 64, 100, 114
ONE, TWO, FIVE = 49, 50, 53


def skip_other(text: Any, at: int, key: int) -> int:
    """Position after a member that no record holds. One that would make this another message is left to the reference."""
    if key == STREAM or key == DATA or key == KEY_e:
        return SHAPE
    return skip_value(text, at)
