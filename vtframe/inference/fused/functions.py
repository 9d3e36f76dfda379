"""Elementary functions in float32, of additions, multiplications and bits only: they vectorize, and give the same bits on every
machine and in plain Python. Where a library's function is used it is called in float64 and rounded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

F32 = np.float32
ZERO, ONE, HALF, TWO = F32(0), F32(1), F32(0.5), F32(2)
_LOG2_E = F32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = F32(0.693359375), F32(-2.12194440e-4)
_LARGEST, _SMALLEST = F32(88.7228), F32(-104.0)  # beyond them: infinity and 0
_EXP = tuple(F32(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0e-1))
_E0, _E1, _E2, _E3, _E4, _E5 = _EXP
_BIAS, _MANTISSA = np.int32(127), np.int32(23)
_TANH_END = F32(9)  # beyond it tanh is 1 in float32
_A1, _A3, _A5, _A7, _A9, _A11, _A13 = (
    F32(c)
    for c in (
        4.89352455891786e-03,
        6.37261928875436e-04,
        1.48572235717979e-05,
        5.12229709037114e-08,
        -8.60467152213735e-11,
        2.00018790482477e-13,
        -2.76076847742355e-16,
    )
)
_B0, _B2, _B4, _B6 = (F32(c) for c in (4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06))
_ERF_INV = 0.147


def exp(x: Any) -> Any:
    """e to the ``x``: Cephes' expf (Moshier 1992), within 2 units in the last place; 0 below -104, infinity above 88.72."""
    bounded = min(x, _LARGEST)
    bounded = max(bounded, _SMALLEST)
    bounded = bounded if bounded == bounded else ZERO  # noqa: PLR0124 - nan has no integer part
    turns = np.floor(bounded * _LOG2_E + HALF)
    rest = bounded - turns * _LN2_HIGH - turns * _LN2_LOW
    series = ((((_E0 * rest + _E1) * rest + _E2) * rest + _E3) * rest + _E4) * rest + _E5
    near = series * (rest * rest) + rest + ONE
    whole = np.int32(turns)
    first = np.int32(whole >> np.int32(1))  # in two steps: 2 ** whole alone may be out of float32's range
    second = np.int32(whole - first)
    scale = np.int32((first + _BIAS) << _MANTISSA).view(np.float32)
    again = np.int32((second + _BIAS) << _MANTISSA).view(np.float32)
    result = near * scale * again
    if x > _LARGEST:
        result = F32(np.inf)
    if x < _SMALLEST:
        result = ZERO
    return result if x == x else x  # noqa: PLR0124


def sigmoid(x: Any) -> Any:
    return ONE / (ONE + exp(-x))


def tanh(x: Any) -> Any:
    """Eigen's rational approximation, which ONNX Runtime uses as well: within 4 units in the last place."""
    bounded = min(x, _TANH_END)
    bounded = max(bounded, -_TANH_END)
    square = bounded * bounded
    odd = (((((_A13 * square + _A11) * square + _A9) * square + _A7) * square + _A5) * square + _A3) * square + _A1
    even = ((_B6 * square + _B4) * square + _B2) * square + _B0
    return bounded * odd / even


def erf(x: Any) -> Any:
    return F32(math.erf(np.float64(x)))


def log(x: Any) -> Any:
    return F32(np.log(np.float64(x)))


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow."""
    wide = np.float64(x)
    return F32(max(wide, 0.0) + np.log1p(np.exp(-abs(wide))))


def power(x: Any, y: Any) -> Any:
    return F32(np.float64(x) ** np.float64(y))


def probit(x: Any) -> Any:
    """The normal quantile as ONNX Runtime computes it: Winitzki (2008), good to three digits."""
    wide = 2.0 * np.float64(x) - 1.0
    logarithm = np.log((1.0 - wide) * (1.0 + wide))
    half = 2.0 / (3.14159 * _ERF_INV) + 0.5 * logarithm
    root = np.sqrt(-half + np.sqrt(half * half - logarithm / _ERF_INV))
    return F32(1.41421356 * (-root if wide < 0.0 else root))
