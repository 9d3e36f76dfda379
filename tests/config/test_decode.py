"""Field-by-field decoding: every fault of a part's table, in words a person can act on."""

from __future__ import annotations

import enum
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from vtframe.api import Feature, Part
from vtframe.config import Document, decode_part
from vtframe.errors import Fault


class Mood(enum.Enum):
    CALM = "calm"
    WILD = "wild"


class Inner(msgspec.Struct):
    size: Annotated[int, Meta(ge=1)]
    note: str = ""


class Sample(Part):
    name = "sample"
    levels: Annotated[int, Meta(ge=1, le=50)]
    ratio: Annotated[float, Meta(gt=0)] = 0.5
    mood: Mood = Mood.CALM
    side: Literal["bid", "ask", "both"] = "both"
    symbols: Annotated[list[str], Meta(min_length=1)] = msgspec.field(default_factory=lambda: ["BTCUSDT"])
    pair: tuple[int, str] | None = None
    capital: Decimal = Decimal(10)
    inner: Inner | None = None
    several: tuple[Inner, ...] = ()
    weights: dict[str, float] = {}

    def __post_init__(self) -> None:
        if self.ratio > self.levels:
            raise ValueError(f"ratio ({self.ratio}) must not be above levels ({self.levels})")


def decode(cls: type[Any], toml: str) -> tuple[Any, list[Fault]]:
    document = Document(Path("x.toml"), "[part]\n" + toml)
    return decode_part(cls, document.data["part"], document.root.at("part"), besides=("use",))


def told(toml: str, cls: type[Any] = Sample) -> list[str]:
    part, faults = decode(cls, toml)
    assert part is None
    return [f"{fault.line} {fault.key}: {fault.problem}; {fault.hint}".removesuffix("; ") for fault in faults]


def test_a_part_takes_its_fields_and_its_defaults() -> None:
    part, faults = decode(
        Sample, 'use = "sample"\nlevels = 3\nratio = 1\ncapital = "0.10"\nmood = "wild"\ninner = { size = 2 }'
    )
    assert faults == []
    assert part == Sample(levels=3, ratio=1.0, capital=Decimal("0.10"), mood=Mood.WILD, inner=Inner(2))
    assert type(part.ratio) is float
    assert part.symbols == ["BTCUSDT"]


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ('levels = "3"', '2 levels: found "3" (string), expected an integer, at least 1, at most 50'),
        ("levels = 3.0", "2 levels: found 3.0 (float), expected an integer, at least 1, at most 50"),
        ("levels = true", "2 levels: found true (boolean), expected an integer, at least 1, at most 50"),
        ("levels = 51", "2 levels: found 51 (integer), expected an integer, at least 1, at most 50"),
        ("levels = 2024-01-01", "2 levels: found 2024-01-01 (date or time), expected an integer, at least 1, at most 50"),
        ("levels = [1]", "2 levels: found [1] (array), expected an integer, at least 1, at most 50"),
        ("levels = { a = 1 }", "2 levels: found a table, expected an integer, at least 1, at most 50"),
        ("", "1 levels: missing; expected an integer, at least 1, at most 50"),
        ("levels = 1\nratio = 0", "3 ratio: found 0 (integer), expected a number, more than 0"),
        ("levels = 1\nratio = nan", "3 ratio: found nan (float), expected a number, more than 0; nan is no setting"),
        (
            'levels = 1\nmood = "calms"',
            '3 mood: found "calms" (string), expected one of "calm", "wild"; did you mean \'calm\'?',
        ),
        (
            'levels = 1\nside = "byd"',
            '3 side: found "byd" (string), expected one of "ask", "bid", "both"; did you mean \'bid\'?',
        ),
        ("levels = 1\nsymbols = []", "3 symbols: found [] (array), expected an array, each a string, of length 1 or more"),
        ('levels = 1\nsymbols = ["a",\n"b",\n3]', "5 symbols 3: found 3 (integer), expected a string"),
        ('levels = 1\nsymbols = "a"', '3 symbols: found "a" (string), expected an array, each a string, of length 1 or more'),
        ('levels = 1\npair = ["a", 1]', "3 pair: found ['a', 1] (array), expected an array of an integer, then a string"),
        ('levels = 1\ncapital = "1,000"', '3 capital: found "1,000" (string), expected a decimal number '),
        ("levels = 1\ninner = { sise = 1, size = 1 }", "3 sise: found an unknown key; did you mean 'size'?"),
        ("levels = 1\nseveral = [{ size = 1 },\n{ size = 0 }]", "4 size: found 0 (integer), expected an integer, at least 1"),
        ('levels = 1\nweights = { a = "x" }', '3 a: found "x" (string), expected a number'),
        ("level = 1\nlevels = 1", "2 level: found an unknown key; did you mean 'levels'?"),
        ("levels = 1\nratio = 2", "1 : ratio (2.0) must not be above levels (1)"),
    ],
)
def test_a_wrong_field_is_told_with_its_line_what_was_found_and_what_was_expected(toml: str, expected: str) -> None:
    (message,) = told(toml)
    assert message.startswith(expected)


