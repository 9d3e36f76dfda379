"""TOML values to typed structs, field by field, so that every fault is found: msgspec alone stops at its first."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from vtframe.config.document import Place
from vtframe.config.wording import choices, expected, found
from vtframe.errors import Fault, nearest

S = TypeVar("S", bound=msgspec.Struct)

_AT = re.compile(r"^(.*?)(?: - at `.*`)?$", re.DOTALL)


def decode_part(
    cls: type[S], raw: Mapping[str, Any], place: Place, *, besides: Collection[str] = ()
) -> tuple[S | None, list[Fault]]:
    """One instance of ``cls`` from the table ``raw`` at ``place``, or every fault that prevents it.

    Keys in ``besides`` (such as ``use``) are somebody else's: neither read nor refused.
    """
    own = {key: value for key, value in raw.items() if key not in besides}
    faults = _struct_faults(cls, own, place, besides=besides)
    if faults:
        return None, faults
    try:
        return msgspec.convert(own, cls), []
    except msgspec.ValidationError as e:  # from __post_init__: fields that do not go together
        return None, [place.fault(_first_line(e))]
    except Exception as e:  # noqa: BLE001 - a part's own code may raise anything; it is that part's fault, and is told
        return None, [place.fault(f"{cls.__name__} cannot be made: {type(e).__name__}: {_first_line(e)}")]


def decode_table(
    cls: type[S], raw: Mapping[str, Any], place: Place, *, required: Collection[str] = (), besides: Collection[str] = ()
) -> tuple[S, list[Fault]]:
    """One of our own tables: fields that are missing or wrong take their defaults, so that checking can go on.

    Every field of ``cls`` has a default; those named in ``required`` must be given nevertheless.
    """
    values, faults = decode_fields(cls, raw, place, required=required, besides=besides)
    return cls(**values), faults


def decode_fields(
    cls: type[S], raw: Mapping[str, Any], place: Place, *, required: Collection[str] = (), besides: Collection[str] = ()
) -> tuple[dict[str, Any], list[Fault]]:
    """The fields of ``cls`` that ``raw`` gives, by name, and the faults of the others."""
    faults = []
    values: dict[str, Any] = {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    for key, value in raw.items():
        if key in besides:
            continue
        field = fields.get(key)
        wrong = [_unknown(key, {*fields, *besides}, place)] if field is None else value_faults(field.type, value, place.at(key))
        faults += wrong
        if field is not None and not wrong:
            values[field.name] = msgspec.convert(value, field.type)
    faults += [_missing(fields[key], place) for key in required if key not in raw]
    return values, faults


def value_faults(annotation: Any, value: Any, place: Place) -> list[Fault]:
    """Every fault of ``value`` as an instance of ``annotation``; inside arrays and tables each stands at its own place."""
    inner = _strip(annotation)
    arguments = get_args(inner)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and isinstance(value, dict):
        faults = _struct_faults(inner, value, place)
    elif isinstance(value, list) and (item := _item_type(inner)) is not None:
        faults = [fault for index, element in enumerate(value) for fault in value_faults(item, element, place.at(index))]
    elif isinstance(value, dict) and get_origin(inner) in (dict, Mapping) and len(arguments) == 2:
        faults = [fault for key, element in value.items() for fault in value_faults(arguments[1], element, place.at(key))]
    elif isinstance(value, float) and math.isnan(value):
        faults = [place.fault(f"found nan (float), expected {expected(annotation)}", "nan is no setting")]
    else:
        faults = []
    return faults or _conversion_faults(annotation, value, place)


def _conversion_faults(annotation: Any, value: Any, place: Place) -> list[Fault]:
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as e:
        if _is_struct(annotation) and isinstance(value, dict):
            return [place.fault(_first_line(e))]
        allowed = choices(annotation)
        hint = nearest(value, allowed) if isinstance(value, str) else ""
        return [place.fault(f"found {found(value)}, expected {expected(annotation)}", hint)]
    except Exception as e:  # noqa: BLE001 - __post_init__ of a part's own struct may raise anything
        return [place.fault(f"cannot be read: {type(e).__name__}: {_first_line(e)}")]
    return []


def _struct_faults(
    cls: type[msgspec.Struct], raw: Mapping[str, Any], place: Place, *, besides: Collection[str] = ()
) -> list[Fault]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    faults = []
    for key, value in raw.items():
        field = fields.get(key)
        if field is None:
            faults.append(_unknown(key, {*fields, *besides}, place))
        else:
            faults += value_faults(field.type, value, place.at(key))
    faults += [_missing(field, place) for key, field in fields.items() if field.required and key not in raw]
    return faults


def _unknown(key: str, valid: Collection[str], place: Place) -> Fault:
    hint = nearest(key, valid) or (f"valid keys: {', '.join(sorted(valid))}" if valid else "it takes no keys")
    return place.at(key).fault("found an unknown key", hint)


def _missing(field: FieldInfo, place: Place) -> Fault:
    return place.at(field.encode_name).fault(f"missing; expected {expected(field.type)}")


def _strip(annotation: Any) -> Any:
    """The type beneath ``Annotated`` and ``| None``."""
    if get_origin(annotation) is Annotated:
        return _strip(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        if len(members) == 1:
            return _strip(members[0])
    return annotation


def _is_struct(annotation: Any) -> bool:
    inner = _strip(annotation)
    return isinstance(inner, type) and issubclass(inner, msgspec.Struct)


def _item_type(annotation: Any) -> Any | None:
    """The element type of a homogeneous array type; None for everything else."""
    arguments = get_args(annotation)
    if get_origin(annotation) in (list, set, frozenset, Sequence) and arguments:
        return arguments[0]
    if get_origin(annotation) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return arguments[0]
    return None


def _first_line(error: Exception) -> str:
    found_text = _AT.match(str(error))
    text = found_text.group(1) if found_text else str(error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__
