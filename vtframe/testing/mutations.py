"""Messages as no venue sends them, from messages that one sent: what a codec must read like its twin, or refuse like it.

Seeded: the same messages and seed give the same mutations. About ten microseconds each, so that millions can be tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np

_BATCH = 1 << 16  # random numbers drawn at once
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?")
_STRING = re.compile(rb'"([^"\\]{1,40})"')
_NUMBERS = (
    b"1e3",
    b"1E-2",
    b"-1",
    b"-0",
    b"007",
    b"0",
    b".5",
    b"5.",
    b"1.2.3",
    b"+1",
    b"NaN",
    b"Infinity",
    b"0x1f",
    b"1_000",
    b"\xd9\xa1",  # an Arabic digit
    b"9" * 18,
    b"9" * 19,
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"9" * 40,
    b"0.00000000000000000001",
    b"1.00000000000000000000",
    b"000000000000000000000001.5",
    b"1" + b"0" * 400,
    b"",
)
_VALUES = (
    b"null",
    b"true",
    b"false",
    b"[]",
    b"{}",
    b"0",
    b"-1.5e+3",
    b'""',
    b'"x"',
    b'"\\ud83d\\ude00"',
    b'"\\ud800"',
    b'"\\n\\u0041"',
    b'"\xc3\xa9"',
    b'"\xff"',
    b'[1,"a",{"b":[]}]',
    b'{"a":{"b":[null]}}',
    b"tru",
    b"01",
    b"[1,]",
    b'{"a":1,}',
    b'["\x01"]',
    b"[" * 40 + b"]" * 40,
    b"[" * 60 + b"]" * 60,
    b'{"a":' * 60 + b"1" + b"}" * 60,
    b"[" * 2000 + b"]" * 2000,
    b"[" * 3000,
)
_KEYS = (b"x", b"e", b"E", b"s", b"data", b"stream", b"new_member", b"\\u0065", b"", b"\xff", b"A" * 40, b"id", b"result")
_BYTES = (
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"\t",
    b"\n",
    b"\r",
    b"0",
    b"9",
    b".",
    b"-",
    b"\x00",
    b"\x1f",
    b"\xff",
)
_INVALID = (b"\xff", b"\xc3", b"\xc3\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xc0\xaf", b"\xef\xbb\xbf", b"\x00")
_SPACES = (b" ", b"\n", b"\t", b"\r", b"   ", b"\x0b", b"\x0c", b"\xc2\xa0")


class _Draws:
    """Small random integers without a call of numpy for each."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._numbers = iter(())

    def below(self, limit: int) -> int:
        """A number in 0 .. limit - 1; 0 where there is none."""
        try:
            number: int = next(self._numbers)
        except StopIteration:
            self._numbers = iter(self._random.integers(0, 1 << 31, _BATCH).tolist())
            number = next(self._numbers)
        return number % limit if limit > 0 else 0

    def among(self, choices: Sequence[bytes]) -> bytes:
        return choices[self.below(len(choices))]


def mutations(messages: Sequence[bytes], seed: int, *, most: int = 3) -> Iterator[bytes]:
    """Without end: one of ``messages``, changed in one to ``most`` ways."""
    draws = _Draws(seed)
    while True:
        data = draws.among(messages)
        for _ in range(1 + draws.below(most)):
            data = _WAYS[draws.below(len(_WAYS))](data, draws)
        yield data


def _cut(data: bytes, draws: _Draws) -> bytes:
    at = draws.below(len(data))
    return data[at:] if draws.below(8) == 0 else data[:at]


def _doubled(data: bytes, draws: _Draws) -> bytes:
    start = draws.below(len(data))
    stop = start + draws.below(len(data) - start + 1)
    return data + data if draws.below(4) == 0 else data[:stop] + data[start:]


def _one_byte(data: bytes, draws: _Draws) -> bytes:
    at = draws.below(len(data))
    byte = bytes((draws.below(256),)) if draws.below(2) else draws.among(_BYTES)
    return data[:at] + byte + data[at + draws.below(2) :]


