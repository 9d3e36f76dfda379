"""Every primitive behind one compiled entry: what is compiled is compared with the plain Python that it came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtframe.api import scan
from vtframe.api.scan import (
    SPARE,
    expect,
    find_symbol,
    finish,
    first_item,
    literal,
    name,
    next_item,
    peek,
    same,
    scan_bool,
    scan_decimal,
    scan_digits,
    scan_instant,
    scan_int,
    scan_key,
    scan_quoted_decimal,
    scan_string,
    skip_space,
    skip_value,
)
from vtframe.domain import Records

WANTED = literal(b"lastUpdateId")
NAMES = (
    "peek",
    "skip_space",
    "expect",
    "finish",
    "scan_string",
    "scan_key",
    "name",
    "same",
    "next_item",
    "first_item",
    "scan_digits",
    "scan_decimal",
    "scan_quoted_decimal",
    "scan_int",
    "scan_bool",
    "skip_value",
    "find_symbol",
    "scan_instant",
)


def lab(text: Any, out: Any, symbols: Any, cells: Any) -> int:
    """Call primitive ``cells[0]`` with the arguments in ``cells[1:4]``; its answers go to ``cells[4:7]``."""
    which, at, first, second = cells[0], cells[1], cells[2], cells[3]
    a, b, c = 0, 0, 0
    if which == 0:
        a = peek(text, at)
    elif which == 1:
        a = skip_space(text, at)
    elif which == 2:
        a = expect(text, at, first)
    elif which == 3:
        a = finish(text, at)
    elif which == 4:
        a, b, c = scan_string(text, at)
    elif which == 5:
        a, b, c = scan_key(text, at)
    elif which == 6:
        a = name(text, at, first)
    elif which == 7:
        a = int(same(text, at, first, WANTED))
    elif which == 8:
        more, b = next_item(text, at, first)
        a = int(more)
    elif which == 9:
        more, b = first_item(text, at, first, second)
        a = int(more)
    elif which == 10:
        a, b, c = scan_digits(text, at, first)
    elif which == 11:
        a, b = scan_decimal(text, at, first)
    elif which == 12:
        a, b = scan_quoted_decimal(text, at, first)
    elif which == 13:
        a, b = scan_int(text, at)
    elif which == 14:
        value, b = scan_bool(text, at)
        a = int(value)
    elif which == 15:
        a = skip_value(text, at)
    elif which == 16:
        a = find_symbol(text, at, first, second, symbols)
    elif which == 17:
        a, b = scan_instant(text, at)
    cells[4], cells[5], cells[6] = a, b, c
    return 0


class Lab:
    """Calls primitives compiled and plain, over the same bytes."""

    def __init__(self, symbols: dict[tuple[int, str], tuple[int, ...]] | None = None) -> None:
        self.symbols = scan.symbol_table(symbols or {})
        self.cells = np.zeros(7, np.int64)
        self.scanner = scan.Scanner("lab", lab, symbols=self.symbols, cells=self.cells)
        self.records = Records()

    def compiled(self, which: str, data: bytes, *arguments: int, behind: int = 0) -> tuple[int, int, int]:
        """The primitive's answers, with ``behind`` everywhere in the buffer behind the message."""
        self.scanner.fill(behind)
        self.cells[:] = 0
        self.cells[0] = NAMES.index(which)
        self.cells[1 : 1 + len(arguments)] = arguments
        assert self.scanner.scan(data, self.records) == 0
        return tuple(self.cells[4:7].tolist())

    def plain(self, which: str, data: bytes, *arguments: int) -> tuple[int, int, int]:
        """The same by the function as it stands, which Python runs."""
        text = np.frombuffer(data + bytes(SPARE), np.uint8)
        cells = np.zeros(7, np.int64)
        cells[0] = NAMES.index(which)
        cells[1 : 1 + len(arguments)] = arguments
        with np.errstate(over="ignore"):  # compiled integers wrap silently
            assert lab(text, None, self.symbols, cells) == 0
        return tuple(cells[4:7].tolist())

    def both(self, which: str, data: bytes, *arguments: int) -> tuple[int, int, int]:
        """Compiled, after comparing: with plain Python, and with other bytes behind the message."""
        answer = self.compiled(which, data, *arguments)
        assert answer == self.plain(which, data, *arguments)
        for behind in b'9" \xff':
            assert self.compiled(which, data, *arguments, behind=behind) == answer
        return answer
