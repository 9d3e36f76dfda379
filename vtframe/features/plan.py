"""Asks every feature for its kernel, and gives every array of it a place in the memory that all share."""

from __future__ import annotations

import keyword
from collections import namedtuple
from collections.abc import Sequence

import msgspec

from vtframe.api import Feature, Kernel, KernelError, State
from vtframe.features import layout as at

HOOKS = ("on_delta", "on_trade", "on_frame", "on_row")


class Placed(msgspec.Struct, frozen=True):
    """One feature's kernel and where its memory lies: offsets into an instrument's floats and ints."""

    feature: Feature
    kernel: Kernel
    out: int
    state: tuple[tuple[str, State, int], ...]  # name, array, offset in floats (f8) or ints (i8)


class Plan(msgspec.Struct, frozen=True):
    """The layout of a pipeline."""

    placed: tuple[Placed, ...]
    columns: tuple[str, ...]
    depth: int
    warmup: int
    floats: int  # float64 cells per instrument
    ints: int  # int64 cells per instrument


def plan(features: Sequence[Feature]) -> Plan:
    """Ask each feature for its kernel and give every array its place. Raises KernelError naming the feature."""
    kernels = [(feature, _kernel(feature)) for feature in features]
    depth = max((kernel.depth for _, kernel in kernels), default=1)
    columns: list[str] = []
    out = at.TOP + 4 * depth
    floats = out + sum(len(kernel.outputs) for _, kernel in kernels)
    ints = at.INT_STATE
    placed = []
    for feature, kernel in kernels:
        arrays = []
        for name, state in kernel.state.items():
            arrays.append((name, state, floats if state.dtype == "f8" else ints))
            floats += state.length if state.dtype == "f8" else 0
            ints += state.length if state.dtype == "i8" else 0
        placed.append(Placed(feature, kernel, out, tuple(arrays)))
        for column in feature.columns(kernel):
            if column in columns:
                raise KernelError(
                    feature.label, f'its column {column!r} is there twice; give one of the two a name with as = "..."'
                )
            columns.append(column)
        out += len(kernel.outputs)
    warmup = max((kernel.warmup for _, kernel in kernels), default=0)
    return Plan(tuple(placed), tuple(columns), depth, warmup, floats, ints)


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
    for hook in HOOKS:
        function = getattr(kernel, hook)
        if function is not None and not hasattr(getattr(function, "py_func", function), "__code__"):
            raise KernelError(feature.label, f"{hook} must be a plain function, found {type(function).__name__}")
    return kernel


def state_type(placed: Placed) -> type:
    """The named tuple that a kernel's functions get as ``state``."""
    return namedtuple("State", [name for name, _, _ in placed.state] or ["nothing"])  # noqa: PYI024
