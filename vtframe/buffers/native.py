"""Views for compiled code: memory that its caller keeps alive, without a reference count and almost without an argument.

Unpacking an array argument costs 60 ns, so a kernel takes one table of addresses instead (``handles``), made by ``table``,
and finds its arrays in it. Where compilation is switched off, the table is the tuple of arrays itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numba import extending, types
from numba.core import cgutils
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype
from numpy.typing import NDArray

intrinsic: Any = extending.intrinsic  # numba states no types that fit its own extensions
overload: Any = extending.overload
settings: Any = numba.config
_OPTIONS = {"error_model": "numpy"}
MAX_DIMENSIONS = 4
HANDLES = types.Array(types.int64, 2, "C")
"""The numba type of a table of addresses."""


def table(arrays: Sequence[NDArray[Any]]) -> Any:
    """One row for each array: its address and its shape. The caller keeps the arrays alive, and makes a new table (or calls
    ``retarget``) when one of them is replaced."""
    if settings.DISABLE_JIT:
        return list(arrays)
    handles = np.zeros((len(arrays), 1 + MAX_DIMENSIONS), np.int64)
    for index, array in enumerate(arrays):
        retarget(handles, index, array)
    return handles


def retarget(handles: Any, index: int, array: NDArray[Any]) -> None:
    """Let entry ``index`` of the table name another array of the same type."""
    if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
        raise ValueError("compiled code takes aligned, writeable arrays in C order")
    if isinstance(handles, list):
        handles[index] = array
        return
    handles[index, 0] = array.ctypes.data
    handles[index, 1 : 1 + array.ndim] = array.shape


def native(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function that numba knows by an overload: it is left as it is when kernels are bound."""
    function.__vtframe_native__ = True  # type: ignore[attr-defined]
    return function


def array_at(dtype: Any, dimensions: int) -> Callable[[Any, int], NDArray[Any]]:
    """A function ``(handles, index) -> array`` for arrays of that type, in compiled code and in plain Python."""
    array_type = types.Array(from_dtype(np.dtype(dtype)), dimensions, "C", aligned=True)

    @intrinsic
    def attach(_: Any, handles: Any, index: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source = make_array(signature.args[0])(context, builder, arguments[0])
            width = builder.extract_value(source.shape, 1)
            start = builder.gep(source.data, [builder.mul(arguments[1], width)])
            cells = [builder.load(builder.gep(start, [_word(context, k)])) for k in range(1 + dimensions)]
            result = make_array(array_type)(context, builder)
            data = builder.inttoptr(cells[0], result.data.type)
            itemsize = _word(context, context.get_abi_sizeof(context.get_data_type(array_type.dtype)))
            strides = [itemsize]
            for extent in reversed(cells[2:]):
                strides.insert(0, builder.mul(strides[0], extent))
            populate_array(
                result,
                data=data,
                shape=cgutils.pack_array(builder, cells[1:]),
                strides=cgutils.pack_array(builder, strides),
                itemsize=itemsize,
                meminfo=None,
            )
            return result._getvalue()  # noqa: SLF001 - numba's own way to hand a struct on

        return array_type(HANDLES, types.int64), build

    @native
    def at(handles: Any, index: int) -> NDArray[Any]:
        array: NDArray[Any] = handles[index]
        return array

    @overload(at, jit_options=_OPTIONS)
    def _at(handles, index):  # type: ignore[no-untyped-def]  # numba compares its parameters with the lambda's
        def build(handles, index):  # type: ignore[no-untyped-def]
            return attach(handles, index)

        build.__qualname__ = (
            f"attach_{np.dtype(dtype).name}_{len(np.dtype(dtype))}_{dimensions}"  # a symbol's name is made of it
        )
        return build

    return at


@native
def part(array: NDArray[Any], offset: int, length: int) -> NDArray[Any]:
    """``array[offset : offset + length]`` of one contiguous dimension, unchecked: bounds are the code generator's business."""
    return array[offset : offset + length]


@intrinsic
def _part(_: Any, array: Any, offset: Any, length: Any) -> Any:
    array_type = types.Array(array.dtype, 1, "C", aligned=True)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = make_array(signature.args[0])(context, builder, arguments[0])
        result = make_array(array_type)(context, builder)
        itemsize = _word(context, context.get_abi_sizeof(context.get_data_type(array_type.dtype)))
        populate_array(
            result,
            data=builder.gep(source.data, [arguments[1]]),
            shape=cgutils.pack_array(builder, [arguments[2]]),
            strides=cgutils.pack_array(builder, [itemsize]),
            itemsize=itemsize,
            meminfo=None,
        )
        return result._getvalue()  # noqa: SLF001 - numba's own way to hand a struct on

    return array_type(array, types.int64, types.int64), build


@overload(part, jit_options=_OPTIONS)
def _overload_part(array, offset, length):  # type: ignore[no-untyped-def]  # as above
    return lambda array, offset, length: _part(array, offset, length)


def _word(context: Any, value: int) -> Any:
    return context.get_constant(types.intp, value)
