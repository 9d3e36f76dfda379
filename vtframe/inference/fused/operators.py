"""Translates ONNX's own operators (domain ai.onnx), each by a function from a Translation to the node's output."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vtframe.inference.fused import elementwise, sums
from vtframe.inference.fused.translation import Tensor, Translation

Operator = Callable[[Translation], Tensor]


def _unary(function: Callable[..., None], *parameters: tuple[str, float]) -> Operator:
    """An operator of one input; ``parameters`` are attributes with their defaults."""

    def translate(t: Translation) -> Tensor:
        x = t.given(0)
        numbers = [float(t.attribute(name, default)) for name, default in parameters]
        return t.emit(function, t.span(x), *([t.number(*numbers)] if numbers else []), shape=x.shape)

    return translate


def _binary(function: Callable[..., None], plain: Callable[..., Any]) -> Operator:
    """An operator of two or more inputs that are broadcast; constants are computed now."""

    def translate(t: Translation) -> Tensor:
        result = t.given(0)
        for index in range(1, len(t.node.inputs) if t.node else 0):
            result = binary(t, function, plain, result, t.given(index))
        return result

    return translate


def binary(t: Translation, function: Callable[..., None], plain: Callable[..., Any], x: Tensor, y: Tensor) -> Tensor:
    """``x`` and ``y`` broadcast, and each pair made one number."""
    if x.constant and y.constant:
        with np.errstate(all="ignore"):
            return Tensor(np.asarray(plain(x.array, y.array)), constant=True)
    try:
        shape = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise t.refusal(f"shapes {x.shape} and {y.shape} do not go together") from None
    first, second = (Tensor(np.broadcast_to(z.array, shape), constant=z.constant) for z in (x, y))
    return t.emit(function, t.span(first), t.span(second), shape=shape)


def gemm(t: Translation) -> Tensor:
    """``alpha * A @ B + beta * C``, either transposed."""
    a, b = t.given(0), t.given(1)
    left = Tensor(a.array.T, constant=a.constant) if t.attribute("transA", 0) else a
    right = Tensor(b.array.T, constant=b.constant) if t.attribute("transB", 0) else b
    alpha, beta = np.float32(t.attribute("alpha", 1.0)), np.float32(t.attribute("beta", 1.0))
    if alpha != 1:
        right = binary(t, elementwise.multiply, np.multiply, right, Tensor(np.asarray(alpha), constant=True))
    product = multiply_matrices(t, left, right)
    c = t.optional(2)
    if c is None:
        return product
    if beta != 1:
        c = binary(t, elementwise.multiply, np.multiply, c, Tensor(np.asarray(beta), constant=True))
    return binary(t, elementwise.add, np.add, product, c)


def matmul(t: Translation) -> Tensor:
    return multiply_matrices(t, t.given(0), t.given(1))


def multiply_matrices(t: Translation, x: Tensor, w: Tensor) -> Tensor:
    """``x`` (..., inner) by ``w`` (inner, columns) or (inner,)."""
    if len(w.shape) not in (1, 2) or not x.shape or x.shape[-1] != w.shape[0]:
        raise t.refusal(f"shapes {x.shape} and {w.shape}: only a product with one matrix is translated")
    if x.constant and w.constant:
        return Tensor(x.array @ w.array, constant=True)
    shape = (*x.shape[:-1], *w.shape[1:])
    inner = w.shape[0]
    operations = math.prod(x.shape) * math.prod(w.shape[1:])
    return t.emit(sums.matmul, t.span(x), t.span(w), inner, shape=shape, operations=operations)


def clip(t: Translation) -> Tensor:
    x = t.given(0)
    if t.opset < 11:
        least, largest = t.attribute("min", -np.inf), t.attribute("max", np.inf)
    else:
        bounds = [t.optional(1), t.optional(2)]
        if any(bound is not None and not bound.constant for bound in bounds):
            raise t.refusal("its bounds depend on the row")
        least, largest = (
            default if bound is None else bound.array.item() for bound, default in zip(bounds, (-np.inf, np.inf), strict=True)
        )
    return t.emit(elementwise.clip, t.span(x), t.number(least, largest), shape=x.shape)


def elu(t: Translation) -> Tensor:
    x = t.given(0)
    return t.emit(elementwise.elu, t.span(x), t.number(t.attribute("alpha", 1.0), 1.0), shape=x.shape)


def gelu(t: Translation) -> Tensor:
    x = t.given(0)
    function = elementwise.gelu_tanh if t.attribute("approximate", "none") == "tanh" else elementwise.gelu
    return t.emit(function, t.span(x), shape=x.shape)


def _softmax(function: Callable[..., None]) -> Operator:
    def translate(t: Translation) -> Tensor:
        x = t.given(0)
        axis = t.attribute("axis", 1 if t.opset < 13 else -1) % max(len(x.shape), 1)
        if t.opset < 13:  # before opset 13 over all axes from this one on
            size = math.prod(x.shape[axis:])
            return t.emit(function, t.span(x), size, shape=x.shape, operations=10 * math.prod(x.shape))
        last = Tensor(np.moveaxis(x.array, axis, -1), constant=x.constant)
        made = t.emit(function, t.span(last), x.shape[axis], shape=last.shape, operations=10 * math.prod(x.shape))
        return Tensor(np.moveaxis(made.array, -1, axis), constant=False)

    return translate


def lp_normalization(t: Translation) -> Tensor:
    x, axis = t.given(0), t.attribute("axis", -1)
    functions = {1: sums.normalize_l1, 2: sums.normalize_l2}
    order = t.attribute("p", 2)
    if order not in functions:
        raise t.refusal(f"p is {order}, expected 1 or 2")
    last = Tensor(np.moveaxis(x.array, axis, -1), constant=x.constant)
    made = t.emit(functions[order], t.span(last), x.shape[axis], shape=last.shape)
    return Tensor(np.moveaxis(made.array, -1, axis), constant=False)


def batch_normalization(t: Translation) -> Tensor:
    """With the statistics of training: a factor and a shift for each channel."""
    x = t.given(0)
    scale, bias, mean, variance = (t.constant(k, "statistics").astype(np.float64) for k in range(1, 5))
    if t.attribute("training_mode", 0):
        raise t.refusal("it is in training mode; export the model for inference")
    factor = scale / np.sqrt(variance + t.attribute("epsilon", 1e-5))
    shape = (1, -1, *[1] * (len(x.shape) - 2))
    factors = Tensor(factor.reshape(shape).astype(np.float32), constant=True)
    shifts = Tensor((bias - mean * factor).reshape(shape).astype(np.float32), constant=True)
    scaled = binary(t, elementwise.multiply, np.multiply, x, factors)
    return binary(t, elementwise.add, np.add, scaled, shifts)


def layer_normalization(t: Translation) -> Tensor:
    x = t.given(0)
    axis = t.attribute("axis", -1) % len(x.shape)
    tail = x.shape[axis:]
    scale = np.broadcast_to(t.constant(1, "scale"), tail)
    bias = np.broadcast_to(t.constant(2, "bias") if t.optional(2) is not None else np.float32(0), tail)
    spans = [t.span(Tensor(array, constant=True)) for array in (scale, bias)]
    return t.emit(sums.layer_norm, t.span(x), *spans, t.number(t.attribute("epsilon", 1e-5)), shape=x.shape)


def _reduce(function: Callable[..., None]) -> Operator:
    def translate(t: Translation) -> Tensor:
        x = t.given(0)
        axes = t.attribute("axes")
        if axes is None and t.optional(1) is not None:
            axes = t.constant(1, "axes").reshape(-1).tolist()
        if not axes and t.attribute("noop_with_empty_axes", 0):
            return x
        chosen = sorted(axis % len(x.shape) for axis in (axes or range(len(x.shape))))
        kept = [axis for axis in range(len(x.shape)) if axis not in chosen]
        moved = np.transpose(x.array, [*kept, *chosen])
        size = math.prod(x.shape[axis] for axis in chosen)
        shape = tuple(1 if axis in chosen else length for axis, length in enumerate(x.shape))
        if not t.attribute("keepdims", 1):
            shape = tuple(x.shape[axis] for axis in kept)
        operations = math.prod(x.shape)
        return t.emit(function, t.span(Tensor(moved, constant=x.constant)), size, shape=shape, operations=operations)

    return translate


def imputer(t: Translation) -> Tensor:
    """Of ai.onnx.ml: what is missing becomes a constant."""
    x = t.given(0)
    values = np.asarray(t.attribute("imputed_value_floats") or (), np.float32)
    if values.size not in (1, x.shape[-1]):
        raise t.refusal(f"it has {values.size} numbers for {x.shape[-1]} columns")
    filled = t.span(Tensor(np.broadcast_to(values, x.shape), constant=True))
    return t.emit(elementwise.impute, t.span(x), filled, t.number(t.attribute("replaced_value_float", 0.0)), shape=x.shape)


def _quotient(x: Any, y: Any) -> Any:
    """Of constants: whole numbers, as shapes are made of, are divided without a rest."""
    return np.divide(x, y) if x.dtype.kind == "f" else x // y


OPERATORS: dict[str, Operator] = {
    "Abs": _unary(elementwise.absolute),
    "Add": _binary(elementwise.add, np.add),
    "BatchNormalization": batch_normalization,
    "Celu": _unary(elementwise.celu, ("alpha", 1.0)),
    "Clip": clip,
    "Div": _binary(elementwise.divide, _quotient),
    "Elu": elu,
    "Erf": _unary(elementwise.erf),
    "Exp": _unary(elementwise.exponential),
    "Gelu": gelu,
    "Gemm": gemm,
    "HardSigmoid": _unary(elementwise.hard_sigmoid, ("alpha", 0.2), ("beta", 0.5)),
    "LayerNormalization": layer_normalization,
    "LeakyRelu": _unary(elementwise.leaky_relu, ("alpha", 0.01)),
    "Log": _unary(elementwise.logarithm),
    "LogSoftmax": _softmax(sums.log_softmax),
    "LpNormalization": lp_normalization,
    "MatMul": matmul,
    "Max": _binary(elementwise.maximum, np.maximum),
    "Min": _binary(elementwise.minimum, np.minimum),
    "Mul": _binary(elementwise.multiply, np.multiply),
    "Neg": _unary(elementwise.negative),
    "PRelu": _binary(elementwise.prelu, lambda x, slope: np.where(x < 0, slope * x, x)),
    "Pow": _binary(elementwise.power, np.power),
    "Reciprocal": _unary(elementwise.reciprocal),
    "ReduceLogSumExp": _reduce(sums.reduce_log_sum_exp),
    "ReduceMax": _reduce(sums.reduce_max),
    "ReduceMean": _reduce(sums.reduce_mean),
    "ReduceMin": _reduce(sums.reduce_min),
    "ReduceSum": _reduce(sums.reduce_sum),
    "Relu": _unary(elementwise.relu),
    "Selu": _unary(elementwise.elu, ("alpha", 1.67326319217681884765625), ("gamma", 1.05070102214813232421875)),
    "Sigmoid": _unary(elementwise.sigmoid),
    "Softmax": _softmax(sums.softmax),
    "Softplus": _unary(elementwise.softplus),
    "Softsign": _unary(elementwise.softsign),
    "Sqrt": _unary(elementwise.square_root),
    "Sub": _binary(elementwise.subtract, np.subtract),
    "Sum": _binary(elementwise.add, np.add),
    "Swish": _unary(elementwise.silu, ("alpha", 1.0)),
    "Tanh": _unary(elementwise.tanh),
}
