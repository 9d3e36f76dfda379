"""Move part of an array over itself. Compiled to one memmove: a loop or a slice would copy twice or element by element."""

from __future__ import annotations

from typing import Any

from numba import extending, types
from numba.core import cgutils
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

intrinsic: Any = extending.intrinsic  # numba states no types that fit its own extensions
overload: Any = extending.overload


def shift(array: NDArray[Any], start: int, stop: int, by: int) -> None:
    """Copy ``array[start:stop]`` (one contiguous dimension) to ``by`` places further on. Bounds are the caller's business."""
    array[start + by : stop + by] = array[start:stop].copy()


shift.__vtframe_native__ = True  # type: ignore[attr-defined]  # numba knows it by the overload below


@intrinsic
def _shift(_: Any, array: Any, start: Any, stop: Any, by: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        _, start, stop, by = arguments
        itemsize = context.get_abi_sizeof(context.get_data_type(signature.args[0].dtype))
        source = builder.gep(data, [start])
        cgutils.raw_memmove(builder, builder.gep(source, [by]), source, builder.sub(stop, start), itemsize)
        return context.get_dummy_value()

    return types.none(array, types.int64, types.int64, types.int64), build


@overload(shift, jit_options={"error_model": "numpy"})
def _overload_shift(array, start, stop, by):  # type: ignore[no-untyped-def]  # numba compares it with the lambda
    return lambda array, start, stop, by: _shift(array, start, stop, by)
