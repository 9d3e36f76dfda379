"""Atomic words in arrays of int64 that several processes map: what one of them publishes, another reads whole and in order.

For kernels. Where compilation is switched off they are plain reads and writes, which serve one process only.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from vtframe.buffers.native import native

intrinsic: Any = extending.intrinsic  # numba states no types that fit its own extensions
overload: Any = extending.overload
_OPTIONS = {"error_model": "numpy"}
_X86 = platform.machine().lower() in {"x86_64", "amd64", "i686"}


@native
def load_acquire(words: NDArray[Any], index: int) -> int:
    """``words[index]``, in one order with every exchange; nothing that follows is read before it."""
    return int(words[index])


@native
def store_release(words: NDArray[Any], index: int, value: int) -> None:
    """``words[index] = value``, seen after everything that was written before it."""
    words[index] = value


@native
def exchange(words: NDArray[Any], index: int, value: int) -> int:
    """Put ``value`` there and return what was there."""
    before = int(words[index])
    words[index] = value
    return before


@native
def compare_exchange(words: NDArray[Any], index: int, expected: int, value: int) -> bool:
    """Put ``value`` there if ``expected`` is there; returns whether it was."""
    if words[index] != expected:
        return False
    words[index] = value
    return True


@native
def fetch_add(words: NDArray[Any], index: int, value: int) -> int:
    """Add ``value`` to it and return what was there."""
    before = int(words[index])
    words[index] = before + value
    return before


@native
def fence() -> None:
    """What was read before it is read before what follows."""


@native
def pause() -> None:
    """Tell the processor that this is a spinning loop."""


def _cell(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(array.data, [arguments[1]])


@intrinsic
def _load(_: Any, words: Any, index: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_cell(context, builder, signature, arguments), "seq_cst", 8)

    return types.int64(words, types.int64), build


@intrinsic
def _store(_: Any, words: Any, index: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[2], _cell(context, builder, signature, arguments), "release", 8)
        return context.get_dummy_value()

    return types.none(words, types.int64, types.int64), build


@intrinsic
def _exchange(_: Any, words: Any, index: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("xchg", _cell(context, builder, signature, arguments), arguments[2], "seq_cst")

    return types.int64(words, types.int64, types.int64), build


@intrinsic
def _compare_exchange(_: Any, words: Any, index: Any, expected: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cell = _cell(context, builder, signature, arguments)
        return builder.extract_value(builder.cmpxchg(cell, arguments[2], arguments[3], "seq_cst", "seq_cst"), 1)

    return types.boolean(words, types.int64, types.int64, types.int64), build


@intrinsic
def _fetch_add(_: Any, words: Any, index: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", _cell(context, builder, signature, arguments), arguments[2], "seq_cst")

    return types.int64(words, types.int64, types.int64), build


@intrinsic
def _fence(_: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("acquire")
        return context.get_dummy_value()

    return types.none(), build


@intrinsic
def _pause(_: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _X86:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.none(), build


@overload(load_acquire, jit_options=_OPTIONS)
def _overload_load(words, index):  # type: ignore[no-untyped-def]  # numba compares its parameters with the lambda's
    return lambda words, index: _load(words, index)


@overload(store_release, jit_options=_OPTIONS)
def _overload_store(words, index, value):  # type: ignore[no-untyped-def]  # as above
    return lambda words, index, value: _store(words, index, value)


@overload(exchange, jit_options=_OPTIONS)
def _overload_exchange(words, index, value):  # type: ignore[no-untyped-def]  # as above
    return lambda words, index, value: _exchange(words, index, value)


@overload(compare_exchange, jit_options=_OPTIONS)
def _overload_compare_exchange(words, index, expected, value):  # type: ignore[no-untyped-def]  # as above
    return lambda words, index, expected, value: _compare_exchange(words, index, expected, value)


@overload(fetch_add, jit_options=_OPTIONS)
def _overload_fetch_add(words, index, value):  # type: ignore[no-untyped-def]  # as above
    return lambda words, index, value: _fetch_add(words, index, value)


@overload(fence, jit_options=_OPTIONS)
def _overload_fence():  # type: ignore[no-untyped-def]  # as above
    return lambda: _fence()


@overload(pause, jit_options=_OPTIONS)
def _overload_pause():  # type: ignore[no-untyped-def]  # as above
    return lambda: _pause()
