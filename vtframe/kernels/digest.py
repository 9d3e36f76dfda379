"""A name for what a kernel computes: the hash of everything that decides it, so that stale compiled code is never loaded.

The bytecode is hashed, not the source text: it is what runs, even if the file was edited since it was imported, and a new
comment compiles nothing.
"""

from __future__ import annotations

import enum
import hashlib
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from vtframe.errors import KernelError
from vtframe.kernels.references import (
    Reference,
    is_constant,
    is_known,
    is_trusted,
    is_type,
    place_of,
    plain_function,
    references,
)


class Digest:
    """Collects functions and texts; ``hexdigest`` names them all."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._seen: dict[int, int] = {}  # function: order of its first visit
        self._keep: list[FunctionType] = []  # so that no id is used twice
        self._open: list[FunctionType] = []  # being visited, the outermost first

    def text(self, *parts: object) -> None:
        for part in parts:
            data = str(part).encode()
            self._hash.update(b"%d:" % len(data))
            self._hash.update(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def root(self, function: Any, feature: str) -> None:
        """A kernel function as its author gave it: plain, or compiled by the author."""
        self.function(plain_function(function, feature) or function, feature)

    def function(self, function: FunctionType, feature: str) -> None:
        """The function, and every function and value that it can reach. Raises KernelError for what cannot be compiled."""
        if function in self._open:
            problem = f"{function.__name__} calls itself, which a kernel from the cache cannot do; write it as a loop"
            raise KernelError(feature, problem, place_of(function))
        known = self._seen.get(id(function))
        if known is not None:
            self.text("again", known)
            return
        self._seen[id(function)] = len(self._seen)
        self._keep.append(function)
        self.text("function", function.__qualname__)
        self._code(function.__code__)
        self._constant(function.__defaults__ or ())
        for name, default in sorted((function.__kwdefaults__ or {}).items()):
            self.text(name)
            self._constant(default)
        self._open.append(function)
        for reference in references(function, feature):
            self.text(*reference.path)
            self._value(reference, function, feature)
        self._open.pop()

    def _value(self, reference: Reference, function: FunctionType, feature: str) -> None:
        value = reference.value
        target = plain_function(value, feature)
        if target is not None:
            self.function(target, feature)
        elif is_constant(value):
            self._constant(value)
        elif isinstance(value, ModuleType) and is_trusted(value):
            self.text("module", value.__name__)
        elif is_type(value):
            self.text("type", value.__module__, value.__qualname__, getattr(value, "_fields", ""))
            for member in value if issubclass(value, enum.Enum) else ():
                self._constant(member)
        elif is_known(value):
            self.text("known", getattr(value, "__module__", ""), getattr(value, "__name__", repr(value)))
        else:
            name = ".".join(reference.path)
            problem = f"{function.__name__} uses {name!r}, a {type(value).__name__}, which compiled code cannot hold"
            hint = f"; read what you need of it into a local of kernel() first: value = {name}.value"
            raise KernelError(feature, problem + (hint if reference.cell else ""), place_of(function))

    def _constant(self, value: Any) -> None:
        if isinstance(value, (tuple, frozenset)):
            items = value if isinstance(value, tuple) else sorted(value, key=repr)
            self.text(type(value).__name__, len(items))
            for item in items:
                self._constant(item)
        elif isinstance(value, np.ndarray):
            self.text("array", value.dtype, value.shape)
            self._hash.update(np.ascontiguousarray(value).tobytes())
        elif isinstance(value, float):
            self.text("float", float(value).hex())
        elif isinstance(value, CodeType):
            self._code(value)
        else:
            self.text(type(value).__name__, repr(value))

    def _code(self, code: CodeType) -> None:
        self._hash.update(code.co_code)
        self._hash.update(getattr(code, "co_exceptiontable", b""))
        self.text(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self.text(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        self._constant(code.co_consts)
