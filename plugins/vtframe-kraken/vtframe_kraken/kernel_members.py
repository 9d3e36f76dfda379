"""What the kernel knows of Kraken's messages: names, types, limits. Plain Python that is compiled with the codec."""

from __future__ import annotations

from typing import Any

from vtframe.api.scan import (
    OWN,
    REASONS,
    literal,
    packed,
    peek,
)
from vtframe.domain import EventFlag

NAMES = ("book", "trade")
BOOK, TRADE = range(len(NAMES))
"""What ``read`` answers: the place of the channel's name."""

DIGITS = OWN
ALL_REASONS = {**REASONS, DIGITS: "other decimals than the pair's"}
ABSENT = -1

BOOK_10, BOOK_25, BOOK_100 = packed(b"book-10"), packed(b"book-25"), literal(b"book-100")
BOOK_500, BOOK_1000 = literal(b"book-500"), literal(b"book-1000")
WORD_TRADE, WORD_BOOK, WORD_UPDATE = packed(b"trade"), packed(b"book"), packed(b"update")
KEY_a, KEY_b, KEY_c, KEY_as, KEY_bs = packed(b"a"), packed(b"b"), packed(b"c"), packed(b"as"), packed(b"bs")
KEY_CHANNEL, KEY_TYPE, KEY_DATA = packed(b"channel"), packed(b"type"), packed(b"data")
KEY_METHOD, KEY_RESULT, KEY_EVENT = packed(b"method"), packed(b"result"), packed(b"event")
KEY_SYMBOL, KEY_BIDS, KEY_ASKS, KEY_CHECKSUM = packed(b"symbol"), packed(b"bids"), packed(b"asks"), packed(b"checksum")
KEY_TIMESTAMP = literal(b"timestamp")
KEY_PRICE, KEY_QUANTITY, KEY_SIDE = packed(b"price"), packed(b"qty"), packed(b"side")
WORD_b, WORD_s, WORD_BUY, WORD_SELL = packed(b"b"), packed(b"s"), packed(b"buy"), packed(b"sell")

US = 1_000  # nanoseconds in a microsecond
LATEST_US = 9_000_000_000_000_000  # fits int64 in nanoseconds
LARGEST = 2**32 - 1  # checksum
POINT, ZERO, NINE = 46, 48, 57
NO_FLAGS = int(EventFlag(0))


def has_decimals(text: Any, stop: int, decimals: int) -> bool:
    """Whether the plain number that ends before ``stop`` is written with so many decimals."""
    if decimals > 0:
        return peek(text, stop - 1 - decimals) == POINT
    at = stop - 1
    while ZERO <= peek(text, at) <= NINE:
        at -= 1
    return peek(text, at) != POINT


def is_number_start(text: Any, at: int) -> bool:
    """Whether a JSON number without a sign may begin here: a zero is followed by no digit."""
    return peek(text, at) != ZERO or not ZERO <= peek(text, at + 1) <= NINE
