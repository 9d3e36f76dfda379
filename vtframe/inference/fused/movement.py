"""Translates the operators that only move numbers, or know them already: nothing is left of them in the compiled kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.inference.fused.translation import Tensor, Translation

_FLOAT, _DOUBLE = 1, 11  # TensorProto.DataType
_CASTS = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}


def identity(t: Translation) -> Tensor:
    return t.given(0)


def cast(t: Translation) -> Tensor:
    """Of constants to anything; of what a row decides to float32 alone, which is how rows are written."""
    x, to = t.given(0), t.attribute("to")
    if x.constant and to in _CASTS:
        return Tensor(x.array.astype(_CASTS[to]), constant=True)
    if to != _FLOAT:
        kind = _CASTS.get(to)
        raise t.refusal(f"it casts to {np.dtype(kind).name if kind else f'type {to}'}; only float32 is computed in")
    return Tensor(x.array, constant=False)


def constant(t: Translation) -> Tensor:
    for name, kind in (
        ("value_float", np.float32),
        ("value_int", np.int64),
        ("value_floats", np.float32),
        ("value_ints", np.int64),
    ):
        if t.attribute(name) is not None:
            return Tensor(np.array(t.attribute(name), kind), constant=True)
    value = t.attribute("value")
    if value is None:
        raise t.refusal("it is neither numbers nor a tensor of them")
    return Tensor(value, constant=True)


def constant_of_shape(t: Translation) -> Tensor:
    value = t.attribute("value")
    fill = np.zeros(1, np.float32) if value is None else value
    return Tensor(np.full(t.constant(0, "shape").tolist(), fill[0], fill.dtype), constant=True)


def shape(t: Translation) -> Tensor:
    found = t.given(0).shape[t.attribute("start", 0) : t.attribute("end")]
    return Tensor(np.array(found, np.int64), constant=True)


def reshape(t: Translation) -> Tensor:
    x = t.given(0)
    wanted = t.attribute("shape") if t.opset < 5 else t.constant(1, "shape").tolist()
    if not t.attribute("allowzero", 0):
        wanted = [x.shape[k] if length == 0 and k < len(x.shape) else length for k, length in enumerate(wanted)]
    try:
        return _moved(x, x.array.reshape(wanted))
    except ValueError:
        raise t.refusal(
            f"one row of shape {x.shape} does not take shape {tuple(wanted)}; export with a free batch dimension"
        ) from None


def flatten(t: Translation) -> Tensor:
    x = t.given(0)
    axis = t.attribute("axis", 1)
    axis = axis % len(x.shape) if axis < 0 else axis
    return _moved(x, x.array.reshape(int(np.prod(x.shape[:axis], dtype=np.int64)), -1))


def squeeze(t: Translation) -> Tensor:
    x, axes = t.given(0), _axes(t)
    return _moved(x, np.squeeze(x.array, None if axes is None else tuple(axes)))


def unsqueeze(t: Translation) -> Tensor:
    return _moved(t.given(0), np.expand_dims(t.given(0).array, tuple(_axes(t) or ())))


def transpose(t: Translation) -> Tensor:
    return _moved(t.given(0), np.transpose(t.given(0).array, t.attribute("perm")))


def concat(t: Translation) -> Tensor:
    count = len(t.node.inputs) if t.node else 0
    parts = t.together(*(t.given(index) for index in range(count)))
    return _moved(parts[0], np.concatenate([part.array for part in parts], axis=t.attribute("axis", 1)))


def slice_(t: Translation) -> Tensor:
    x = t.given(0)
    if t.opset < 10:
        starts, ends, axes, steps = t.attribute("starts"), t.attribute("ends"), t.attribute("axes"), None
    else:
        starts, ends = t.constant(1, "start").tolist(), t.constant(2, "end").tolist()
        axes = None if t.optional(3) is None else t.constant(3, "axes").tolist()
        steps = None if t.optional(4) is None else t.constant(4, "steps").tolist()
    places: list[Any] = [slice(None)] * len(x.shape)
    for k, axis in enumerate(axes or range(len(starts))):
        step = steps[k] if steps else 1
        end = None if step < 0 and ends[k] < -x.shape[axis] else ends[k]
        places[axis] = slice(starts[k], end, step)
    return _moved(x, x.array[tuple(places)])


def gather(t: Translation) -> Tensor:
    x, places = t.given(0), t.constant(1, "index").astype(np.int64)
    axis = t.attribute("axis", 0)
    if (places >= x.shape[axis]).any() or (places < -x.shape[axis]).any():
        raise t.refusal(f"it takes place {places.max()} of {x.shape[axis]}")
    return _moved(x, np.take(x.array, places, axis))


def array_feature_extractor(t: Translation) -> Tensor:
    """Of ai.onnx.ml: places of the last axis."""
    x, places = t.given(0), t.constant(1, "index").astype(np.int64).reshape(-1)
    if (places >= x.shape[-1]).any() or (places < 0).any():
        raise t.refusal(f"it takes place {places.max()} of {x.shape[-1]}")
    return _moved(x, np.take(x.array, places, -1))


def expand(t: Translation) -> Tensor:
    x, wanted = t.given(0), t.constant(1, "shape").tolist()
    return _moved(x, np.broadcast_to(x.array, np.broadcast_shapes(x.shape, tuple(wanted))))


def split(t: Translation) -> tuple[Tensor, ...]:
    x, axis = t.given(0), t.attribute("axis", 0)
    count = len(t.node.outputs) if t.node else 1
    sizes = t.attribute("split") if t.opset < 13 else None
    if sizes is None and t.optional(1) is not None:
        sizes = t.constant(1, "sizes").tolist()
    edges: Any = np.cumsum(sizes)[:-1] if sizes is not None else count
    return tuple(_moved(x, part) for part in np.array_split(x.array, edges, axis))


def _axes(t: Translation) -> list[int] | None:
    if t.opset < 13:
        return t.attribute("axes") and list(t.attribute("axes"))
    return None if t.optional(1) is None else t.constant(1, "axes").reshape(-1).tolist()


def _moved(tensor: Tensor, array: NDArray[Any]) -> Tensor:
    return Tensor(array, constant=tensor.constant)


OPERATORS = {
    "Cast": cast,
    "Concat": concat,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Dropout": identity,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Identity": identity,
    "Reshape": reshape,
    "Shape": shape,
    "Slice": slice_,
    "Split": split,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
