"""Finding the way in a message: bytes, white space, names and plain strings.

Plain Python that is compiled with the codec that uses it. A position below 0 is a code (vtframe.wire.scan.codes): every
function here hands it on, so that a codec looks once, at the end. No position whatever makes a function read outside the
message. ``text`` is the message with ``SPARE`` bytes of room behind it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vtframe.wire.scan.codes import ESCAPE, SHAPE, SPARE, TRUNCATED
from vtframe.wire.scan.words import Text, first_bit, load

QUOTE, BACKSLASH, COLON, COMMA = 34, 92, 58, 44
OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT = 91, 93, 123, 125
SPACE, TAB, NEWLINE, RETURN = 32, 9, 10, 13

ONES = 0x0101010101010101
HIGHS = -0x7F7F7F7F7F7F7F80  # the highest bit of every byte


def literal(text: bytes) -> NDArray[np.uint8]:
    """``text`` as a constant of a kernel, for ``same``. All are of one type, so that ``same`` is compiled once."""
    return np.frombuffer(text, np.uint8).copy()


def packed(text: bytes) -> int:
    """A name of at most eight bytes as the number that ``name`` gives for it: a kernel's constant."""
    if not 0 < len(text) <= 8:
        raise ValueError(f"1 to 8 bytes can be packed, found {text!r}; compare longer ones by literal() and same()")
    return int.from_bytes(text, "little", signed=True)


def size(text: Text) -> int:
    """Length of the message."""
    return len(text) - SPARE


def peek(text: Text, at: int) -> int:
    """The byte at ``at``; -1 outside the message."""
    if 0 <= at < len(text) - SPARE:
        return int(text[at])
    return -1


def wrong(text: Text, at: int) -> int:
    """The code for a byte that was not expected: TRUNCATED at the message's end, SHAPE before it, a code as it is."""
    if at < 0:
        return at
    return SHAPE if at < len(text) - SPARE else TRUNCATED


def skip_space(text: Text, at: int) -> int:
    """First position from ``at`` that is not white space, perhaps the message's end."""
    byte = peek(text, at)
    while byte == SPACE or byte == TAB or byte == NEWLINE or byte == RETURN:
        at += 1
        byte = peek(text, at)
    return at


def expect(text: Text, at: int, byte: int) -> int:
    """Position after ``byte``, which must stand at ``at`` (white space before it is skipped)."""
    if peek(text, at) == byte:
        return at + 1
    at = skip_space(text, at)
    return at + 1 if peek(text, at) == byte else wrong(text, at)


def finish(text: Text, at: int) -> int:
    """0 where nothing but white space follows, else a code."""
    at = skip_space(text, at)
    if at < 0:
        return at
    return 0 if at == len(text) - SPARE else SHAPE


def scan_string(text: Text, at: int) -> tuple[int, int, int]:
    """A string at ``at``: where its text begins, where it stops (its closing quote), and the position after it.

    ``text[start:stop]`` is what it says, for it must be plain ASCII: a code three times where it is not.
    """
    at = expect(text, at, QUOTE)
    if at < 0:
        return at, at, at
    start = at
    end = len(text) - SPARE
    while at < end:
        word = load(text, at)
        quotes = word ^ (ONES * QUOTE)
        slashes = word ^ (ONES * BACKSLASH)
        # the lowest high bit that is set marks the first quote, backslash, control character or byte that is not ASCII
        marks = ((quotes - ONES) & ~quotes | (slashes - ONES) & ~slashes | (word - ONES * SPACE) & ~word | word) & HIGHS
        if marks:
            at += first_bit(marks) >> 3
            if at >= end:
                break
            byte = int(text[at])
            if byte == QUOTE:
                return start, at, at + 1
            code = SHAPE if byte < SPACE else ESCAPE
            return code, code, code
        at += 8
    return TRUNCATED, TRUNCATED, TRUNCATED


def skip_plain(text: Text, at: int) -> int:
    """Position after a plain string whose words do not matter, or a code."""
    _, _, after = scan_string(text, at)
    return after


def name(text: Text, start: int, stop: int) -> int:
    """The bytes between two positions as ``packed`` packs them; 0 where they are none, or more than eight."""
    count = stop - start
    if start < 0 or count <= 0 or count > 8 or stop > len(text) - SPARE:
        return 0
    word: int = load(text, start)
    return word if count == 8 else word & ((1 << (8 * count)) - 1)


def same(text: Text, start: int, stop: int, wanted: NDArray[np.uint8]) -> bool:
    """Whether the bytes between two positions are those of a ``literal``."""
    if start < 0 or stop - start != len(wanted) or stop > len(text) - SPARE:
        return False
    for k in range(len(wanted)):
        if text[start + k] != wanted[k]:
            return False
    return True


def scan_key(text: Text, at: int) -> tuple[int, int, int]:
    """A member's name and the colon after it: (start, stop, position of the value), or a code three times."""
    start, stop, at = scan_string(text, at)
    at = skip_space(text, expect(text, at, COLON))
    if at < 0:
        return at, at, at
    return start, stop, at


def next_item(text: Text, at: int, close: int) -> tuple[bool, int]:
    """After an item of an array or object: (True, position of the next) or (False, position after the closing byte)."""
    at = skip_space(text, at)
    byte = peek(text, at)
    if byte == COMMA:
        return True, skip_space(text, at + 1)
    if byte == close:
        return False, at + 1
    return False, wrong(text, at)


def first_item(text: Text, at: int, opening: int, close: int) -> tuple[bool, int]:
    """Into an array or object: (True, position of its first item) or (False, position after it where it is empty)."""
    at = expect(text, at, opening)
    at = skip_space(text, at)
    if peek(text, at) == close:
        return False, at + 1
    return at >= 0, at
