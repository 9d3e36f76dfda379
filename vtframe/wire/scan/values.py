"""Skipping a JSON value of any kind, checked as strictly as a decoder checks it.

Plain Python that is compiled with the codec that uses it.
"""

from __future__ import annotations

from vtframe.wire.scan.codes import ESCAPE, SHAPE, TOO_DEEP, TRUNCATED
from vtframe.wire.scan.numbers import BIG_E, LITTLE_E, MINUS, NINE, POINT, ZERO
from vtframe.wire.scan.text import (
    BACKSLASH,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    SPACE,
    expect,
    peek,
    scan_string,
    skip_space,
    wrong,
)
from vtframe.wire.scan.words import Text

MAX_DEPTH = 48
PLUS, LITTLE_U = 43, 117
SURROGATES = 0xD800  # to 0xDFFF: halves of a character, which only a decoder puts together


def skip_value(text: Text, at: int) -> int:
    """Position after the value at ``at``. Not ASCII, or half a surrogate pair: ESCAPE, for a decoder to judge."""
    kinds = 0  # one bit for each open array (0) or object (1), the innermost lowest
    depth = 0
    while True:
        at = skip_space(text, at)
        byte = peek(text, at)
        if byte == OPEN_OBJECT or byte == OPEN_ARRAY:
            is_object = byte == OPEN_OBJECT
            inside = skip_space(text, at + 1)
            if peek(text, inside) == (CLOSE_OBJECT if is_object else CLOSE_ARRAY):
                at = inside + 1
            elif depth >= MAX_DEPTH:
                return TOO_DEEP
            else:
                depth += 1
                kinds = kinds << 1 | (1 if is_object else 0)
                at = skip_name(text, inside) if is_object else inside
                if at < 0:
                    return at
                continue
        else:
            at = skip_scalar(text, at, byte)
        while True:  # after a value
            if at < 0 or depth == 0:
                return at
            at = skip_space(text, at)
            byte = peek(text, at)
            if byte == COMMA:
                at = skip_name(text, at + 1) if kinds & 1 else at + 1
                if at < 0:
                    return at
                break
            if byte != (CLOSE_OBJECT if kinds & 1 else CLOSE_ARRAY):
                return wrong(text, at)
            depth -= 1
            kinds >>= 1
            at += 1


def skip_name(text: Text, at: int) -> int:
    """Position after a member's name and its colon."""
    return expect(text, skip_string(text, skip_space(text, at)), COLON)


def skip_scalar(text: Text, at: int, byte: int) -> int:
    """Position after a string, number, true, false or null that begins with ``byte`` at ``at``."""
    if byte == QUOTE:
        return skip_string(text, at)
    if byte == MINUS or ZERO <= byte <= NINE:
        return skip_number(text, at)
    if byte == 116:  # true
        return skip_word(text, at + 1, 114, 117, 101)
    if byte == 102:  # false
        return skip_word(text, at + 2, 108, 115, 101) if peek(text, at + 1) == 97 else wrong(text, at + 1)
    if byte == 110:  # null
        return skip_word(text, at + 1, 117, 108, 108)
    return wrong(text, at)


def skip_word(text: Text, at: int, first: int, second: int, third: int) -> int:
    if peek(text, at) == first and peek(text, at + 1) == second and peek(text, at + 2) == third:
        return at + 3
    return wrong(text, at)


def skip_number(text: Text, at: int) -> int:
    """Position after a JSON number, of any size."""
    if peek(text, at) == MINUS:
        at += 1
    at = at + 1 if peek(text, at) == ZERO else skip_digits(text, at)  # a zero is followed by no digit
    if ZERO <= peek(text, at) <= NINE:
        return SHAPE
    if peek(text, at) == POINT:
        at = skip_digits(text, at + 1)
    byte = peek(text, at)
    if byte == LITTLE_E or byte == BIG_E:
        at += 1
        byte = peek(text, at)
        if byte == PLUS or byte == MINUS:
            at += 1
        at = skip_digits(text, at)
    return at


def skip_digits(text: Text, at: int) -> int:
    """Position after at least one digit."""
    start = at
    while ZERO <= peek(text, at) <= NINE:
        at += 1
    return at if at > start else wrong(text, at)


def skip_string(text: Text, at: int) -> int:
    """Position after a string at ``at``, escapes and all."""
    _, _, after = scan_string(text, at)
    if after != ESCAPE:
        return after
    at = expect(text, at, QUOTE)
    while True:
        byte = peek(text, at)
        if byte == QUOTE:
            return at + 1
        if byte < SPACE:
            return SHAPE if byte >= 0 else TRUNCATED
        if byte > 127:
            return ESCAPE
        at = skip_escape(text, at + 1) if byte == BACKSLASH else at + 1
        if at < 0:
            return at


def skip_escape(text: Text, at: int) -> int:
    """Position after what follows a backslash."""
    byte = peek(text, at)
    if byte == LITTLE_U:
        code = 0
        for k in range(1, 5):
            digit = peek(text, at + k)
            if ZERO <= digit <= NINE:
                code = code << 4 | (digit - ZERO)
            elif 97 <= digit <= 102:
                code = code << 4 | (digit - 87)
            elif 65 <= digit <= 70:
                code = code << 4 | (digit - 55)
            else:
                return wrong(text, at + k)
        return ESCAPE if code & 0xF800 == SURROGATES else at + 5
    if byte == QUOTE or byte == BACKSLASH or byte == 47:
        return at + 1
    if byte == 98 or byte == 102 or byte == 110 or byte == 114 or byte == 116:  # b f n r t
        return at + 1
    return wrong(text, at)
