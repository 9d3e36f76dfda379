"""Kernels that take each number by itself. Plain Python that is compiled; ``x``, ``y``, ``p`` and ``out`` are float32 arrays,
``p`` an operator's parameters; inputs are as long as ``out`` unless it is said."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtframe.inference.fused import functions as f
from vtframe.inference.fused.functions import F32, HALF, ONE, ZERO

_ROOT_HALF = F32(0.7071067811865476)
_GELU_A, _GELU_B = F32(0.7978845608028654), F32(0.044715)


def gather(x: Any, places: Any, out: Any) -> None:
    """``out[k] = x[places[k]]``; ``places`` are unsigned 32-bit integers."""
    for k in range(len(out)):
        out[k] = x[places[k]]


def add(x: Any, y: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = x[k] + y[k]


def subtract(x: Any, y: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = x[k] - y[k]


def multiply(x: Any, y: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = x[k] * y[k]


def divide(x: Any, y: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = x[k] / y[k]


def power(x: Any, y: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = f.power(x[k], y[k])


def maximum(x: Any, y: Any, out: Any) -> None:
    """nan where either is."""
    for k in range(len(out)):
        out[k] = x[k] if x[k] > y[k] or x[k] != x[k] else y[k]


def minimum(x: Any, y: Any, out: Any) -> None:
    """nan where either is."""
    for k in range(len(out)):
        out[k] = x[k] if x[k] < y[k] or x[k] != x[k] else y[k]


def clip(x: Any, p: Any, out: Any) -> None:
    """``p``: least, largest. nan stays nan."""
    least, largest = p[0], p[1]
    for k in range(len(out)):
        value = max(x[k], least)
        out[k] = min(value, largest)


def relu(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = max(x[k], ZERO)


def leaky_relu(x: Any, p: Any, out: Any) -> None:
    """``p``: slope below 0."""
    slope = p[0]
    for k in range(len(out)):
        out[k] = slope * x[k] if x[k] < ZERO else x[k]


def prelu(x: Any, y: Any, out: Any) -> None:
    """``y``: slopes below 0."""
    for k in range(len(out)):
        out[k] = y[k] * x[k] if x[k] < ZERO else x[k]


def elu(x: Any, p: Any, out: Any) -> None:
    """``p``: alpha, and a factor of all (selu's gamma)."""
    alpha, gamma = p[0], p[1]
    for k in range(len(out)):
        out[k] = gamma * (alpha * (f.exp(x[k]) - ONE) if x[k] < ZERO else x[k])


def celu(x: Any, p: Any, out: Any) -> None:
    """``p``: alpha."""
    alpha = p[0]
    for k in range(len(out)):
        out[k] = alpha * (f.exp(x[k] / alpha) - ONE) if x[k] < ZERO else x[k]


def sigmoid(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = f.sigmoid(x[k])


def hard_sigmoid(x: Any, p: Any, out: Any) -> None:
    """``p``: alpha, beta."""
    alpha, beta = p[0], p[1]
    for k in range(len(out)):
        value = alpha * x[k] + beta
        value = max(value, ZERO)
        out[k] = min(value, ONE)


def silu(x: Any, p: Any, out: Any) -> None:
    """``p``: alpha."""
    alpha = p[0]
    for k in range(len(out)):
        out[k] = x[k] * f.sigmoid(alpha * x[k])


def tanh(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = f.tanh(x[k])


def softplus(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = f.softplus(x[k])


def softsign(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = x[k] / (ONE + abs(x[k]))


def erf(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = f.erf(x[k])


def gelu(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = HALF * x[k] * (ONE + f.erf(x[k] * _ROOT_HALF))


def gelu_tanh(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = HALF * x[k] * (ONE + f.tanh(_GELU_A * (x[k] + _GELU_B * (x[k] * x[k] * x[k]))))


def exponential(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = f.exp(x[k])


def logarithm(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = f.log(x[k])


def square_root(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = np.sqrt(x[k])


def absolute(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = abs(x[k])


def negative(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = -x[k]


def reciprocal(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = ONE / x[k]


def probit(x: Any, out: Any) -> None:
    for k in range(len(out)):
        out[k] = f.probit(x[k])


def impute(x: Any, y: Any, p: Any, out: Any) -> None:
    """``y`` where ``x`` is ``p``'s only number (nan: where it is nan)."""
    missing = p[0]
    for k in range(len(out)):
        absent = x[k] == missing or (missing != missing and x[k] != x[k])  # noqa: PLR0124
        out[k] = y[k] if absent else x[k]
