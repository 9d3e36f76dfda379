"""Compiled entries that other compiled code calls by their address: what is joined so can be exchanged between two calls.

An entry takes four whole numbers, the address of its table of arrays first, and returns one. Where compilation is switched
off, an address is the number under which its object is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np.arrayobj import make_array, populate_array

from vtframe.buffers.native import HANDLES, MAX_DIMENSIONS, intrinsic, native, overload, settings

SIGNATURE = types.int64(types.int64, types.int64, types.int64, types.int64)
"""Of an entry: (address of its table, three numbers) -> a number."""
_OPTIONS = {"error_model": "numpy"}
_numbers = itertools.count(1)
_kept: dict[int, Any] = {}  # without compilation: what an address stands for


class Entry(NamedTuple):
    """An entry and its table, as ``call_entry`` takes them, and what must stay alive while they are in use."""

    address: int
    table: int
    keep: Any


def entry_address(run: Any) -> int:
    """Where compiled code finds ``run``, a dispatcher compiled for SIGNATURE. Its caller keeps ``run`` alive."""
    if settings.DISABLE_JIT:
        return _keep(run)
    (found,) = run.overloads.values()
    return int(found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name))


def table_address(handles: Any) -> int:
    """Where compiled code finds a table made by ``native.table``. Its caller keeps it alive, and may retarget it."""
    return _keep(handles) if settings.DISABLE_JIT else int(handles.ctypes.data)


def forget(*addresses: int) -> None:
    """Let go of what was kept for ``addresses``."""
    for address in addresses:
        _kept.pop(address, None)


def _keep(value: Any) -> int:
    number = next(_numbers)
    _kept[number] = value
    return number


@native
def table_at(address: int) -> Any:
    """The table of arrays at ``address``."""
    return _kept[address]


@intrinsic
def _table_at(_: Any, address: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result = make_array(HANDLES)(context, builder)
        width = context.get_constant(types.intp, 1 + MAX_DIMENSIONS)
        itemsize = context.get_constant(types.intp, 8)
        populate_array(
            result,
            data=builder.inttoptr(arguments[0], result.data.type),
            shape=cgutils.pack_array(builder, [width, width]),  # as many rows as its maker gave it: nobody counts them
            strides=cgutils.pack_array(builder, [builder.mul(width, itemsize), itemsize]),
            itemsize=itemsize,
            meminfo=None,
        )
        return result._getvalue()  # noqa: SLF001 - numba's own way to hand a struct on

    return HANDLES(types.int64), build


@overload(table_at, jit_options=_OPTIONS)
def _overload_table_at(address):  # type: ignore[no-untyped-def]  # numba compares its parameters with the lambda's
    return lambda address: _table_at(address)


@native
def call_entry(entry: int, table: int, first: int, last: int, place: int) -> int:
    """Call the entry at address ``entry``."""
    run: Callable[..., int] = _kept[entry]
    return run(table, first, last, place)


@intrinsic
def _call_entry(_: Any, entry: Any, table: Any, first: Any, last: Any, place: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word] * 4)
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])

    return types.int64(*[types.int64] * 5), build


@overload(call_entry, jit_options=_OPTIONS)
def _overload_call_entry(entry, table, first, last, place):  # type: ignore[no-untyped-def]  # as above
    return lambda entry, table, first, last, place: _call_entry(entry, table, first, last, place)
