"""A compiled random stream with its state in an array: the same seed gives the same numbers, whatever the C library.

xoshiro256++ 1.0 and splitmix64 of Blackman and Vigna (2019), "Scrambled linear pseudorandom number generators"
(https://prng.di.unimi.it, public domain). The logarithm is our own, of additions, multiplications and one division, because
the last digit of a platform's ``log`` differs between C libraries.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_U = np.uint64
_11, _17, _23, _27, _30, _31, _41, _45, _19 = _U(11), _U(17), _U(23), _U(27), _U(30), _U(31), _U(41), _U(45), _U(19)
_GOLDEN, _MIX1, _MIX2 = _U(0x9E3779B97F4A7C15), _U(0xBF58476D1CE4E5B9), _U(0x94D049BB133111EB)
_SCALE = 2.0**-53
_LN2 = math.log(2.0)
_HALF_ROOT = math.sqrt(0.5)


def fill_state(state: NDArray[np.uint64], seed: np.uint64) -> None:
    """Fill ``state`` with the splitmix64 sequence from ``seed``, as the authors advise."""
    x = _U(seed)
    for index in range(len(state)):
        x = x + _GOLDEN
        z = x
        z = (z ^ (z >> _30)) * _MIX1
        z = (z ^ (z >> _27)) * _MIX2
        state[index] = z ^ (z >> _31)


def next_word(state: NDArray[np.uint64], at: int) -> np.uint64:
    """The next 64 random bits of the stream whose four words of state start at ``at``."""
    s0, s1, s2, s3 = state[at], state[at + 1], state[at + 2], state[at + 3]
    total = s0 + s3
    word: np.uint64 = ((total << _23) | (total >> _41)) + s0
    shifted = s1 << _17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << _45) | (s3 >> _19)
    state[at], state[at + 1], state[at + 2], state[at + 3] = s0, s1, s2, s3
    return word


def uniform(state: NDArray[np.uint64], at: int) -> float:
    """Uniform on [0, 1), 53 bits."""
    return float(np.int64(next_word(state, at) >> _11)) * _SCALE


def natural_log(x: float) -> float:
    """ln x for a normal x > 0, within 1e-14 relative to max(1, |ln x|): 2 atanh((m - 1) / (m + 1)) + e ln 2, x = m 2^e."""
    m, e = math.frexp(x)
    if m < _HALF_ROOT:
        m *= 2.0
        e -= 1
    y = (m - 1.0) / (m + 1.0)  # |y| <= 0.1716, so that y^20 / 21 < 3e-17
    s = y * y
    series = 1.0 / 19.0
    for odd in (17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0):
        series = series * s + 1.0 / odd
    result: float = 2.0 * y * series + e * _LN2
    return result


def exponential(state: NDArray[np.uint64], at: int) -> float:
    """Exponential with mean 1, by inversion; between 1.1e-16 and 36.8."""
    return -natural_log(1.0 - uniform(state, at))
