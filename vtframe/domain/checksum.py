"""How a venue's checksum of a book is made. The rule is data, so that another venue's needs no code of ours."""

from __future__ import annotations

import msgspec


class ChecksumRule(msgspec.Struct, frozen=True, kw_only=True):
    """CRC32 (zlib's) over the ASCII text of the best ``levels`` of each side, best first; missing levels are left out.

    Each level is its price, then its quantity. Numbers are written from fixed point with the instrument's decimals, so these
    must be the decimals that the venue writes, unless ``shortest`` says that it writes no zeros at the end.
    """

    levels: int  # a side, 1 to 255
    interleaved: bool = False  # best bid, best ask, second bid, ...; else all asks, then all bids
    separator: str = ""  # one ASCII character between any two numbers, or none
    point: bool = False  # the decimal point is written; else the digits only, without zeros in front
    shortest: bool = False  # no zeros at the end of a fraction, no point without one

    def __post_init__(self) -> None:
        if not 1 <= self.levels <= 255:
            raise ValueError(f"levels must be in 1..255, found {self.levels}")
        if len(self.separator) > 1 or not self.separator.isascii():
            raise ValueError(f"separator must be one ASCII character or empty, found {self.separator!r}")
        if self.shortest and not self.point:
            raise ValueError("shortest needs point: without the point, zeros at the end are part of the number")
