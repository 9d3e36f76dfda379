"""Digits to int64, exactly: never through a float, never rounded, never wrapped round.

Plain Python that is compiled with the codec that uses it. Eight digits are converted at once: Lemire (2018), "Quickly
parsing eight digits"; the first byte that is no digit is found as in simdjson's number parsing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vtframe.wire.scan.codes import OVERFLOW, SHAPE, SPARE, TOO_FINE
from vtframe.wire.scan.text import ONES, QUOTE, expect, peek, wrong
from vtframe.wire.scan.words import Text, first_bit, load

MOST_DIGITS = 18  # that fit int64 whatever they are
TEN_TO: NDArray[np.int64] = np.array([10**power for power in range(MOST_DIGITS + 1)], np.int64)

ZERO, NINE, MINUS, POINT, LITTLE_E, BIG_E = 48, 57, 45, 46, 101, 69
LITTLE_T, LITTLE_F = 116, 102
ZEROS = ONES * ZERO
SIXES = ONES * 6
UPPER_HALVES = -0x0F0F0F0F0F0F0F10  # the upper four bits of every byte
PAIRS = 0x000000FF000000FF
FIRST_PAIRS = 0x000F424000000064  # 1000000 << 32 | 100
LAST_PAIRS = 0x0000271000000001  # 10000 << 32 | 1
LOW_WORD = 0xFFFFFFFF


def eight_digits(word: int) -> int:
    """The number that eight bytes of 0 to 9 are, the first one highest."""
    word = word * 10 + ((word >> 8) & 0x00FFFFFFFFFFFFFF)
    return (((word & PAIRS) * FIRST_PAIRS + ((word >> 16) & PAIRS) * LAST_PAIRS) >> 32) & LOW_WORD


def scan_digits(text: Text, at: int, most: int) -> tuple[int, int, int]:
    """At most ``most`` (18 or fewer) digits from ``at``: (their value, how many, position after them). None is no fault."""
    value = 0
    count = 0
    end = len(text) - SPARE
    if most > MOST_DIGITS:
        most = MOST_DIGITS
    while 0 <= at < end and count < most:
        word = load(text, at) ^ ZEROS
        others = ((word + SIXES) | word) & UPPER_HALVES  # of the first byte that is no digit, and perhaps of later ones
        n = first_bit(others) >> 3
        n = min(n, end - at, most - count)
        if n <= 0:
            break
        value = value * TEN_TO[n] + eight_digits(word << (8 * (8 - n)))  # zeros before them
        count += n
        at += n
        if n < 8:
            break
    return value, count, at


def is_digit(byte: int) -> bool:
    return ZERO <= byte <= NINE


def scan_decimal(text: Text, at: int, decimals: int) -> tuple[int, int]:
    """``digits[.digits]`` at ``at``, times ``10**decimals``: (value, position after it) or (0, code).

    Zeros beyond ``decimals`` are no loss and are skipped; any other digit there is TOO_FINE. Neither sign nor exponent: what
    follows the number is for the caller to look at.
    """
    if decimals < 0 or decimals > MOST_DIGITS:
        return 0, TOO_FINE
    whole, count, at = scan_digits(text, at, MOST_DIGITS)
    if count == 0:
        return 0, wrong(text, at)
    byte = peek(text, at)
    if count + decimals > MOST_DIGITS or ZERO <= byte <= NINE:
        return 0, OVERFLOW
    value = whole * TEN_TO[decimals]
    if byte == POINT:
        part, count, at = scan_digits(text, at + 1, decimals)
        value += part * TEN_TO[decimals - count]
        byte = peek(text, at)
        while byte == ZERO:
            count += 1
            at += 1
            byte = peek(text, at)
        if count == 0:
            return 0, TOO_FINE if ZERO <= byte <= NINE else wrong(text, at)
        if ZERO <= byte <= NINE:
            return 0, TOO_FINE
    return value, at


def scan_quoted_decimal(text: Text, at: int, decimals: int) -> tuple[int, int]:
    """A decimal number written as a string, which it fills: (value, position after the closing quote) or (0, code)."""
    value, at = scan_decimal(text, expect(text, at, QUOTE), decimals)
    if at >= 0:
        at = at + 1 if peek(text, at) == QUOTE else wrong(text, at)
    return value, at


def scan_int(text: Text, at: int) -> tuple[int, int]:
    """A JSON integer of at most 18 digits at ``at``: (value, position after it) or (0, code)."""
    if at < 0:
        return 0, at
    sign = 1
    byte = peek(text, at)
    if byte == MINUS:
        sign = -1
        at += 1
        byte = peek(text, at)
    value, count, stop = scan_digits(text, at, MOST_DIGITS)
    if count == 0 or (byte == ZERO and count > 1):
        return 0, wrong(text, at)
    byte = peek(text, stop)
    if ZERO <= byte <= NINE:
        return 0, OVERFLOW
    if byte == POINT or byte == LITTLE_E or byte == BIG_E:
        return 0, SHAPE
    return sign * value, stop


def scan_bool(text: Text, at: int) -> tuple[bool, int]:
    """``true`` or ``false`` at ``at``: (value, position after it) or (False, code)."""
    if peek(text, at) == LITTLE_T and peek(text, at + 1) == 114 and peek(text, at + 2) == 117 and peek(text, at + 3) == 101:
        return True, at + 4
    if (
        peek(text, at) == LITTLE_F
        and peek(text, at + 1) == 97
        and peek(text, at + 2) == 108
        and peek(text, at + 3) == 115
        and peek(text, at + 4) == 101
    ):
        return False, at + 5
    return False, wrong(text, at)
