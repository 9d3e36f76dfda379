"""What a hostile venue does to a message and to the frame around it. Damage is drawn from a fault's dice, and bounded in size.

Edits are made on the text, so that they can be what no writer of JSON makes. Some of them leave a message that can be read and
is not true: nobody can see that, and only the next snapshot puts it right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal, get_args

from vtframe.venue.frame import BINARY, PONG, TEXT, frame

Dice = Callable[[int], int]
"""A whole number from 0 to what is given, less one."""

FrameDamage = Literal["any", "opcode", "reserved", "length", "masked", "control", "fragment", "fragments"]
"""``fragments`` is the only one that has no end: the connection goes on with it."""

_NUMBER: Final = re.compile(rb"-?\d+(?:\.\d+)?")
_QUOTED: Final = re.compile(rb'"(-?\d+(?:\.\d+)?)"')
_BARE: Final = re.compile(rb"(?<=[:,\[])-?\d+(?:\.\d+)?(?=[,\]}])")
_MEMBER: Final = re.compile(rb'"\w+":(?:"[^"\\]*"|-?[\d.]+|true|false|null),?')
_ARRAY: Final = re.compile(rb"\[[^\[\]]*\]")
_LEVELS: Final = (50, 5_000, 100_000)
_REPEATS: Final = (10, 2_000)
_EDITS: Final = 3  # of a message, at most
_LOOKED_AT: Final = 1 << 16  # bytes of a message in which places for them are looked for
_BATCH: Final = 1 << 15  # bytes of fragments that are written at once
_LONGEST: Final = 1 << 20  # bytes that a repetition may have
_NUMBERS: Final = (
    b"-1", b"0", b"1e999", b"-1e999", b"1e-999", b"2.5", b"NaN", b"Infinity", b"-0", b"00", b"+1", b"1_000", b"0x10", b"1.",
    b"9" * 18, b"9" * 19, b"18446744073709551616", b"9" * 400, b"9" * 5_000, b"0." + b"3" * 3_000, b"1" + b"0" * 300,
    b'""', b'"x"', b"null", b"true", b"[]", b"{}",
)  # fmt: skip
_NO_NUMBERS: Final = (b"NaN", b"Infinity", b"+1", b"1_000", b"0x10", b"1.", b"1e", b"--1")
_LETTERS: Final = (b"\xff", b"\xf0\x9f", b"\xed\xa0\x80", b"\x00", b"\\ud800", b"\\u0000", b"\xc0\xaf")
"""No UTF-8, half a letter, a surrogate, a zero, and escapes of what is no letter."""


def mutate(text: bytes, pick: Dice, *, lies: bool = True) -> bytes:
    """``text`` after one edit or a few. Without ``lies``, what can be read still says nothing untrue of prices, quantities
    and ends: it says less, or speaks of nobody that the reader knows."""
    edits = _MUTATIONS if lies else _PLAIN_DAMAGE
    for _ in range(1 + pick(_EDITS)):
        text = edits[pick(len(edits))](text, pick)
    return text


def nest(depth: int, pick: Dice) -> bytes:
    """Brackets inside each other, closed or not."""
    match pick(3):
        case 0:
            return b"[" * depth
        case 1:
            return b'{"a":' * depth
    return b"[" * depth + b"]" * depth


def spoil_frame(payload: bytes, damage: FrameDamage, pick: Dice) -> bytes:
    """A frame with ``payload`` that breaks a rule of RFC 6455, 5."""
    if damage == "any":
        kinds = get_args(FrameDamage)[1:-1]
        damage = kinds[pick(len(kinds))]
    whole = frame(payload)
    match damage:
        case "opcode":  # that nobody has defined
            return frame(payload, 0x80 | (3, 4, 7, 11, 15)[pick(5)])
        case "reserved":  # bits of extensions that nobody has agreed to
            return frame(payload, TEXT | (1 + pick(7)) << 4)
        case "length":  # more than comes, more than there is memory for, negative, or less than comes
            claimed = (len(payload) + 1 + pick(5_000), 1 << 40, (1 << 63) - 1, (1 << 64) - 1, len(payload) // 2)[pick(5)]
            return bytes((TEXT, 127)) + claimed.to_bytes(8, "big") + payload
        case "masked":  # which only clients do
            return whole[:1] + bytes((whole[1] | 0x80,)) + whole[2:]
        case "control":  # longer than a control frame may be, in pieces, or a goodbye that is none
            return (frame(payload * 2, 0x89), frame(payload[:50], 0x09), frame(b"\x00", 0x88), frame(b"\x03\xe8\xff", 0x88))[
                pick(4)
            ]
        case "fragment":  # the end of what has not begun, or a beginning within another
            return (frame(payload, 0x80), frame(payload[:9], 0x01) + frame(payload[9:], TEXT))[pick(2)]
        case "fragments" | _:
            return frame(payload[:1], 0x01)


def more_fragments(pick: Dice) -> bytes:
    """Frames that go on with a message and do not end it: empty ones, small ones or large ones, some between pongs."""
    piece = frame(b" " * (0, 1, 2, 50, 10_000)[pick(5)], 0x00) + (frame(b"", PONG) if pick(2) else b"")
    return piece * max(1, _BATCH // len(piece))


def cut(text: bytes, pick: Dice) -> bytes:
    """A frame with damage that any reader sees: the text is cut short, or is no UTF-8."""
    at = pick(max(1, len(text) - 1))
    if pick(2):
        return frame(text[:at], TEXT)
    return frame(text[:at] + b"\xff" + text[at:], TEXT if pick(2) else BINARY)


def _flip(text: bytes, pick: Dice) -> bytes:
    data = bytearray(text or b" ")
    for _ in range(1 + pick(4)):
        data[pick(len(data))] = pick(256)
    return bytes(data)


def _number(text: bytes, pick: Dice) -> bytes:
    return _replace(_NUMBER, text, pick, lambda _: _NUMBERS[pick(len(_NUMBERS))])


def _no_number(text: bytes, pick: Dice) -> bytes:
    return _replace(_NUMBER, text, pick, lambda _: _NO_NUMBERS[pick(len(_NO_NUMBERS))])


def _negative(text: bytes, pick: Dice) -> bytes:
    return _replace(_NUMBER, text, pick, lambda found: b"-" + found)


def _retype(text: bytes, pick: Dice) -> bytes:
    """A number for a text of digits, or a text for a number."""
    if pick(2):
        return _replace(_QUOTED, text, pick, lambda found: found[1:-1])
    return _replace(_BARE, text, pick, lambda found: b'"' + found + b'"')


def _forget(text: bytes, pick: Dice) -> bytes:
    return _replace(_MEMBER, text, pick, lambda _: b"")


def _double(text: bytes, pick: Dice) -> bytes:
    return _replace(_MEMBER, text, pick, lambda found: found.rstrip(b",") + b"," + found)


def _empty(text: bytes, pick: Dice) -> bytes:
    return _replace(_ARRAY, text, pick, lambda _: b"[]")


def _deepen(text: bytes, pick: Dice) -> bytes:
    levels = _LEVELS[pick(len(_LEVELS))]
    return _replace(_ARRAY, text, pick, lambda found: b"[" * levels + found + b"]" * levels)


def _repeat(text: bytes, pick: Dice) -> bytes:
    times = _REPEATS[pick(len(_REPEATS))]
    return _replace(_ARRAY, text, pick, lambda found: b",".join([found] * min(times, 1 + _LONGEST // len(found))))


def _letters(text: bytes, pick: Dice) -> bytes:
    at = pick(len(text) + 1)
    return text[:at] + _LETTERS[pick(len(_LETTERS))] + text[at:]


def _cut(text: bytes, pick: Dice) -> bytes:
    return text[: pick(len(text) or 1)] + (b"\xe2\x82" if pick(2) else b"")


def _replace(pattern: re.Pattern[bytes], text: bytes, pick: Dice, by: Callable[[bytes], bytes]) -> bytes:
    """One of the places that ``pattern`` finds, put otherwise."""
    places = [found.span() for found in pattern.finditer(text[:_LOOKED_AT])]
    if not places:
        return text
    start, end = places[pick(len(places))]
    return text[:start] + by(text[start:end]) + text[end:]


_MUTATIONS: Final[tuple[Callable[[bytes, Dice], bytes], ...]] = (
    _flip, _number, _negative, _retype, _forget, _double, _empty, _deepen, _repeat, _letters, _cut,
)  # fmt: skip
_PLAIN_DAMAGE: Final[tuple[Callable[[bytes, Dice], bytes], ...]] = (_no_number, _retype, _double, _deepen, _letters, _cut)
