"""Which instrument a symbol in a message is: a small hash table of the session's symbols, as one array of integers.

Plain Python that is compiled with the codec that uses it; the table is made once, by ``symbol_table``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.wire.scan.codes import SPARE
from vtframe.wire.scan.words import Text, load

WORDS = 4  # of eight bytes each
LONGEST = 8 * WORDS  # bytes of a symbol
SPREAD = 0x7F4A7C15  # odd, so that every bit of a symbol moves others
GROUP, LENGTH, FIRST_WORD = 0, 1, 2
VALUES = FIRST_WORD + WORDS  # columns from here on are the codec's, and begin with these three
INSTRUMENT, PRICE_DECIMALS, QUANTITY_DECIMALS = VALUES, VALUES + 1, VALUES + 2


def symbol_table(symbols: Mapping[tuple[int, str], tuple[int, ...]]) -> NDArray[np.int64]:
    """A table for ``find_symbol``: for each (group, symbol) a tuple of integers, found again in columns ``VALUES`` and on.

    A group separates equal symbols of different markets. Raises ValueError for a symbol that is empty or longer than
    ``LONGEST`` bytes.
    """
    entries = {(group, symbol.encode()): values for (group, symbol), values in symbols.items()}
    width = max((len(value) for value in entries.values()), default=0)
    rows = 4
    while rows < 2 * len(entries) + 1:  # at least half of them stay empty, so that every search ends
        rows *= 2
    table = np.zeros((rows, VALUES + width), np.int64)
    for (group, symbol), value in entries.items():
        if not 0 < len(symbol) <= LONGEST:
            raise ValueError(f"a symbol has 1 to {LONGEST} bytes, found {symbol!r}")
        text = np.frombuffer(symbol + bytes(SPARE), np.uint8)
        at = slot(text, 0, len(symbol), group, rows)
        while table[at, LENGTH]:
            at = (at + 1) & (rows - 1)
        table[at, GROUP], table[at, LENGTH] = group, len(symbol)
        for word in range(WORDS):
            table[at, FIRST_WORD + word] = word_at(text, word * 8, len(symbol))
        table[at, VALUES : VALUES + len(value)] = value
    return table


def word_at(text: Text, at: int, stop: int) -> int:
    """Up to eight bytes from ``at``, zeros from ``stop`` on."""
    count = stop - at
    if count <= 0:
        return 0
    word: int = load(text, at)
    return word if count >= 8 else word & ((1 << (8 * count)) - 1)


def slot(text: Text, start: int, stop: int, group: int, rows: int) -> int:
    """Where the search for a symbol begins."""
    mixed = word_at(text, start, stop) ^ (word_at(text, start + 8, stop) >> 3) ^ (stop - start) ^ (group << 7)
    mixed = mixed ^ (mixed >> 29)
    mixed = (mixed & 0xFFFFFFFF) * SPREAD
    return (mixed >> 16) & (rows - 1)


def find_symbol(text: Text, start: int, stop: int, group: int, table: Any) -> int:
    """Row of the symbol between two positions, in that group; -1 where the table has none."""
    length = stop - start
    if start < 0 or length <= 0 or length > LONGEST or stop > len(text) - SPARE:
        return -1
    rows = len(table)
    at = slot(text, start, stop, group, rows)
    while table[at, LENGTH] != 0:
        if table[at, LENGTH] == length and table[at, GROUP] == group:
            word = 0
            while word * 8 < length and table[at, FIRST_WORD + word] == word_at(text, start + word * 8, stop):
                word += 1
            if word * 8 >= length:
                return at
        at = (at + 1) & (rows - 1)
    return -1
