"""Primitives by law: exact numbers, strict JSON, nothing read outside the message, compiled equal to plain Python."""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_lab import NAMES, WANTED, Lab

from vtframe.api import DecodeError, instant
from vtframe.api.scan import ESCAPE, OVERFLOW, SHAPE, TOO_DEEP, TOO_FINE, TRUNCATED, literal, packed
from vtframe.domain import to_fixed

SYMBOLS = {(group, f"COIN{k}USDT"): (k, group) for k in range(300) for group in (0, 1)} | {(1, "X" * 32): (7, 7)}


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(SYMBOLS)


interesting = st.text(st.sampled_from('{}[]",:.0123456789-eE \\ntrufals\x1f\u00e9'), max_size=60).map(str.encode)
positions = st.integers(-20, 80) | st.sampled_from([-(2**62), 2**62])


@given(st.sampled_from(NAMES), interesting, st.tuples(positions, st.integers(-2, 130), st.integers(-2, 130)))
@settings(max_examples=600, deadline=None)
def test_every_primitive_compiled_is_the_plain_one_wherever_it_is_pointed(
    lab: Lab, which: str, data: bytes, arguments: tuple[int, int, int]
) -> None:
    lab.both(which, data, *arguments)


@given(st.from_regex(r"\A[0-9]{1,20}(\.[0-9]{1,20})?\Z"), st.integers(0, 18))
@settings(max_examples=600, deadline=None)
def test_a_decimal_is_exact_or_refused(lab: Lab, text: str, decimals: int) -> None:
    value, at, _ = lab.both("scan_decimal", text.encode() + b'"', 0, decimals)
    scaled = Decimal(text).scaleb(decimals)
    if at >= 0:
        assert at == len(text)
        assert value == to_fixed(text, decimals) == scaled
    elif at == TOO_FINE:
        assert scaled != scaled.to_integral_value()
    else:
        assert at == OVERFLOW
        assert len(text.partition(".")[0]) + decimals > 18


@pytest.mark.parametrize(
    ("text", "decimals", "found"),
    [
        (b"61773.60", 2, (6177360, 8)),
        (b"61773.60000000", 2, (6177360, 14)),
        (b"61773.6", 8, (6177360000000, 7)),
        (b"007", 0, (7, 3)),
        (b"0.00", 0, (0, 4)),
        (b"999999999999999999", 0, (10**18 - 1, 18)),
        (b"1000000000000000000", 0, (0, OVERFLOW)),
        (b"61773.601", 2, (0, TOO_FINE)),
        (b"61773.60000000000000000000001", 2, (0, TOO_FINE)),
        (b"5.", 2, (0, TRUNCATED)),
        (b'5."', 2, (0, SHAPE)),
        (b".5", 2, (0, SHAPE)),
        (b"-5", 2, (0, SHAPE)),
        (b"", 2, (0, TRUNCATED)),
        (b"1e5", 2, (100, 1)),  # what follows is the caller's to look at
        (b"1.2.3", 2, (120, 3)),
    ],
)
def test_decimals_by_example(lab: Lab, text: bytes, decimals: int, found: tuple[int, int]) -> None:
    assert lab.both("scan_decimal", text, 0, decimals)[:2] == found


@pytest.mark.parametrize(
    "text", [b'"1e5"', b'"1.5', b'"1.5 "', b'" 1.5"', b'"+1"', b'"1,5"', b'""', b"1.5", b'"\\u0031"', b'"1_0"']
)
def test_a_quoted_decimal_fills_its_string(lab: Lab, text: bytes) -> None:
    assert lab.both("scan_quoted_decimal", text, 0, 4)[1] < 0
    assert lab.both("scan_quoted_decimal", b' "1.5"', 0, 4)[:2] == (15000, 6)


@given(st.integers(-(10**20), 10**20), st.sampled_from([b"", b",", b"}", b" ", b".5", b"e3", b"E3", b"7"]))
@settings(max_examples=300, deadline=None)
def test_an_integer_is_json_or_refused(lab: Lab, number: int, tail: bytes) -> None:
    data = str(number).encode() + tail
    value, at, _ = lab.both("scan_int", data, 0)
    whole = json.loads(re.match(rb"-?[0-9]+", data)[0])
    if at >= 0:
        assert (value, data[at : at + 1] in {b"", b",", b"}", b" "}) == (whole, True)
    else:
        assert at == (SHAPE if tail in {b".5", b"e3", b"E3"} and abs(whole) < 10**18 else OVERFLOW)


@pytest.mark.parametrize("text", [b"01", b"-01", b"-", b"", b"+1", b'"1"', b"null"])
def test_what_is_no_integer(lab: Lab, text: bytes) -> None:
    assert lab.both("scan_int", text, 0)[1] in {SHAPE, TRUNCATED}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.booleans(), st.sampled_from([None, 1]))