def _one_byte_less(data: bytes, draws: _Draws) -> bytes:
    at = draws.below(len(data))
    return data[:at] + data[at + 1 :]


def _not_utf8(data: bytes, draws: _Draws) -> bytes:
    at = draws.below(len(data) + 1)
    return data[:at] + draws.among(_INVALID) + data[at:]


def _other_number(data: bytes, draws: _Draws) -> bytes:
    found = _NUMBER.search(data, draws.below(len(data)))
    if found is None:
        return data
    number = draws.among(_NUMBERS)
    if draws.below(4) == 0:
        number = found[0] + number  # longer, finer, with an exponent
    return data[: found.start()] + number + data[found.end() :]


def _escaped(data: bytes, draws: _Draws) -> bytes:
    found = _STRING.search(data, draws.below(len(data)))
    if found is None:
        return data
    at = found.start(1) + draws.below(len(found[1]))
    escape = b"\\u%04x" % data[at] if draws.below(3) else b"\\" + data[at : at + 1]
    return data[:at] + escape + data[at + 1 :]


def _space(data: bytes, draws: _Draws) -> bytes:
    at = draws.below(len(data) + 1)
    while at < len(data) and data[at] not in b'{}[],:"':
        at += 1
    return data[:at] + draws.among(_SPACES) + data[at:]


def _one_more_member(data: bytes, draws: _Draws) -> bytes:
    at = data.find(b"{", draws.below(len(data))) + 1 if draws.below(2) else data.rfind(b"}", 0, draws.below(len(data)) + 1)
    if at <= 0:
        return data
    member = b'"' + draws.among(_KEYS) + b'":' + draws.among(_VALUES)
    return data[:at] + (member + b"," if data[at - 1 : at] == b"{" else b"," + member) + data[at:]


def _other_value(data: bytes, draws: _Draws) -> bytes:
    at = data.find(b":", draws.below(len(data))) + 1
    end = at
    while end < len(data) and data[end] not in b",}":
        end += 1
    return data[:at] + draws.among(_VALUES) + data[end:] if at else data


def _inside(data: bytes, draws: _Draws) -> bytes:
    """An object or array somewhere inside: its members or items in another order, one of them twice, missing or another."""
    try:
        if data[:1] == b"{":
            parts = [(b'"%b":' % key.encode(), bytes(raw)) for key, raw in _MEMBERS.decode(data).items()]
        elif data[:1] == b"[":
            parts = [(b"", bytes(raw)) for raw in _ITEMS.decode(data)]
        else:
            return data
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError):
        return data
    deeper = [place for place, (_, raw) in enumerate(parts) if raw[:1] in {b"{", b"["}]
    if deeper and draws.below(4):
        place = deeper[draws.below(len(deeper))]
        parts[place] = parts[place][0], _inside(parts[place][1], draws)
    elif parts:
        parts = _rearranged(parts, draws)
    opening, closing = (b"{", b"}") if data[:1] == b"{" else (b"[", b"]")
    return opening + b",".join(label + raw for label, raw in parts) + closing


def _rearranged(parts: list[tuple[bytes, bytes]], draws: _Draws) -> list[tuple[bytes, bytes]]:
    place, other = draws.below(len(parts)), draws.below(len(parts))
    label, raw = parts[place]
    what = draws.below(6)
    if what == 0:
        parts.insert(other, parts[place])
    elif what == 1:
        del parts[place]
    elif what == 2:
        parts[place] = (b'"' + draws.among(_KEYS) + b'":' if label else b""), raw
    elif what == 3:
        parts[place], parts[other] = parts[other], parts[place]
    elif what == 4:
        parts[place] = label, draws.among(_VALUES)
    else:
        return [parts.pop(draws.below(len(parts))) for _ in range(len(parts))]
    return parts


_WAYS: tuple[Callable[[bytes, _Draws], bytes], ...] = (
    _cut,
    _doubled,
    _one_byte,
    _one_byte,
    _one_byte_less,
    _not_utf8,
    _other_number,
    _other_number,
    _escaped,
    _space,
    _one_more_member,
    _other_value,
    _inside,
    _inside,
    _inside,
)
