"""What was found and what was expected, in TOML's words rather than Python's or msgspec's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from msgspec import inspect

_LONGEST = 50


def found(value: Any) -> str:
    """``"inlin" (string)``: a TOML value, shortened, and its kind."""
    match value:
        case bool():
            return f"{str(value).lower()} (boolean)"
        case int():
            return f"{value} (integer)"
        case float():
            return f"{value} (float)"
        case str():
            return f'"{_shorten(value)}" (string)'
        case list() | tuple():
            return f"{_shorten(repr(list(value)))} (array)"
        case dict():
            return "a table"
        case dt.datetime() | dt.date() | dt.time():
            return f"{value} (date or time)"
    return f"{_shorten(repr(value))} ({type(value).__name__})"


def expected(annotation: Any) -> str:
    """``an integer, at least 1, at most 50``: what a field of this type takes."""
    return _describe(inspect.type_info(annotation))


def choices(annotation: Any) -> tuple[str, ...]:
    """The strings that a field of this type is limited to; empty where it is not."""
    return _choices(inspect.type_info(annotation))


def _choices(info: inspect.Type) -> tuple[str, ...]:
    match info:
        case inspect.LiteralType(values=values):
            return tuple(value for value in values if isinstance(value, str))
        case inspect.EnumType(cls=cls):
            return tuple(member.value for member in cls if isinstance(member.value, str))
        case inspect.UnionType(types=types):
            return tuple(choice for member in types for choice in _choices(member))
        case inspect.Metadata(type=inner):
            return _choices(inner)
    return ()


def _describe(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata(type=inner):
            return _describe(inner)
        case inspect.AnyType():
            return "any value"
        case inspect.NoneType():
            return "nothing"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "an integer" + _bounds(info)
        case inspect.FloatType():
            return "a number" + _bounds(info)
        case inspect.DecimalType():
            return "a decimal number (quoted where every digit counts)"
        case inspect.StrType():
            return "a string" + _bounds(info)
        case inspect.LiteralType(values=values):
            return _one_of(sorted(values, key=str))
        case inspect.EnumType(cls=cls):
            return _one_of([member.value for member in cls])
        case inspect.UnionType(types=types):
            return " or ".join(_describe(member) for member in types if not isinstance(member, inspect.NoneType))
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            return f"an array, each {_describe(info.item_type)}" + _bounds(info)
        case inspect.TupleType(item_types=types):
            return "an array of " + ", then ".join(_describe(member) for member in types)
        case inspect.DictType(value_type=value):
            return f"a table, each value {_describe(value)}"
        case inspect.StructType():
            return "a table"
        case inspect.DateTimeType():
            return "a date and time"
        case inspect.DateType():
            return "a date"
        case inspect.TimeType():
            return "a time"
    return f"a value for {getattr(info, 'cls', type(info)).__name__}"


def _bounds(info: Any) -> str:
    words = [
        ("gt", "more than {}"),
        ("ge", "at least {}"),
        ("lt", "less than {}"),
        ("le", "at most {}"),
        ("multiple_of", "a multiple of {}"),
        ("min_length", "of length {} or more"),
        ("max_length", "of length {} or less"),
        ("pattern", "matching {}"),
    ]
    stated = [(text, getattr(info, name, None)) for name, text in words]
    return "".join(", " + text.format(_plain(value)) for text, value in stated if value is not None)


def _plain(value: Any) -> Any:
    """Bounds as a person writes them: msgspec gives ``ge=0`` of a float back as 0.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _one_of(values: Sequence[Any]) -> str:
    listed = ", ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in values)
    return listed if len(values) == 1 else f"one of {listed}"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
