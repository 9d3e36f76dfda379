"""The state of a translation: which tensor of a graph stands where in memory, and the steps so far. For one row at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleError, Node
from vtframe.inference.fused import elementwise
from vtframe.inference.fused.program import Memory, Places, Program, Span, Step
from vtframe.inference.fused.tree_layout import Forest

MAX_NUMBERS = 4_000_000  # of memory: 16 MB
MAX_OPERATIONS = 2_000_000  # of one row: some 200 us


class Tensor:
    """A constant (``array`` holds its numbers), or numbers that a row decides (``array`` holds where each stands in memory).

    So whatever only moves numbers (reshape, slice, transpose, concatenate) is done to ``array``, and costs nothing.
    """

    def __init__(self, array: NDArray[Any], *, constant: bool, wide: bool = False) -> None:
        self.array = array
        self.constant = constant
        self.wide = wide  # float64 in the graph: may only be cast

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


class Translation:
    """Collects steps. ``node`` is the one being translated; ``refusal`` names it."""

    def __init__(self, where: str, *, length: int, shape: tuple[int, ...], name: str, wide: bool) -> None:
        self.where = where
        self.node: Node | None = None
        self.opset = 0  # of the node's domain
        self.operations = 0
        self.forests: list[Forest] = []
        self.tensors: dict[str, Tensor] = {}
        self._steps: list[Step] = []
        self._memory = Memory()
        self._input = self._memory.allocate(length)
        cells = np.arange(length, dtype=np.int64).reshape(shape) + self._input.offset
        self.tensors[name] = Tensor(cells, constant=False, wide=wide)

    def refusal(self, why: str) -> BundleError:
        """What to raise for the node in hand."""
        node = self.node
        named = f"operator {node.operator} (node {node.name or node.outputs[0]!r}) cannot be compiled: " if node else ""
        hint = 'run the model with where = "inline", or in a pool of processes'
        return BundleError(self.where, f"{named}{why}", hint)

    def given(self, index: int) -> Tensor:
        """The node's input, in float32 or constant; refuses where it is not there."""
        found = self.optional(index)
        if found is None:
            raise self.refusal(f"its input {index} is missing")
        return found

    def optional(self, index: int) -> Tensor | None:
        node = self._node()
        name = node.inputs[index] if index < len(node.inputs) else ""
        if not name:
            return None
        if name not in self.tensors:
            raise self.refusal(f"its input {name!r} is not made by any node before it")
        found = self.tensors[name]
        if found.wide and node.operator != "Cast":
            raise self.refusal("it computes in float64; cast the graph's input to float32 first")
        return found

    def constant(self, index: int, what: str) -> NDArray[Any]:
        """The node's input as numbers; refuses where a row decides them."""
        found = self.given(index)
        if not found.constant:
            raise self.refusal(f"its {what} depends on the row")
        return found.array

    def attribute(self, name: str, default: Any = None) -> Any:
        return self._node().attributes.get(name, default)

    def span(self, tensor: Tensor) -> Span:
        """``tensor``'s numbers side by side in memory."""
        if tensor.constant:
            return self._memory.put(tensor.array)
        flat = tensor.array.reshape(-1)
        if len(flat) and (np.diff(flat) == 1).all():
            return Span(int(flat[0]), len(flat))
        made = self._memory.allocate(len(flat))
        whole = Span(0, made.offset)
        self._steps.append(Step(elementwise.gather, (whole, self._memory.put_places(flat), made)))
        return made

    def number(self, *values: float) -> Span:
        """An operator's parameters, as a constant."""
        return self._memory.put(np.array(values, np.float32))

    def emit(
        self,
        function: Callable[..., None],
        *arguments: Span | Places | int,
        shape: tuple[int, ...],
        operations: int = 0,
        forest: int | None = None,
    ) -> Tensor:
        """Append a step that makes a tensor of ``shape``."""
        length = math.prod(shape)
        made = self._memory.allocate(length)
        self._steps.append(Step(function, (*arguments, made), forest))
        self.operations += operations + length
        if self._memory.size > MAX_NUMBERS or self.operations > MAX_OPERATIONS:
            raise self.refusal(
                f"the graph is too large: up to here {self._memory.size:,} numbers and {self.operations:,} operations a row, "
                f"{MAX_NUMBERS:,} and {MAX_OPERATIONS:,} are the most that may run between two frames"
            )
        return Tensor(np.arange(made.offset, made.offset + length, dtype=np.int64).reshape(shape), constant=False)

    def together(self, *tensors: Tensor) -> list[Tensor]:
        """All as constants, or all as places in memory: what is constant is put there."""
        if all(tensor.constant for tensor in tensors):
            return list(tensors)
        return [tensor if not tensor.constant else self._stored(tensor) for tensor in tensors]

    def program(self, outputs: Tensor) -> Program:
        output = self.span(outputs)
        memory, places = self._memory.arrays()
        return Program(tuple(self._steps), self._input, output, memory, places, tuple(self.forests), self.operations)

    def _stored(self, tensor: Tensor) -> Tensor:
        span = self._memory.put(tensor.array)
        return Tensor(np.arange(span.offset, span.offset + span.length).reshape(tensor.shape), constant=False)

    def _node(self) -> Node:
        if self.node is None:
            raise RuntimeError("no node is being translated")
        return self.node
