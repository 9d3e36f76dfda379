"""Features that run as Python beside the compiled ones: the fused kernel calls back, at their place in the order.

One call costs two to three microseconds and what the function itself takes. An exception ends the run that it happened in.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from vtframe.api import BookTop, Delta, Feature, Kernel, KernelError, Moment, Trade
from vtframe.buffers.native import intrinsic, native, overload
from vtframe.features import layout as at
from vtframe.features.plan import HOOKS, Placed, Plan, state_type
from vtframe.kernels.references import place_of

COST = "two to three microseconds a call"
"""Of a feature's function that runs as Python, besides what the function itself takes; as measured."""
_PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6, *[ctypes.c_double] * 3)
"""(feature, hook, instrument, ts_event, ts_recv, side, price, quantity, previous quantity)"""


def slow(feature: Feature, kernel: Kernel) -> str:
    """What a person should know of a feature that runs as Python; empty for one that is compiled."""
    if not feature.python:
        return ""
    hooks = [hook for hook in HOOKS if getattr(kernel, hook) is not None]
    where = f" ({place_of(getattr(kernel, hooks[0]))})" if hooks else ""
    named = ", ".join(hooks) or "it has no function to run"
    told = f"feature {feature.label!r}{where} is not compiled and runs as Python, which is slow"
    return f"{told}: {named} at {COST} and its own time"


class PythonCalls:
    """The way from a pipeline's compiled kernel to its features that are not compiled."""

    def __init__(self, layout: Plan, ints: NDArray[Any], floats: NDArray[np.float64]) -> None:
        self._error: KernelError | None = None
        self._calls: dict[tuple[int, int, int], tuple[Any, ...]] = {}
        self._placed = layout.placed
        for k, placed in enumerate(layout.placed):
            if placed.feature.python:
                for instrument in range(len(ints)):
                    self._prepare(layout, k, instrument, ints[instrument], floats[instrument])
        self._callback = _PROTOTYPE(self._call)  # kept alive: compiled code has its address
        if self._calls:
            ints[:, at.CALLBACK] = ctypes.cast(self._callback, ctypes.c_void_p).value

    def __bool__(self) -> bool:
        return bool(self._calls)

    def raise_error(self) -> None:
        """Raise what a feature raised since the last look."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _prepare(self, layout: Plan, k: int, instrument: int, n: NDArray[Any], f: NDArray[np.float64]) -> None:
        placed = layout.placed[k]
        cells = [f[at.TOP + side * layout.depth : at.TOP + (side + 1) * layout.depth] for side in range(4)]
        for levels in cells:
            levels.flags.writeable = False
        book = BookTop(cells[0], cells[1], cells[2], cells[3], float(f[at.TICK_SIZE]))
        arrays = [(f if state.dtype == "f8" else n)[at_ : at_ + state.length] for _, state, at_ in placed.state]
        state = state_type(placed)(*(arrays or [f[:0]]))
        out = f[placed.out : placed.out + len(placed.kernel.outputs)]
        for hook, name in enumerate(HOOKS):
            function = getattr(placed.kernel, name)
            if function is not None:
                self._calls[k, hook, instrument] = (function, book, state, out, f, placed.inputs)

    def _call(
        self,
        k: int,
        hook: int,
        instrument: int,
        ts_event: int,
        ts_recv: int,
        side: int,
        price: float,
        quantity: float,
        previous: float,
    ) -> None:
        function, book, state, out, f, inputs = self._calls[k, hook, instrument]
        what: Any = Moment(ts_event, ts_recv)
        if hook == _DELTA:
            what = Delta(ts_event, ts_recv, side, np.float64(price), np.float64(quantity), np.float64(previous))
        elif hook == _TRADE:
            what = Trade(ts_event, ts_recv, side, np.float64(price), np.float64(quantity))
        given = (tuple(f[cell] for cell in inputs),) if inputs else ()
        try:
            with np.errstate(all="ignore"):
                function(what, book, state, out, *given)
        except Exception as error:  # noqa: BLE001 - it may not pass through compiled code: it is raised when that returns
            out[:] = np.nan
            self._error = self._error or _failure(self._placed[k], function, error)


_DELTA, _TRADE = HOOKS.index("on_delta"), HOOKS.index("on_trade")


def _failure(placed: Placed, function: Any, error: Exception) -> KernelError:
    where, trace = place_of(function), error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is function.__code__:
            where = f"{function.__code__.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return KernelError(placed.label, f"failed while it ran as Python: {type(error).__name__}: {error}", where)


@native
def call_python(
    address: int,
    feature: int,
    hook: int,
    instrument: int,
    ts_event: int,
    ts_recv: int,
    side: int,
    price: float,
    quantity: float,
    previous: float,
) -> None:
    """Call back at ``address``. Where compilation is switched off, kernels call such features themselves."""


_INTS, _FLOATS = 7, 3


@intrinsic
def _call_python(
    _: Any, address: Any, k: Any, hook: Any, instrument: Any, at: Any, recv: Any, side: Any, p: Any, q: Any, r: Any
) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word, number = ir.IntType(64), ir.DoubleType()
        kind = ir.FunctionType(ir.VoidType(), [word] * (_INTS - 1) + [number] * _FLOATS)
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * _INTS, *[types.float64] * _FLOATS), build


@overload(call_python, jit_options={"error_model": "numpy"})
def _overload_call_python(address, feature, hook, instrument, ts_event, ts_recv, side, price, quantity, previous):  # type: ignore[no-untyped-def]
    return lambda address, feature, hook, instrument, ts_event, ts_recv, side, price, quantity, previous: _call_python(
        address, feature, hook, instrument, ts_event, ts_recv, side, price, quantity, previous
    )
