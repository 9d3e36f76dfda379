"""Eight bytes at once: the two things that compiled Python cannot say by itself, each with its plain twin.

Both are checked: no argument whatever makes them read outside the array. With ``NUMBA_BOUNDSCHECK=1`` a read outside raises
where it otherwise answers 0, as a read of one byte does.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import extending, types
from numba.core import cgutils
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from vtframe.buffers.native import native

intrinsic: Any = extending.intrinsic  # numba states no types that fit its own extensions
overload: Any = extending.overload
settings: Any = numba.config

Text = NDArray[np.uint8]
"""One message and ``SPARE`` bytes after it: a part of a scanner's buffer."""


@native
def load(text: Text, at: int) -> int:
    """The eight bytes from ``at`` as one int64, the first byte lowest; 0 where they do not all lie in the array."""
    if at < 0 or at + 8 > len(text):
        if settings.BOUNDSCHECK:
            raise IndexError("index is out of bounds")
        return 0
    return int.from_bytes(text[at : at + 8].tobytes(), "little", signed=True)


@native
def first_bit(word: int) -> int:
    """Place of the lowest bit that is set, from 0; 64 where none is."""
    return (word & -word).bit_length() - 1 if word else 64


@intrinsic
def _load(_: Any, text: Any, at: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = make_array(signature.args[0])(context, builder, arguments[0])
        place = arguments[1]
        length = builder.extract_value(array.shape, 0)
        room = builder.sub(length, context.get_constant(types.intp, 8))
        fits = builder.and_(
            builder.icmp_signed(">=", place, context.get_constant(types.intp, 0)), builder.icmp_signed("<=", place, room)
        )
        if context.enable_boundscheck:
            with builder.if_then(builder.not_(fits), likely=False):
                context.call_conv.return_user_exc(builder, IndexError, ("index is out of bounds",))
        result = cgutils.alloca_once_value(builder, context.get_constant(types.int64, 0))
        with builder.if_then(fits, likely=True):
            source = builder.gep(array.data, [place])
            word = builder.load(builder.bitcast(source, cgutils.intp_t.as_pointer()))
            word.align = 1
            builder.store(word, result)
        return builder.load(result)

    return types.int64(text, types.int64), build


@intrinsic
def _first_bit(_: Any, word: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], cgutils.false_bit)

    return types.int64(types.int64), build


@overload(load, jit_options={"error_model": "numpy"})
def _overload_load(text, at):  # type: ignore[no-untyped-def]  # numba compares its parameters with the lambda's
    return lambda text, at: _load(text, at)


@overload(first_bit, jit_options={"error_model": "numpy"})
def _overload_first_bit(word):  # type: ignore[no-untyped-def]  # as above
    return lambda word: _first_bit(word)
