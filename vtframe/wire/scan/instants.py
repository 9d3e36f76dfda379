"""RFC 3339 times to nanoseconds, and what a kernel does with a frame's events once it has read them all.

Plain Python that is compiled with the codec that uses it.
"""

from __future__ import annotations

from typing import Any

from vtframe.wire.scan.codes import FULL, OVERFLOW, SHAPE
from vtframe.wire.scan.numbers import NINE, POINT, TEN_TO, ZERO
from vtframe.wire.scan.text import peek, scan_string
from vtframe.wire.scan.words import Text

DASH, BIG_T, BIG_Z, COLON = 45, 84, 90, 58
LATEST = 9_223_372_036  # seconds; int64 holds no more nanoseconds
NANOS = 1_000_000_000


def scan_instant(text: Text, at: int) -> tuple[int, int]:
    """A string like ``"2026-08-09T21:05:48.228568804Z"`` at ``at``: (ns UTC, position after it) or (0, code).

    Up to nine digits of a second, and Z: any other form is SHAPE, a time that int64 cannot hold OVERFLOW.
    """
    start, stop, after = scan_string(text, at)
    if after < 0:
        return 0, after
    year = two_digits(text, start) * 100 + two_digits(text, start + 2)
    month, day = two_digits(text, start + 5), two_digits(text, start + 8)
    hour, minute, second = two_digits(text, start + 11), two_digits(text, start + 14), two_digits(text, start + 17)
    if year < 0 or month < 1 or month > 12 or day < 1 or hour < 0 or minute < 0 or second < 0:
        return 0, SHAPE
    if hour > 23 or minute > 59 or second > 59 or day > days_of(year, month):
        return 0, SHAPE
    if peek(text, start + 4) != DASH or peek(text, start + 7) != DASH or peek(text, start + 10) != BIG_T:
        return 0, SHAPE
    if peek(text, start + 13) != COLON or peek(text, start + 16) != COLON or peek(text, stop - 1) != BIG_Z:
        return 0, SHAPE
    fraction = 0
    if stop != start + 20:
        digits = stop - start - 21
        if digits < 1 or digits > 9 or peek(text, start + 19) != POINT:
            return 0, SHAPE
        for k in range(start + 20, stop - 1):
            byte = peek(text, k)
            if byte < ZERO or byte > NINE:
                return 0, SHAPE
            fraction = fraction * 10 + byte - ZERO
        fraction *= TEN_TO[9 - digits]
    seconds = days_before(year, month) * 86400 + (day - 1) * 86400 + hour * 3600 + minute * 60 + second
    if seconds < 0 or seconds >= LATEST:
        return 0, OVERFLOW
    return seconds * NANOS + fraction, after


def two_digits(text: Text, at: int) -> int:
    """Their value; far below 0 where they are none."""
    first, second = peek(text, at) - ZERO, peek(text, at + 1) - ZERO
    if first < 0 or first > 9 or second < 0 or second > 9:
        return -1_000_000
    return first * 10 + second


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_of(year: int, month: int) -> int:
    """Days of a month."""
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


def days_before(year: int, month: int) -> int:
    """Days from 1970 to a month's first, by the Gregorian calendar counted from March."""
    shifted = month - 3 if month > 2 else month + 9
    if month <= 2:
        year -= 1
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * shifted + 2) // 5 - 719468


def bids_first(events: Any, first: int, n: int) -> int:
    """Put the events of asks (side -1) in ``first`` to ``n`` behind all others, each in its order; ``n``, or a code.

    For venues that send asks before bids, or both mixed. Uses the room behind ``n``: FULL where there is too little.
    """
    if n < 0:
        return n
    place = first
    while place < n and events[place]["side"] >= 0:
        place += 1
    behind = place
    while behind < n and events[behind]["side"] < 0:
        behind += 1
    if behind >= n:
        return n
    if n + n - place > len(events):
        return FULL
    tail = n
    for k in range(place, n):
        if events[k]["side"] < 0:
            events[tail] = events[k]
            tail += 1
        else:
            events[place] = events[k]
            place += 1
    for k in range(n, tail):
        events[place] = events[k]
        place += 1
    return n


def set_time(events: Any, first: int, n: int, ts_event: int) -> None:
    """Give the events in ``first`` to ``n`` their time, for messages that say it last. ``n`` may be a code: nothing is done."""
    for k in range(first, n):
        events[k]["ts_event"] = ts_event