def test_every_wrong_field_is_told_at_once() -> None:
    messages = told('levls = 1\nratio = "x"\nside = 3\nsymbols = [1, "a", 2]\nseveral = [{ size = "a" }, { note = 1 }]')
    assert [message.split(":")[0] for message in messages] == [
        "2 levls",
        "3 ratio",
        "4 side",
        "5 symbols 1",
        "5 symbols 3",
        "6 size",
        "6 note",
        "6 size",
        "1 levels",
    ]


def test_a_feature_is_decoded_with_its_as_key_and_without_its_name() -> None:
    class Twice(Feature):
        name = "twice"
        levels: int = 1

    part, faults = decode(Twice, 'as = "deep"\nlevels = 2')
    assert faults == []
    assert (part.label, part.levels) == ("deep", 2)
    assert told('name = "x"', Twice) == ["2 name: found an unknown key; valid keys: as, instrument, levels, use"]
    assert told('as = "Deep"', Twice)[0].startswith('2 as: found "Deep" (string), expected a string, matching ')


def test_a_part_that_breaks_while_it_is_made_is_a_fault_and_no_traceback() -> None:
    class Broken(Part):
        name = "broken"
        x: int = 1

        def __post_init__(self) -> None:
            raise KeyError("inside")

    assert told("x = 2", Broken) == ["1 : Broken cannot be made: KeyError: 'inside'"]


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
).filter(lambda value: value is not None)
_KEYS = st.sampled_from([field.encode_name for field in msgspec.structs.fields(Sample)]) | st.text(max_size=5)


@given(st.dictionaries(_KEYS, _ANYTHING, max_size=5))
def test_decoding_agrees_with_msgspec_on_what_is_right(raw: dict[str, Any]) -> None:
    document = Document(Path("x.toml"), "", overrides={"part": raw})
    part, faults = decode_part(Sample, raw, document.root.at("part"))
    try:
        reference = msgspec.convert(
            raw, msgspec.defstruct("Strict", [], bases=(Sample,), forbid_unknown_fields=True, kw_only=True)
        )
    except msgspec.ValidationError:
        reference = None
    if faults:
        assert part is None
        assert reference is None or any("nan" in fault.problem for fault in faults) or _unknown_inside(raw)
    else:
        assert reference is not None
        assert msgspec.to_builtins(part) == msgspec.to_builtins(reference)


def _unknown_inside(raw: dict[str, Any]) -> bool:
    """msgspec's own structs take unknown keys; ours, inside a part's table, do not."""
    tables = [raw.get("inner"), *(raw["several"] if isinstance(raw.get("several"), list) else [])]
    return any(isinstance(table, dict) and set(table) - {"size", "note"} for table in tables)
