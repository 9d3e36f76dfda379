"""What a graph was translated into: steps of kernels over one memory of float32 numbers, for one row at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.inference.fused.tree_layout import Forest

ALIGN = 16  # numbers: a cache line


class Span(NamedTuple):
    """``length`` numbers of memory from ``offset`` on."""

    offset: int
    length: int


class Places(NamedTuple):
    """``length`` entries of the table of places, for gather."""

    offset: int
    length: int


class Step(NamedTuple):
    """One kernel and its arguments: spans of memory, places, whole numbers that are part of the code, or a forest's number."""

    function: Callable[..., None]
    arguments: tuple[Span | Places | int, ...]
    forest: int | None = None  # its arrays stand before the last argument


class Program(NamedTuple):
    """Steps, and the arrays that they work on. Programs with equal ``steps`` share their compiled code."""

    steps: tuple[Step, ...]
    input: Span  # where the window is written, oldest row first
    output: Span
    memory: NDArray[np.float32]  # constants in place, zeros elsewhere
    places: NDArray[np.uint32]
    forests: tuple[Forest, ...]
    operations: int  # multiplications and steps through trees of one row


class Memory:
    """Gives out places in the memory, and collects what constants stand there."""

    def __init__(self) -> None:
        self.size = 0
        self._constants: list[tuple[int, NDArray[np.float32]]] = []
        self._places: list[NDArray[np.uint32]] = []
        self._count = 0

    def allocate(self, length: int) -> Span:
        span = Span(self.size, length)
        self.size += -(-max(length, 1) // ALIGN) * ALIGN
        return span

    def put(self, values: NDArray[Any]) -> Span:
        """A constant, in float32."""
        flat = np.ascontiguousarray(values, np.float32).reshape(-1)
        span = self.allocate(len(flat))
        self._constants.append((span.offset, flat))
        return span

    def put_places(self, places: NDArray[Any]) -> Places:
        flat = places.astype(np.uint32).reshape(-1)
        made = Places(self._count, len(flat))
        self._places.append(flat)
        self._count += len(flat)
        return made

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
        whole = np.zeros(self.size + ALIGN, np.float32)
        start = -(whole.ctypes.data // 4) % ALIGN
        memory = whole[start : start + self.size]
        for offset, values in self._constants:
            memory[offset : offset + len(values)] = values
        places = np.concatenate(self._places) if self._places else np.zeros(1, np.uint32)
        return memory, places
