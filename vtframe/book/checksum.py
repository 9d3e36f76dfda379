"""The checksum of a book's best levels, made where the book is kept: no text is built, each digit goes straight into the CRC.

Plain Python that is compiled when a pipeline is built. ``meta[CHECK]`` is a ``domain.ChecksumRule`` as one number; 0 is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vtframe.book import meta as m
from vtframe.book.levels import after_level, level_at
from vtframe.domain import ChecksumRule

_POLYNOMIAL = 0xEDB88320  # CRC-32 of ISO 3309, reflected: zlib's
INTERLEAVED, POINT, SHORTEST = 1 << 8, 1 << 9, 1 << 10
_SEPARATOR = 16  # place of the separator's character code

U64 = np.uint64  # mixed with a signed integer it would become a float
START = 0xFFFFFFFF


def _table() -> Any:
    """What one byte does to a CRC."""
    value = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        value = np.where(value & 1, (value >> 1) ^ np.uint32(_POLYNOMIAL), value >> 1).astype(np.uint32)
    return value


TABLE = _table()


def code_of(rule: ChecksumRule | None) -> int:
    """The rule as ``meta[CHECK]`` holds it."""
    if rule is None:
        return 0
    code = rule.levels | (ord(rule.separator) << _SEPARATOR if rule.separator else 0)
    return code | (rule.interleaved and INTERLEAVED) | (rule.point and POINT) | (rule.shortest and SHORTEST)


def verified(sent: int, touched: Any, near: Any, far: Any, meta: Any) -> bool:
    """Whether the book has the checksum that its venue sent, where it sent one (0 or more). ``touched``: one of the best levels
    has changed; else the checksum is the one before."""
    if meta[m.CHECK] == 0:
        return True
    if touched:
        meta[m.CHECKSUM] = -1
    if sent < 0:
        return True
    if meta[m.CHECKSUM] < 0:
        meta[m.CHECKSUM] = checksum(near, far, meta)
    if meta[m.CHECKSUM] != sent:
        meta[m.MISMATCHES] += 1
        return False
    meta[m.VERIFIED] += 1
    return True


def checksum(near: Any, far: Any, meta: Any) -> int:
    """CRC32 of the best levels, by the rule in ``meta[CHECK]``, which is not 0."""
    rule = meta[m.CHECK]
    levels = rule & 255
    crc = U64(START)
    bid, ask = meta[m.BEST], meta[m.BEST + 1]
    far_bid, far_ask = meta[m.FAR] - 1, meta[m.FAR + 1] - 1
    if rule & INTERLEAVED:
        for k in range(levels):
            if k < meta[m.N_BIDS]:
                crc, bid, far_bid = feed_level(crc, near, far, meta, 0, bid, far_bid, rule, k == 0)
            if k < meta[m.N_ASKS]:
                crc, ask, far_ask = feed_level(crc, near, far, meta, 1, ask, far_ask, rule, k == 0 and meta[m.N_BIDS] == 0)
    else:
        for k in range(min(levels, meta[m.N_ASKS])):
            crc, ask, far_ask = feed_level(crc, near, far, meta, 1, ask, far_ask, rule, k == 0)
        for k in range(min(levels, meta[m.N_BIDS])):
            crc, bid, far_bid = feed_level(crc, near, far, meta, 0, bid, far_bid, rule, k == 0 and meta[m.N_ASKS] == 0)
    return int(crc ^ U64(START))


def feed_level(
    crc: Any, near: Any, far: Any, meta: Any, side: int, key: int, place: int, rule: int, first: Any
) -> tuple[Any, int, int]:
    """Price and quantity of one level, each after a separator, where there is one; ``first``: nothing stands before it.

    The level is the better of the two that ``levels.is_near`` takes; returned with the crc are those after it."""
    price, quantity = level_at(near, far, meta, side, key, place)
    key, place = after_level(near, far, meta, side, key, place)
    separator = rule >> _SEPARATOR
    if separator and not first:
        crc = feed_byte(crc, U64(separator))
    crc = feed_number(crc, price, meta[m.PRICE_DECIMALS], rule)
    if separator:
        crc = feed_byte(crc, U64(separator))
    return feed_number(crc, quantity, meta[m.QUANTITY_DECIMALS], rule), key, place


def feed_number(crc: Any, value: int, decimals: int, rule: int) -> Any:
    """The digits of a fixed-point number that is not negative."""
    rest = U64(value)
    fraction = decimals if rule & POINT else 0
    if rule & SHORTEST:
        while fraction > 0 and rest % U64(10) == U64(0):
            rest //= U64(10)
            fraction -= 1
    low = high = U64(0)  # the digits, four bits each, the last one lowest: 16 in low, the others in high
    count = 0
    while rest > U64(0) or count <= fraction:
        digit = rest % U64(10)
        rest //= U64(10)
        if count < 16:
            low |= digit << U64(4 * count)
        else:
            high |= digit << U64(4 * count - 64)
        count += 1
    for k in range(count - 1, -1, -1):
        if k == fraction - 1:
            crc = feed_byte(crc, U64(46))
        digit = (low >> U64(4 * k)) if k < 16 else (high >> U64(4 * k - 64))
        crc = feed_byte(crc, U64(48) + (digit & U64(15)))
    return crc


def feed_byte(crc: Any, byte: Any) -> Any:
    return U64(TABLE[(crc ^ byte) & U64(255)]) ^ (crc >> U64(8))
