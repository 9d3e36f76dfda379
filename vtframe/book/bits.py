"""The highest and the lowest bit of an int64 word that is not 0: one machine instruction each in compiled code."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from vtframe.buffers.native import intrinsic, native, overload

_WORD = 64
_ALL = (1 << _WORD) - 1


@native
def highest(word: int) -> int:
    """Number of the highest bit that is set."""
    return (int(word) & _ALL).bit_length() - 1


@native
def lowest(word: int) -> int:
    """Number of the lowest bit that is set."""
    found = int(word) & _ALL
    return (found & -found).bit_length() - 1


_NOT_ZERO = ir.Constant(ir.IntType(1), 1)  # lets the processor's own answer to 0 stand


@intrinsic
def _highest(_: Any, word: Any) -> Any:
    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], _NOT_ZERO)
        return builder.sub(ir.Constant(zeros.type, _WORD - 1), zeros)

    return types.int64(types.int64), build


@intrinsic
def _lowest(_: Any, word: Any) -> Any:
    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], _NOT_ZERO)

    return types.int64(types.int64), build


@overload(highest, jit_options={"error_model": "numpy"})
def _overload_highest(word):  # type: ignore[no-untyped-def]  # numba compares it with the lambda
    return lambda word: _highest(word)


@overload(lowest, jit_options={"error_model": "numpy"})
def _overload_lowest(word):  # type: ignore[no-untyped-def]  # as above
    return lambda word: _lowest(word)
