"""Makes plain Python functions ready to compile, with every function that they reach, under strict floating point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CellType, FunctionType, ModuleType
from typing import Any

import numba
from numba import types

from vtframe.kernels.references import is_trusted, plain_function, references

settings: Any = numba.config
STRICT: dict[str, Any] = {"error_model": "numpy"}  # an empty book gives nan, not an exception; no fastmath, no parallel
"""Compilation options of everything in a fused kernel."""
_INNER: dict[str, Any] = {**STRICT, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # a quarter less to compile
_WITHOUT_COUNTS: dict[str, Any] = {**_INNER, "_nrt": False}


class Binder:
    """Turns functions into dispatchers (or, where compilation is switched off, into bound Python functions).

    All of them get ``module`` for their module's name. Numba makes a symbol of module, name and a counter that starts anew in
    every process: without a module of its own, a kernel from the cache would be linked to another kernel's functions.
    ``replace`` puts other values in the place of functions and of a module's constants: ``{function: value}`` and
    ``{(module name, global name): value}``. ``lean`` is for functions that make no arrays: no reference counts (half of the
    time of small functions), and one version of a function where numba makes one for every constant argument.
    """

    def __init__(self, module: str, replace: Mapping[Any, Any] | None = None, *, lean: bool = False) -> None:
        self._lean = lean
        self._module = module
        self._replace = dict(replace or {})
        self._bound: dict[int, Any] = {}
        self._keep: list[Any] = []  # so that no id is used twice

    def root(self, function: Any, feature: str) -> Any:
        """Bind a kernel function as its author gave it: plain, or compiled by the author."""
        return self.bind(plain_function(function, feature) or function, feature)

    def bind(self, function: FunctionType, feature: str) -> Any:
        """A callable for ``function`` whose globals and cells hold compiled functions where they held plain ones."""
        if function in self._replace:
            return self._replace[function]
        if id(function) in self._bound:
            return self._bound[id(function)]
        names: dict[str, Any] = {"__builtins__": __builtins__, "__name__": self._module}
        cells = {name: CellType() for name in function.__code__.co_freevars}
        bound = FunctionType(function.__code__, names, function.__name__, function.__defaults__, tuple(cells.values()))
        bound.__kwdefaults__ = function.__kwdefaults__
        bound.__qualname__ = function.__qualname__
        bound.__module__ = self._module
        made = _lean(bound) if self._lean else compiled(bound)
        self._bound[id(function)] = made
        self._keep.append(function)
        shims: dict[tuple[bool, str], ModuleType] = {}
        for reference in references(function, feature):
            name = reference.path[0]
            if len(reference.path) > 1 and not is_trusted(_root(function, reference.path[0], cell=reference.cell)):
                value: Any = self._shim(shims, reference.path, reference.value, feature, cell=reference.cell)
            else:
                value = self._value(function, reference.path, reference.value, feature)
            if reference.cell:
                cells[name].cell_contents = value
            else:
                names[name] = value
        return made

    def _value(self, function: FunctionType, path: tuple[str, ...], value: Any, feature: str) -> Any:
        if len(path) > 1:  # an attribute of a trusted module: the module itself is what the code loads
            return _root(function, path[0], cell=path[0] in function.__code__.co_freevars)
        if (function.__module__, path[0]) in self._replace:
            return self._replace[function.__module__, path[0]]
        target = plain_function(value, feature)
        return value if target is None else self.bind(target, feature)

    def _shim(
        self, shims: dict[tuple[bool, str], ModuleType], path: tuple[str, ...], value: Any, feature: str, *, cell: bool
    ) -> ModuleType:
        """A stand-in for an author's module that holds only what is used of it, compiled."""
        module = shims.setdefault((cell, path[0]), ModuleType(path[0]))
        inner = module
        for name in path[1:-1]:
            if name not in inner.__dict__:
                setattr(inner, name, ModuleType(name))
            inner = getattr(inner, name)
        target = plain_function(value, feature)
        setattr(inner, path[-1], value if target is None else self.bind(target, feature))
        return module


def compiled(function: Callable[..., Any]) -> Any:
    """``function`` as a dispatcher under the strict options; itself where compilation is switched off."""
    return function if settings.DISABLE_JIT else numba.njit(**_INNER)(function)


def _lean(function: Callable[..., Any]) -> Any:
    """``function`` as a dispatcher without reference counts that chooses its version by types only."""
    if settings.DISABLE_JIT:
        return function
    dispatcher = numba.njit(**_WITHOUT_COUNTS)(function)
    choose = dispatcher.get_call_template

    def by_type(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return choose(tuple(map(types.unliteral, args)), {name: types.unliteral(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = by_type
    return dispatcher


def _root(function: FunctionType, name: str, *, cell: bool) -> Any:
    if cell:
        place = function.__code__.co_freevars.index(name)
        return (function.__closure__ or ())[place].cell_contents
    return function.__globals__.get(name)
