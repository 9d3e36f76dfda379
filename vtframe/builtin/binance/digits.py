"""Venue's digits to fixed point, exactly: no number passes through a float, and digits that do not fit are refused."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import DecodeError, fixed

_DIGITS = 18  # that always fit int64
_TEN_TO: list[int] = [10**power for power in range(_DIGITS + 1)]
_DELETE = b'[]". '
_NO_LEVELS: NDArray[np.int64] = np.zeros((0, 2), np.int64)
_FIRST_LEVEL = re.compile(rb'\s*\[\s*\[\s*"\d+(?:\.(\d+))?"\s*,\s*"\d+(?:\.(\d+))?"')
_PAIRS = msgspec.json.Decoder(list[tuple[str, str]])


class LevelDecoder:
    """Reads the price levels of one instrument: ``[["61773.6","1001"],...]`` to (price, quantity) in fixed point.

    Where all numbers of a side are written with the decimals of its first, as Binance does, they are read in bulk; a
    regular expression proves it first. Anything else is read one by one. Both give the same numbers.
    """

    __slots__ = ("_pattern", "_price_scale", "_quantity_scale", "_written", "price_decimals", "quantity_decimals")

    def __init__(self, price_decimals: int, quantity_decimals: int) -> None:
        self.price_decimals = price_decimals
        self.quantity_decimals = quantity_decimals
        self._expect(price_decimals, quantity_decimals)

    def read(self, side: msgspec.Raw) -> NDArray[np.int64]:
        """Levels in the order sent, shape (n, 2). Raises DecodeError."""
        text = bytes(side)
        if text == b"[]":
            return _NO_LEVELS
        if not self._pattern.fullmatch(text):
            first = _FIRST_LEVEL.match(text)
            written = (len(first[1] or b""), len(first[2] or b"")) if first else None
            if written is None or written == self._written or max(written) >= _DIGITS:
                return self._one_by_one(text)
            self._expect(*written)
            if not self._pattern.fullmatch(text):
                return self._one_by_one(text)
        levels = np.fromstring(text.translate(None, _DELETE), np.int64, sep=",").reshape(-1, 2)
        for column, scale in enumerate((self._price_scale, self._quantity_scale)):
            if scale > 1:
                scaled, rest = np.divmod(levels[:, column], scale)
                if rest.any():
                    return self._one_by_one(text)  # which says which one
                levels[:, column] = scaled
            elif scale < 0:
                levels[:, column] *= -scale
        return levels

    def _expect(self, price_written: int, quantity_written: int) -> None:
        """Prepare for numbers written with so many decimals. A scale above 1 divides, one below 0 multiplies."""
        self._written = (price_written, quantity_written)
        self._pattern = _pattern(
            price_written,
            quantity_written,
            max(price_written, self.price_decimals),
            max(quantity_written, self.quantity_decimals),
        )
        self._price_scale = _scale(price_written - self.price_decimals)
        self._quantity_scale = _scale(quantity_written - self.quantity_decimals)

    def _one_by_one(self, text: bytes) -> NDArray[np.int64]:
        try:
            pairs = _PAIRS.decode(text)
        except msgspec.DecodeError as e:
            raise DecodeError(f"levels: {e}") from None
        if not pairs:
            return _NO_LEVELS
        return np.array([(fixed(p, self.price_decimals), fixed(q, self.quantity_decimals)) for p, q in pairs], np.int64)


def _scale(surplus: int) -> int:
    return _TEN_TO[surplus] if surplus >= 0 else -_TEN_TO[-surplus]


@lru_cache(maxsize=256)
def _pattern(price_written: int, quantity_written: int, price_kept: int, quantity_kept: int) -> re.Pattern[bytes]:
    """A side whose numbers all have just so many decimals, and no more digits than int64 holds once they are scaled."""

    def number(written: int, kept: int) -> str:
        whole = rf"[0-9]{{1,{max(1, _DIGITS - kept)}}}"
        return rf"{whole}\.[0-9]{{{written}}}" if written else whole

    level = rf'\["{number(price_written, price_kept)}", ?"{number(quantity_written, quantity_kept)}"\]'
    return re.compile(rf"\[{level}(?:, ?{level})*\]".encode())
