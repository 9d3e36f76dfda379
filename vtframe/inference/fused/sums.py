"""Kernels that take many numbers for one: products with matrices, softmax, norms, means. Sums run in one order, first to last,
so a result has the same bits wherever it is computed. Plain Python that is compiled; arrays are float32 of one dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtframe.buffers.native import part
from vtframe.inference.fused import functions as f
from vtframe.inference.fused.functions import F32, ONE, ZERO

_TINY = F32(1e-7)  # softmax_zero: what counts as 0


def matmul(x: Any, w: Any, inner: int, out: Any) -> None:
    """``x`` (rows, inner) times ``w`` (inner, columns). Along columns, so that it vectorizes without reordering any sum."""
    rows = len(x) // inner
    columns = len(out) // rows
    for r in range(rows):
        row = part(out, r * columns, columns)
        given = part(x, r * inner, inner)
        for j in range(columns):
            row[j] = ZERO
        whole = inner // 4 * 4
        for i in range(0, whole, 4):
            a, b, c, d = given[i], given[i + 1], given[i + 2], given[i + 3]
            first = part(w, i * columns, columns)
            second = part(w, (i + 1) * columns, columns)
            third = part(w, (i + 2) * columns, columns)
            fourth = part(w, (i + 3) * columns, columns)
            for j in range(columns):
                row[j] = (((row[j] + a * first[j]) + b * second[j]) + c * third[j]) + d * fourth[j]
        for i in range(whole, inner):
            a = given[i]
            first = part(w, i * columns, columns)
            for j in range(columns):
                row[j] += a * first[j]


def softmax(x: Any, size: int, out: Any) -> None:
    """Over each ``size`` numbers in a row."""
    for start in range(0, len(out), size):
        given, made = part(x, start, size), part(out, start, size)
        largest = given[0]
        for k in range(1, size):
            largest = max(largest, given[k])
        for k in range(size):
            made[k] = f.exp(given[k] - largest)
        total = ZERO
        for k in range(size):
            total += made[k]
        for k in range(size):
            made[k] = made[k] / total


def log_softmax(x: Any, size: int, out: Any) -> None:
    for start in range(0, len(out), size):
        given, made = part(x, start, size), part(out, start, size)
        largest = given[0]
        for k in range(1, size):
            largest = max(largest, given[k])
        total = ZERO
        for k in range(size):
            total += f.exp(given[k] - largest)
        shift = f.log(total)
        for k in range(size):
            made[k] = given[k] - largest - shift


def softmax_zero(x: Any, size: int, out: Any) -> None:
    """Softmax whose zeros count little: as ONNX Runtime computes SOFTMAX_ZERO."""
    for start in range(0, len(out), size):
        given, made = part(x, start, size), part(out, start, size)
        largest = given[0]
        for k in range(1, size):
            largest = max(largest, given[k])
        lowest = f.exp(-largest)
        total = ZERO
        for k in range(size):
            made[k] = f.exp(given[k] - largest) if given[k] > _TINY or given[k] < -_TINY else given[k] * lowest
            total += made[k]
        for k in range(size):
            made[k] = made[k] / total


def normalize_max(x: Any, size: int, out: Any) -> None:
    """Each ``size`` numbers by the largest of them; as they are where that is 0."""
    for start in range(0, len(out), size):
        given, made = part(x, start, size), part(out, start, size)
        largest = given[0]
        for k in range(1, size):
            largest = max(largest, given[k])
        largest = largest if largest != ZERO else ONE
        for k in range(size):
            made[k] = given[k] / largest


def normalize_l1(x: Any, size: int, out: Any) -> None:
    """Each ``size`` numbers by the sum of their magnitudes; as they are where that is 0."""
    for start in range(0, len(out), size):
        given, made = part(x, start, size), part(out, start, size)
        total = ZERO
        for k in range(size):
            total += abs(given[k])
        total = total if total != ZERO else ONE
        for k in range(size):
            made[k] = given[k] / total


def normalize_l2(x: Any, size: int, out: Any) -> None:
    """Each ``size`` numbers by the root of the sum of their squares; as they are where that is 0."""
    for start in range(0, len(out), size):
        given, made = part(x, start, size), part(out, start, size)
        total = ZERO
        for k in range(size):
            total += given[k] * given[k]
        length = np.sqrt(total) if total != ZERO else ONE
        for k in range(size):
            made[k] = given[k] / length


def layer_norm(x: Any, scale: Any, bias: Any, p: Any, out: Any) -> None:
    """Each ``len(scale)`` numbers less their mean by their deviation; ``p``: epsilon."""
    size = len(scale)
    count = F32(size)
    for start in range(0, len(out), size):
        given, made = part(x, start, size), part(out, start, size)
        total = ZERO
        for k in range(size):
            total += given[k]
        mean = total / count
        total = ZERO
        for k in range(size):
            total += (given[k] - mean) * (given[k] - mean)
        deviation = np.sqrt(total / count + p[0])
        for k in range(size):
            made[k] = (given[k] - mean) / deviation * scale[k] + bias[k]


def reduce_sum(x: Any, size: int, out: Any) -> None:
    """Each ``size`` numbers to one."""
    for r in range(len(out)):
        total = ZERO
        for k in range(r * size, (r + 1) * size):
            total += x[k]
        out[r] = total


def reduce_mean(x: Any, size: int, out: Any) -> None:
    reduce_sum(x, size, out)
    for r in range(len(out)):
        out[r] = out[r] / F32(size)


def reduce_max(x: Any, size: int, out: Any) -> None:
    for r in range(len(out)):
        largest = x[r * size]
        for k in range(r * size + 1, (r + 1) * size):
            largest = x[k] if x[k] > largest or x[k] != x[k] else largest
        out[r] = largest


def reduce_min(x: Any, size: int, out: Any) -> None:
    for r in range(len(out)):
        least = x[r * size]
        for k in range(r * size + 1, (r + 1) * size):
            least = x[k] if x[k] < least or x[k] != x[k] else least
        out[r] = least


def reduce_log_sum_exp(x: Any, size: int, out: Any) -> None:
    for r in range(len(out)):
        given = part(x, r * size, size)
        largest = given[0]
        for k in range(1, size):
            largest = max(largest, given[k])
        total = ZERO
        for k in range(size):
            total += f.exp(given[k] - largest)
        out[r] = largest + f.log(total)
