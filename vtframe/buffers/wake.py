"""System calls for kernels: ring a bell, sleep until one rings, read the clock. Asleep is where Python's own way costs most:
its code has left the caches meanwhile."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils

from vtframe.buffers.native import intrinsic, native, overload

_OPTIONS = {"error_model": "numpy"}
_MONOTONIC: Final = getattr(time, "CLOCK_UPTIME_RAW", getattr(time, "CLOCK_MONOTONIC", 1))  # what time.monotonic_ns reads
_POLLIN: Final = 1
_INT, _LONG, _POINTER = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()
_TIMESPEC = ir.LiteralStructType([_LONG, _LONG])
_POLLFD = ir.LiteralStructType([_INT, ir.IntType(16), ir.IntType(16)])
_LISTENERS: Final = 4_096  # bytes heard at once: rings of a pipe, of which an eventfd has eight


@native
def monotonic_ns() -> int:
    """As time.monotonic_ns."""
    return time.monotonic_ns()


@native
def ring_bell(descriptor: int) -> None:
    """Ring it; a bell that is full of rings will be heard."""
    with suppress(BlockingIOError):
        os.write(descriptor, (1).to_bytes(8, sys.byteorder))


@native
def await_bell(descriptor: int, milliseconds: int) -> int:
    """Sleep until it is rung, at most that long, without the interpreter lock; 1 where it was. It goes on ringing."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return int(bool(poll.poll(milliseconds)))


@native
def hear_bell(descriptor: int) -> None:
    """Take note of the rings so far."""
    with suppress(BlockingIOError):
        os.read(descriptor, _LISTENERS)


def _call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


@intrinsic
def _monotonic(_: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cell = cgutils.alloca_once(builder, _TIMESPEC)
        _call(builder, "clock_gettime", _INT, [_INT(_MONOTONIC), builder.bitcast(cell, _POINTER)])
        seconds, nanoseconds = (builder.load(cgutils.gep_inbounds(builder, cell, 0, place)) for place in range(2))
        return builder.add(builder.mul(seconds, _LONG(1_000_000_000)), nanoseconds)

    return types.int64(), build


@intrinsic
def _ring(_: Any, descriptor: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cell = cgutils.alloca_once_value(builder, _LONG(1))
        _call(builder, "write", _LONG, [builder.trunc(arguments[0], _INT), builder.bitcast(cell, _POINTER), _LONG(8)])
        return context.get_dummy_value()

    return types.none(types.int64), build


@intrinsic
def _await(_: Any, descriptor: Any, milliseconds: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cell = cgutils.alloca_once(builder, _POLLFD)
        builder.store(builder.trunc(arguments[0], _INT), cgutils.gep_inbounds(builder, cell, 0, 0))
        builder.store(ir.IntType(16)(_POLLIN), cgutils.gep_inbounds(builder, cell, 0, 1))
        builder.store(ir.IntType(16)(0), cgutils.gep_inbounds(builder, cell, 0, 2))
        one = _LONG(1) if sys.platform == "linux" else _INT(1)  # nfds_t
        state = _call(builder, "PyEval_SaveThread", _POINTER, [])
        rung = _call(builder, "poll", _INT, [builder.bitcast(cell, _POINTER), one, builder.trunc(arguments[1], _INT)])
        _call(builder, "PyEval_RestoreThread", ir.VoidType(), [state])
        return builder.zext(builder.icmp_signed(">", rung, _INT(0)), _LONG)

    return types.int64(types.int64, types.int64), build


@intrinsic
def _hear(_: Any, descriptor: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cell = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(8), _LISTENERS))
        _call(builder, "read", _LONG, [builder.trunc(arguments[0], _INT), builder.bitcast(cell, _POINTER), _LONG(_LISTENERS)])
        return context.get_dummy_value()

    return types.none(types.int64), build


@overload(monotonic_ns, jit_options=_OPTIONS)
def _overload_monotonic():  # type: ignore[no-untyped-def]  # numba compares its parameters with the lambda's
    return lambda: _monotonic()


@overload(ring_bell, jit_options=_OPTIONS)
def _overload_ring(descriptor):  # type: ignore[no-untyped-def]  # as above
    return lambda descriptor: _ring(descriptor)


@overload(await_bell, jit_options=_OPTIONS)
def _overload_await(descriptor, milliseconds):  # type: ignore[no-untyped-def]  # as above
    return lambda descriptor, milliseconds: _await(descriptor, milliseconds)


@overload(hear_bell, jit_options=_OPTIONS)
def _overload_hear(descriptor):  # type: ignore[no-untyped-def]  # as above
    return lambda descriptor: _hear(descriptor)