@settings(max_examples=300, deadline=None)
def test_any_json_value_is_skipped_as_a_whole(lab: Lab, value: object, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    at = lab.both("skip_value", b" " + data + b" ,", 0)[0]
    if at == ESCAPE:
        assert not data.isascii() or re.search(rb"\\u[dD][89a-fA-F]", data)  # for a decoder to judge
    else:
        assert at == 1 + len(data)


@given(interesting)
@settings(max_examples=600, deadline=None)
def test_what_is_skipped_is_json(lab: Lab, data: bytes) -> None:
    """An independent reader agrees with every acceptance, and with every refusal but those that leave it to a decoder."""
    at = lab.both("skip_value", data, 0)[0]
    text = data.decode()
    start = len(text) - len(text.lstrip(" \n\t\r"))
    try:
        stop = json.JSONDecoder(parse_constant=_refuse).raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        assert at < 0
    else:
        if at < 0:  # of "01", "1." and "1e" Python's reader takes the number that they begin with
            assert at == ESCAPE or (text[start] in "-0123456789" and text[stop : stop + 1] in set("0123456789.eE"))
        else:
            assert at == stop


def _refuse(constant: str) -> object:
    raise ValueError(constant)


@pytest.mark.parametrize("bracket", [b"[]", b"{}"])
def test_depth_has_a_limit_that_is_told(lab: Lab, bracket: bytes) -> None:
    opening, closing = (b"[", b"]") if bracket == b"[]" else (b'{"a":', b"}")
    assert lab.both("skip_value", opening * 48 + b"1" + closing * 48, 0)[0] == 48 * len(opening + closing) + 1
    assert lab.both("skip_value", opening * 49 + b"1" + closing * 49, 0)[0] == TOO_DEEP
    assert lab.both("skip_value", opening * 5_000, 0)[0] == TOO_DEEP


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'"plain text" x', (1, 11, 12)),
        (b'""', (1, 1, 2)),
        (b'"a long text of more than eight bytes"', (1, 37, 38)),
        (b'"tab\there"', (SHAPE,) * 3),
        (b'"quote \\" inside"', (ESCAPE,) * 3),
        ('"é"'.encode(), (ESCAPE,) * 3),
        (b'"no end', (TRUNCATED,) * 3),
        (b'"', (TRUNCATED,) * 3),
        (b"none", (SHAPE,) * 3),
    ],
)
def test_strings_by_example(lab: Lab, data: bytes, found: tuple[int, int, int]) -> None:
    assert lab.both("scan_string", data, 0) == found


@given(st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_plain_string_ends_at_its_first_quote(lab: Lab, inside: bytes) -> None:
    start, stop, at = lab.both("scan_string", b'"' + inside, 0)
    first = re.search(rb'["\\\x00-\x1f\x80-\xff]', inside)
    if at >= 0:
        assert (start, stop, at) == (1, 1 + first.start(), 2 + first.start())
        assert inside[stop - 1 : stop] == b'"'
    elif first is None:
        assert at == TRUNCATED
    else:
        assert at == (SHAPE if first[0] < b" " else ESCAPE)


times = st.builds(
    lambda time, part: time.isoformat()[:19] + ("." + part if part else "") + "Z",
    st.datetimes(datetime(1969, 12, 1), datetime(2263, 1, 1)),  # noqa: DTZ001 - only their text is used
    st.integers(0, 10).flatmap(lambda count: st.text("0123456789", min_size=count, max_size=count)),
)


@given(times, st.integers(0, 40), st.sampled_from("0123456789:-TZ.+\u0661"))
@settings(max_examples=600, deadline=None)
def test_a_time_is_the_plain_readers_or_refused_by_both(lab: Lab, time: str, place: int, other: str) -> None:
    for text in (time, time[:place] + other + time[place + 1 :]):
        value, at, _ = lab.both("scan_instant", f'"{text}"'.encode(), 0)
        try:
            wanted = instant(text)
        except DecodeError:
            assert at < 0
        else:
            assert (value, at) == (wanted, len(text) + 2)


@pytest.mark.parametrize("day", ["2024-02-29", "2000-02-29", "2100-02-28", "2023-12-31", "1970-01-01", "2262-04-11"])
def test_days_that_exist(lab: Lab, day: str) -> None:
    text = f"{day}T00:00:00Z"
    assert lab.both("scan_instant", f'"{text}"'.encode(), 0)[:2] == (instant(text), 22)


@pytest.mark.parametrize(
    "day", ["2023-02-29", "2100-02-29", "2024-04-31", "2024-13-01", "2024-00-10", "2024-01-00", "2024-01-32"]
)
def test_days_that_do_not(lab: Lab, day: str) -> None:
    assert lab.both("scan_instant", f'"{day}T00:00:00Z"'.encode(), 0)[1] == SHAPE


def test_names_are_compared_whole(lab: Lab) -> None:
    data = b"lastUpdateIdX"
    assert lab.both("same", data, 0, 12)[0] == 1
    assert [lab.both("same", data, at, stop)[0] for at, stop in ((0, 11), (0, 13), (1, 13), (-1, 11), (0, 99))] == [0] * 5
    assert lab.both("name", data, 0, 8)[0] == packed(b"lastUpda")
    assert lab.both("name", data, 4, 6)[0] == packed(b"Up")
    assert [lab.both("name", data, at, stop)[0] for at, stop in ((0, 9), (3, 3), (5, 3), (-1, 3), (10, 14))] == [0] * 5
    assert bytes(WANTED) == b"lastUpdateId"
    assert WANTED.dtype == literal(b"").dtype == np.uint8
    for wrong in (b"", b"123456789"):
        with pytest.raises(ValueError, match="1 to 8 bytes"):
            packed(wrong)


def test_every_symbol_is_found_in_its_group_and_no_other(lab: Lab) -> None:
    for (group, symbol), row in SYMBOLS.items():
        data = b'"' + symbol.encode() + b'"'
        found = lab.compiled("find_symbol", data, 1, 1 + len(symbol), group)[0]
        assert tuple(lab.symbols[found, 6:8].tolist()) == row
        assert lab.plain("find_symbol", data, 1, 1 + len(symbol), group)[0] == found
    for data, group in ((b"COIN300USDT", 0), (b"COIN1USDTX", 0), (b"COIN1USDT", 2), (b"X" * 32, 0), (b"X" * 33, 1), (b"", 0)):
        assert lab.both("find_symbol", data, 0, len(data), group)[0] == -1
