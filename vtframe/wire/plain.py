"""Digits and times of a venue's messages in plain Python, exactly: what a reference codec reads with. No venue in it."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from vtframe.domain import to_fixed
from vtframe.errors import DecodeError

_SHORT = 18  # digits that always fit int64
_TEN_TO: list[int] = [10**power for power in range(_SHORT + 1)]
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|\+00:00)", re.ASCII
)
_EPOCH = date(1970, 1, 1).toordinal()
_LATEST = 9_223_372_036  # seconds; int64 holds no more nanoseconds


def fixed(text: str, decimals: int) -> int:
    """``text``, digits with at most one point among them, times ``10**decimals``.

    Raises DecodeError for a sign, an exponent, a space, more digits than ``decimals`` holds, or more than int64 holds.
    """
    whole, point, part = text.partition(".")
    digits = whole + part
    if whole and (part or not point) and digits.isdecimal() and digits.isascii():
        surplus = len(part) - decimals
        if surplus <= 0:
            if len(digits) - surplus <= _SHORT:
                return int(digits) * _TEN_TO[-surplus]
        elif len(digits) <= _SHORT:
            value, rest = divmod(int(digits), _TEN_TO[surplus])
            if not rest:
                return value
    if not _PLAIN.fullmatch(text):
        raise DecodeError(f"{text[:40]!r} is not a plain decimal number")
    return _exactly(text, decimals)


def fixed_number(text: str, decimals: int) -> int:
    """The same for a JSON number that is not negative, with or without an exponent. Raises DecodeError."""
    if not _NUMBER.fullmatch(text):
        raise DecodeError(f"{text[:40]!r} is not a number of at least 0")
    return _exactly(text, decimals)


def written_decimals(text: str) -> int:
    """Digits after the point of a plain decimal number."""
    return len(text.partition(".")[2])


def instant(text: str) -> int:
    """ns UTC of an RFC 3339 time in UTC with up to nine digits of a second (``2026-08-09T21:05:48.228568804Z``).

    Raises DecodeError for anything else, leap seconds and times beyond 1970 to 2261 among them.
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise DecodeError(f"{text[:40]!r} is not a time in UTC")
    year, month, day, hour, minute, second, fraction = found.groups()
    seconds = _day(year, month, day) + int(hour) * 3600 + int(minute) * 60 + int(second)
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59 or not 0 <= seconds < _LATEST:
        raise DecodeError(f"{text[:40]!r} is not a time that can be kept")
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


@lru_cache(maxsize=8)
def _day(year: str, month: str, day: str) -> int:
    """Seconds from 1970 to the beginning of a day."""
    try:
        return (date(int(year), int(month), int(day)).toordinal() - _EPOCH) * 86400
    except ValueError as e:
        raise DecodeError(f"{year}-{month}-{day} is not a day: {e}") from None


def _exactly(text: str, decimals: int) -> int:
    try:
        return to_fixed(text, decimals)
    except ValueError as e:
        raise DecodeError(str(e)) from None
