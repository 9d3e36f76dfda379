"""Messages made wrong or unusual in seeded ways: what a fast decoder must read as the plain one does, or leave to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

_WEDGES = (
    b'"',
    b"\\",
    b"\\u0041",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"\n",
    b"-",
    b"+",
    b".",
    b"e5",
    b"E-2",
    b"0",
    b"00",
    b"9" * 19,
    b"1e400",
    b"null",
    b"true",
    b'""',
    b"\x00",
    b"\xff",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"[" * 60,
    b'{"a":' * 60,
)


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One or two changes of ``data``."""
    for _ in range(int(rng.integers(1, 3))):
        data = _CHANGES[int(rng.integers(len(_CHANGES)))](data, rng)
    return data


def _place(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data) + 1))


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _place(data, rng)]


def _drop(data: bytes, rng: np.random.Generator) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 12)) :]


def _double(data: bytes, rng: np.random.Generator) -> bytes:
    at, length = _place(data, rng), int(rng.integers(1, 40))
    return data[: at + length] + data[at:]


def _wedge(data: bytes, rng: np.random.Generator) -> bytes:
    at = _place(data, rng)
    return data[:at] + _WEDGES[int(rng.integers(len(_WEDGES)))] + data[at:]


def _overwrite(data: bytes, rng: np.random.Generator) -> bytes:
    at = _place(data, rng)
    wedge = _WEDGES[int(rng.integers(len(_WEDGES)))]
    return data[:at] + wedge + data[at + len(wedge) :]


def _digit(data: bytes, rng: np.random.Generator) -> bytes:
    places = [k for k, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return data
    at = places[int(rng.integers(len(places)))]
    return data[:at] + bytes([int(rng.choice(list(b"0123456789.-e")))]) + data[at + 1 :]


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    if not data:
        return data
    at = int(rng.integers(len(data)))
    return data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :]


def _as_json(change: Callable[[Any, np.random.Generator], Any]) -> Callable[[bytes, np.random.Generator], bytes]:
    """A change of what a message says; left alone where it says nothing any more."""

    def changed(data: bytes, rng: np.random.Generator) -> bytes:
        try:
            value = json.loads(data, parse_float=_Digits, parse_int=_Digits)
        except (ValueError, RecursionError):
            return data
        return _written(change(value, rng), spaces=bool(rng.integers(2))).encode()

    return changed


class _Digits(str):
    """A number, as it was written."""

    __slots__ = ()


def _written(value: Any, *, spaces: bool) -> str:
    comma, colon = (" , ", " :\t") if spaces else (",", ":")
    if isinstance(value, _Digits):
        return str(value)
    if isinstance(value, dict):
        return "{" + comma.join(json.dumps(k) + colon + _written(v, spaces=spaces) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + comma.join(_written(item, spaces=spaces) for item in value) + "]"
    return json.dumps(value)


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in _objects(item))]
    return [found for item in value for found in _objects(item)] if isinstance(value, list) else []


def _arrays(value: Any) -> list[list[Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] * isinstance(value, list) + [found for item in inner for found in _arrays(item)]


def _reorder(value: Any, rng: np.random.Generator) -> Any:
    objects = _objects(value)
    if objects:
        chosen = objects[int(rng.integers(len(objects)))]
        items = list(chosen.items())
        chosen.clear()
        chosen.update(items[k] for k in rng.permutation(len(items)))
    return value


def _member(value: Any, rng: np.random.Generator) -> Any:
    """Another member, a member less, or a member of another type."""
    objects = _objects(value)
    if objects:
        chosen = objects[int(rng.integers(len(objects)))]
        what = int(rng.integers(3))
        keys = list(chosen)
        if what == 0 or not keys:
            chosen[str(rng.choice(["new", "s", "ts", "e", "data", "é", "a\nb"]))] = [{"deep": [_Digits("1e-7")]}]
        elif what == 1:
            del chosen[keys[int(rng.integers(len(keys)))]]
        else:
            chosen[keys[int(rng.integers(len(keys)))]] = [None, True, _Digits("12.50"), "x", [], {}][int(rng.integers(6))]
    return value


def _item(value: Any, rng: np.random.Generator) -> Any:
    """An item twice, an item less, or items in another order."""
    arrays = [array for array in _arrays(value) if array]
    if arrays:
        chosen = arrays[int(rng.integers(len(arrays)))]
        at, what = int(rng.integers(len(chosen))), int(rng.integers(3))
        if what == 0:
            chosen.insert(at, chosen[at])
        elif what == 1:
            del chosen[at]
        else:
            chosen[:] = [chosen[k] for k in rng.permutation(len(chosen))]
    return value


def _number(value: Any, rng: np.random.Generator) -> Any:
    """One number, or string of digits, becomes another form of a number."""
    forms = (
        "0",
        "0.00",
        "00.1",
        ".5",
        "5.",
        "1e3",
        "-1",
        "+1",
        "9" * 18,
        "9" * 19,
        "9" * 40,
        "1.000000000000000000001",
        "",
        "NaN",
    )
    arrays = [array for array in _arrays(value) if any(isinstance(item, str) for item in array)]
    objects = [o for o in _objects(value) if any(isinstance(item, str) for item in o.values())]
    holders: list[Any] = [*arrays, *objects]
    if holders:
        chosen = holders[int(rng.integers(len(holders)))]
        keys = [k for k, v in (chosen.items() if isinstance(chosen, dict) else enumerate(chosen)) if isinstance(v, str)]
        key = keys[int(rng.integers(len(keys)))]
        form = str(forms[int(rng.integers(len(forms)))])
        chosen[key] = _Digits(form or "0") if isinstance(chosen[key], _Digits) else form
    return value


_CHANGES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    _cut,
    _drop,
    _double,
    _wedge,
    _overwrite,
    _digit,
    _flip,
    *map(_as_json, (_reorder, _member, _item, _number, _number)),
)
