"""Mistakes in a kernel that can be seen without compiling it: compiled code checks no bounds, and says little of names."""

from __future__ import annotations

import difflib
import dis
from collections.abc import Iterator
from typing import Any, NamedTuple

from vtframe.api import BookTop, Delta, Kernel, KernelError, Moment, Trade
from vtframe.kernels.references import place_of

_WHAT: dict[str, Any] = {"on_delta": Delta, "on_trade": Trade, "on_frame": Moment, "on_row": Moment}
_SUBSCRIPTS = {"BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR", "COPY"}  # COPY: of an augmented assignment


class _Use(NamedTuple):
    """``name[place]``, ``name.field`` or ``name.field[place]`` with a constant place, of an argument."""

    name: str
    field: str | None
    place: int | None
    line: int


def check_function(label: str, hook: str, function: Any, kernel: Kernel) -> None:
    """Raise KernelError with file and line for an argument, a name or a constant index that cannot be."""
    plain = getattr(function, "py_func", function)
    code = plain.__code__
    names = code.co_varnames[: code.co_argcount]
    wanted = ("what happened", "book", "state", "out", "inputs")[: 5 if kernel.inputs else 4]
    if len(names) != len(wanted) or code.co_kwonlyargcount or code.co_flags & 0x0C:  # *args, **kwargs
        why = "; the fifth is for what it reads, named in inputs" if {len(names), len(wanted)} == {4, 5} else ""
        raise KernelError(
            label, f"{hook} takes ({', '.join(names)}), it is called with ({', '.join(wanted)}){why}", place_of(plain)
        )
    roles = dict(zip(names, wanted, strict=True))
    for use in _uses(code, names):
        problem = _problem(use, roles[use.name], hook, kernel)
        if problem:
            raise KernelError(label, f"{hook} {problem}", f"{code.co_filename}:{use.line}")


def _problem(use: _Use, role: str, hook: str, kernel: Kernel) -> str:
    if role == "out" and use.field is None:
        hint = 'name every column: outputs=("a", "b", ...)'
        return _beyond(use.name, use.place, len(kernel.outputs), "cells, one for each of outputs", hint)
    if role == "inputs" and use.field is None:
        return _beyond(use.name, use.place, len(kernel.inputs), "cells, one for each of inputs", "name more in inputs")
    if use.field is None or use.field.startswith("_"):
        return ""
    if role == "state":
        state = kernel.state.get(use.field)
        if state is None:
            return _unknown(use, kernel.state, "its state has", "declare it: state={...}")
        return _beyond(f"{use.name}.{use.field}", use.place, state.length, "cells", "declare it longer")
    if role == "book":
        if use.field not in BookTop._fields:
            return _unknown(use, BookTop._fields, "a book has", "")
        hint = f"say depth={(use.place or 0) + 1}"
        return _beyond(f"{use.name}.{use.field}", use.place, kernel.depth, "levels, as depth says", hint)
    if role == "what happened" and use.field not in _WHAT[hook]._fields:
        return _unknown(use, _WHAT[hook]._fields, "there is", "")
    return ""


def _beyond(text: str, index: int | None, length: int, of_what: str, hint: str) -> str:
    if index is None or -length <= index < length:
        return ""
    return f"uses {text}[{index}], beyond its {length} {of_what}; {hint}"


def _unknown(use: _Use, valid: Any, there: str, hint: str) -> str:
    near = difflib.get_close_matches(use.field or "", list(valid), n=1)
    told = f"did you mean {near[0]!r}?" if near else f"{there} {', '.join(valid) or 'nothing'}"
    return f"uses {use.name}.{use.field}, which is not there; {told}" + (f"; or {hint}" if hint and near else "")


def _uses(code: Any, names: tuple[str, ...]) -> Iterator[_Use]:
    """What is done with arguments, where it can be seen. An argument that is assigned to may be anything."""
    instructions = [one for one in dis.get_instructions(code) if one.opname not in {"CACHE", "NOP"}]
    rebound = {one.argval for one in instructions if one.opname == "STORE_FAST"}
    line = code.co_firstlineno
    for place, one in enumerate(instructions):
        line = (one.positions.lineno if one.positions else None) or line
        if not one.opname.startswith("LOAD_FAST") or one.argval not in names or one.argval in rebound:
            continue
        rest = instructions[place + 1 : place + 4]
        field = None
        if rest and rest[0].opname == "LOAD_ATTR":
            field = str(rest.pop(0).argval)
        index = None
        if len(rest) > 1 and rest[0].opname == "LOAD_CONST" and rest[1].opname in _SUBSCRIPTS and type(rest[0].argval) is int:
            index = rest[0].argval
        if field is not None or index is not None:
            yield _Use(one.argval, field, index, line)
