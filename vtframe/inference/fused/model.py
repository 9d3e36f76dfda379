"""A compiled model: opened like any other, and joined to the features' kernel where it is to run fused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, Graph
from vtframe.buffers.entry import entry_address, forget, table_address
from vtframe.buffers.native import settings, table
from vtframe.inference.fused.compile import compile_program
from vtframe.inference.fused.translate import translate
from vtframe.kernels import KernelCache

_BOUND = 256  # rows of the staging buffer at most; longer batches are answered in parts


class FusedModel:
    """A graph as one compiled function. Keeps api.Model's contract; a row of a batch has the same bits as that row alone.

    ``run`` is its entry (``buffers.entry``), ``operations`` how many multiplications and steps through trees one row takes.
    """

    def __init__(self, graph: Graph, bundle: BundleInfo, *, cache: KernelCache | None = None) -> None:
        """Raises BundleError naming the operator and node that cannot be compiled."""
        program = translate(graph, bundle)
        self.operations = program.operations
        self.run = compile_program(program, window=bundle.window, dtype=bundle.dtype, cache=cache or KernelCache())
        self._window = (bundle.window, len(bundle.columns))
        self._dtype = np.dtype(bundle.dtype)
        self._program = program
        self._outputs = program.output.length
        self._last = bundle.window - 1
        self._kept: list[Any] = []  # arrays that compiled code has the addresses of
        self._call: Any = _quiet(self.run) if settings.DISABLE_JIT else self.run
        self._stage()
        self._expect(1)

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        if batch.shape == self._shape:
            self._input[...] = batch
            self._call(self._address, 0, self._count, self._last)
            return self._answer
        count = len(batch)
        if self._call is None:
            raise ValueError("the model is closed")
        if batch.shape != (count, *self._window) or count == 0:
            raise ValueError(f"found a batch of shape {batch.shape}, expected (n, {self._window[0]}, {self._window[1]}), n > 0")
        if count <= _BOUND:
            self._expect(count)
            return self.predict(batch)
        return np.concatenate([np.array(self.predict(batch[start : start + _BOUND])) for start in range(0, count, _BOUND)])

    def close(self) -> None:
        self._shape: tuple[int, ...] = ()  # no batch has it: every call comes to the message
        self._call = None
        forget(self._address)

    def tables(self, values: NDArray[Any], columns: NDArray[np.uint32], outputs: NDArray[np.float32]) -> Any:
        """A table of arrays for the entry, which reads rows from ``values`` (instruments, rows, all columns) at ``columns`` and
        writes ``outputs`` (instruments, outputs). The memory in it is this model's: one call at a time."""
        program = self._program
        self._kept.append((values, columns, outputs))
        forests = [array for forest in program.forests for array in (forest.nodes, forest.roots, forest.leaves)]
        return table((values, columns, outputs, program.memory, program.places, *forests))

    @property
    def entry(self) -> int:
        """Where compiled code finds the model's entry (``buffers.entry``); valid while the model is open."""
        return entry_address(self.run)

    def _expect(self, count: int) -> None:
        """The next batches have ``count`` rows, until another comes."""
        self._count = count
        self._shape = (count, *self._window)
        self._input = self._staged[:count]
        self._answer = self._answers[:count]

    def _stage(self) -> None:
        """Buffers that batches go through, and the table that the entry finds them in."""
        self._staged: NDArray[Any] = np.zeros((_BOUND, *self._window), self._dtype)
        self._answers = np.zeros((_BOUND, self._outputs), np.float32)
        self._table = self.tables(self._staged, np.arange(self._window[1], dtype=np.uint32), self._answers)
        self._address = table_address(self._table)


def _quiet(run: Any) -> Any:
    """Plain Python warns where compiled code answers nan or infinity."""

    def quiet(*arguments: int) -> int:
        with np.errstate(all="ignore"):
            return int(run(*arguments))

    return quiet
