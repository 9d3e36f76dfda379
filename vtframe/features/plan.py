"""Asks every feature for its kernel, and gives every array of it a place in the memory that all share."""

from __future__ import annotations

import keyword
from collections import namedtuple
from collections.abc import Sequence

import msgspec

from vtframe.api import Feature, Kernel, KernelError, State
from vtframe.features import layout as at
from vtframe.features.inputs import dependency_order, unmet
from vtframe.features.kernel_check import check_function

HOOKS = ("on_delta", "on_trade", "on_frame", "on_row")


class Placed(msgspec.Struct, frozen=True):
    """One feature's kernel and where its memory lies: offsets into an instrument's floats and ints."""

    feature: Feature
    kernel: Kernel
    out: int
    state: tuple[tuple[str, State, int], ...]  # name, array, offset in floats (f8) or ints (i8)
    inputs: tuple[int, ...]  # offsets of the cells that it reads, in floats
    warmup: int  # its own, and what its inputs need before
    leader: int | None  # where ints say which instrument's cells to show (features.leaders); None: each row's own

    @property
    def label(self) -> str:
        return self.feature.label


class Plan(msgspec.Struct, frozen=True):
    """The layout of a pipeline."""

    placed: tuple[Placed, ...]  # in the order of their columns
    order: tuple[int, ...]  # in which they run: each after those that it reads
    columns: tuple[str, ...]
    depth: int
    warmup: int
    floats: int  # float64 cells per instrument
    ints: int  # int64 cells per instrument


class Asked(msgspec.Struct, frozen=True):
    """What a feature says of itself."""

    feature: Feature
    kernel: Kernel
    columns: tuple[str, ...]


def ask(feature: Feature) -> Asked:
    """Ask a feature for its kernel. Raises KernelError naming the feature."""
    kernel = _kernel(feature)
    return Asked(feature, kernel, feature.columns(kernel))


def plan(features: Sequence[Feature]) -> Plan:
    """Ask each feature for its kernel and give every array its place. Raises KernelError naming the feature."""
    asked = [ask(feature) for feature in features]
    made = [one.columns for one in asked]
    columns = _columns(asked)
    read = [one.kernel.inputs for one in asked]
    for fault in unmet(made, read):
        raise KernelError(features[fault.feature].label, f"{fault.problem}; {fault.hint}")
    order = dependency_order(made, read)
    depth = max((one.kernel.depth for one in asked), default=1)
    first = at.TOP + 4 * depth
    cells = {column: first + k for k, column in enumerate(columns)}
    warmup: dict[str, int] = {}
    for k in order:
        longest = asked[k].kernel.warmup + max((warmup[column] for column in read[k]), default=0)
        warmup.update(dict.fromkeys(made[k], longest))
    floats, ints = first + len(columns), at.INT_STATE
    placed = []
    for one in asked:
        arrays = []
        for name, state in one.kernel.state.items():
            arrays.append((name, state, floats if state.dtype == "f8" else ints))
            floats += state.length if state.dtype == "f8" else 0
            ints += state.length if state.dtype == "i8" else 0
        leader = ints if one.feature.instrument else None
        ints += leader is not None
        inputs = tuple(cells[column] for column in one.kernel.inputs)
        place = cells[one.columns[0]]
        placed.append(Placed(one.feature, one.kernel, place, tuple(arrays), inputs, warmup[one.columns[0]], leader))
    return Plan(tuple(placed), order, columns, depth, max(warmup.values(), default=0), floats, ints)


def _columns(asked: Sequence[Asked]) -> tuple[str, ...]:
    columns: dict[str, None] = {}
    for one in asked:
        for column in one.columns:
            if column in columns:
                raise KernelError(
                    one.feature.label, f'its column {column!r} is there twice; give one of the two a name with as = "..."'
                )
            columns[column] = None
    return tuple(columns)


def _kernel(feature: Feature) -> Kernel:
    try:
        kernel = feature.kernel()
    except KernelError:
        raise
    except Exception as error:
        raise KernelError(feature.label, f"kernel() failed: {error!r}") from error
    if not isinstance(kernel, Kernel):
        raise KernelError(feature.label, f"kernel() must return a Kernel, it returned {type(kernel).__name__}")
    if kernel.depth < 1 or kernel.warmup < 0 or not kernel.outputs:
        found = f"depth {kernel.depth}, warmup {kernel.warmup}, {len(kernel.outputs)} outputs"
        raise KernelError(feature.label, f"its kernel needs depth >= 1, warmup >= 0 and an output, found {found}")
    for name, state in kernel.state.items():
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise KernelError(feature.label, f"state {name!r} is not a name that code can use")
        if state.length < 1 or state.dtype not in {"f8", "i8"}:
            raise KernelError(
                feature.label, f"state {name!r} needs a length >= 1 and f8 or i8, found {state.length} of {state.dtype!r}"
            )
    if not all(isinstance(column, str) for column in kernel.inputs) or isinstance(kernel.inputs, str):
        raise KernelError(feature.label, f"inputs must be a tuple of columns' names, found {kernel.inputs!r}")
    for hook in HOOKS:
        function = getattr(kernel, hook)
        if function is not None and not hasattr(getattr(function, "py_func", function), "__code__"):
            raise KernelError(feature.label, f"{hook} must be a plain function, found {type(function).__name__}")
        if function is not None:
            check_function(feature.label, hook, function, kernel)
    return kernel


def state_type(placed: Placed) -> type:
    """The named tuple that a kernel's functions get as ``state``."""
    return namedtuple("State", [name for name, _, _ in placed.state] or ["nothing"])  # noqa: PYI024
