"""What a scan can answer instead of a position: every code is below 0, and every primitive hands one on as it came."""

from __future__ import annotations

TRUNCATED = -1  # the message ends where more was expected
SHAPE = -2  # another byte than expected: reordered, of another type, an exponent, not JSON
ESCAPE = -3  # a string that is not plain ASCII: what it says must be decoded first
OVERFLOW = -4  # more digits than an int64 holds for certain
TOO_FINE = -5  # a number with more decimals than it may have
TOO_DEEP = -6  # arrays and objects inside each other beyond ``MAX_DEPTH``
FULL = -7  # no room left in the records: the caller makes room and scans again
REPEATED = -8  # a member twice
MISSING = -9
ORDER = -10  # a member before one that says what it means
RANGE = -11  # a number that cannot be
OTHER = -12  # not a message that the kernel reads: the plain twin says what it is
OWN = -16  # a codec's own codes are this and below

REASONS = {
    TRUNCATED: "truncated",
    SHAPE: "unexpected shape",
    ESCAPE: "escaped text",
    OVERFLOW: "number too large",
    TOO_FINE: "too many decimals",
    TOO_DEEP: "too deep",
    REPEATED: "a member twice",
    MISSING: "a member missing",
    ORDER: "members in another order",
    RANGE: "a number out of range",
}
"""The codes in words, for counters."""

SPARE = 8
"""Bytes of room after a message, so that eight bytes can be read at once from any place in it. They are no part of it."""
