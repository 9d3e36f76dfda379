"""What a function refers to: its globals, closure cells and attributes of modules. Compiled code is found through these."""

from __future__ import annotations

import builtins
import dis
import enum
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numba.core.dispatcher import Dispatcher

from vtframe.errors import KernelError

TRUSTED = ("numpy", "numba", "math", "cmath", "builtins", "operator")
"""Top-level packages whose functions numba knows; they are part of a digest by name, their versions by the fingerprint."""


class Reference(NamedTuple):
    """``path`` is the name, then attributes of modules: ``("np", "sqrt")``. ``cell`` tells a closure's name from a global."""

    path: tuple[str, ...]
    value: Any
    cell: bool


def place_of(function: Any) -> str:
    """``file:line`` of a function."""
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def references(function: FunctionType, feature: str) -> list[Reference]:
    """Everything that the function (and functions nested in it) loads by name, in order of first use, each once."""
    found: dict[tuple[bool, tuple[str, ...]], Reference] = {}
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for code in _codes(function.__code__):
        own = set(code.co_cellvars) | set(code.co_varnames)
        instructions = list(dis.get_instructions(code))
        for place, instruction in enumerate(instructions):
            name = instruction.argval
            if instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
                if name in function.__globals__:
                    value = function.__globals__[name]
                elif hasattr(builtins, name):
                    value = getattr(builtins, name)
                else:
                    raise KernelError(
                        feature, f"{function.__name__} uses the name {name!r}, which is not defined", place_of(function)
                    )
                cell = False
            elif instruction.opname in {"LOAD_DEREF", "LOAD_CLOSURE", "LOAD_CLASSDEREF"} and name in cells and name not in own:
                try:
                    value = cells[name].cell_contents
                except ValueError:
                    raise KernelError(
                        feature, f"{function.__name__} uses {name!r} before it is set", place_of(function)
                    ) from None
                cell = True
            else:
                continue
            path = [name]
            for following in instructions[place + 1 :]:
                if not isinstance(value, ModuleType) or following.opname not in {"LOAD_ATTR", "LOAD_METHOD"}:
                    break
                if not hasattr(value, following.argval):
                    problem = f"{function.__name__} uses {'.'.join(path)}.{following.argval}, which is not defined"
                    raise KernelError(feature, problem, place_of(function))
                value = getattr(value, following.argval)
                path.append(following.argval)
            found.setdefault((cell, tuple(path)), Reference(tuple(path), value, cell))
    return list(found.values())


def is_trusted(value: Any) -> bool:
    """A module, function or type of a package that numba knows."""
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return (module or "").partition(".")[0] in TRUSTED


def plain_function(value: Any, feature: str) -> FunctionType | None:
    """The Python function to compile in place of ``value``; None where ``value`` is not a function of the author's.

    Raises KernelError for a function that was compiled with options that change its results.
    """
    if isinstance(value, Dispatcher):
        options = value.targetoptions
        for option in ("fastmath", "parallel"):
            if options.get(option):
                problem = f"{value.py_func.__name__} is compiled with {option}=True, which makes results depend on the machine"
                raise KernelError(feature, f"{problem}; take the option away", place_of(value.py_func))
        return value.py_func  # type: ignore[no-any-return]
    if isinstance(value, FunctionType) and not is_native(value) and not is_trusted(value):
        return value
    return None


def is_native(value: Any) -> bool:
    """A function of ours that numba knows by an overload."""
    return bool(getattr(value, "__vtframe_native__", False))


def is_constant(value: Any) -> bool:
    """A value that compiled code can freeze."""
    if isinstance(value, tuple):
        return all(map(is_constant, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufc"
    return value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic, np.dtype, enum.Enum))


def is_type(value: Any) -> bool:
    """A type that compiled code can name: numpy's and Python's scalars, named tuples, enumerations."""
    if not isinstance(value, type):
        return False
    return is_trusted(value) or issubclass(value, enum.Enum) or (issubclass(value, tuple) and hasattr(value, "_fields"))


def is_known(value: Any) -> bool:
    """A function that numba resolves by itself."""
    return is_native(value) or isinstance(value, (BuiltinFunctionType, np.ufunc)) or (callable(value) and is_trusted(value))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
