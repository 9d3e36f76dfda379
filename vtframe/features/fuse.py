"""Joins the kernels of a pipeline's features with the loop into one generated module with one compiled entry."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numba import types

import vtframe
from vtframe.api import BookTop, Delta, Moment, Sampling, Trade
from vtframe.book import bits, checksum, frame, levels, shift
from vtframe.buffers import entry, native
from vtframe.buffers.native import HANDLES, array_at, part
from vtframe.buffers.ring import RowType
from vtframe.domain import EVENT, FRAME, ROW
from vtframe.features import followers, generate, loop, python_calls, row
from vtframe.features import layout as at
from vtframe.features.compile_error import REFUSALS, explain
from vtframe.features.plan import HOOKS, Plan, state_type
from vtframe.features.python_calls import call_python
from vtframe.kernels import bind
from vtframe.kernels.bind import Binder, compiled
from vtframe.kernels.cache import Generated, KernelCache
from vtframe.kernels.digest import Digest
from vtframe.kernels.fingerprint import fingerprint_parts

SIGNATURE = types.int64(HANDLES, types.int64, types.int64)
"""Of the entry: (table of arrays, first frame, last frame) -> one of layout's codes."""
_RULES = {"frame": loop.FRAME, "bbo": loop.BBO, "trade": loop.TRADE, "clock": loop.CLOCK}
_COMPILED = (loop, row)  # modules whose hooks and constants in capitals a pipeline replaces
_ATTACH = {
    "frames_at": array_at(FRAME, 1),
    "events_at": array_at(EVENT, 1),
    "near_at": array_at(np.int64, 3),
    "far_at": array_at(np.int64, 4),
    "ints_at": array_at(np.int64, 2),
    "floats_at": array_at(np.float64, 2),
    "rows_at": array_at(ROW, 2),
    "control_at": array_at(np.int64, 1),
    "followers_at": array_at(np.int64, 2),
}
_ATTACH_VALUES = {"float32": array_at(np.float32, 3), "float64": array_at(np.float64, 3)}
_LEAN: tuple[Any, ...] = (
    checksum.verified,
    frame.apply,
    frame.end_frame,
    levels.change,
    levels.clear,
    levels.fits,
    levels.note_best,
    loop.show_top,
)
"""What the loop calls that makes no array and calls no hook: compiled without reference counts, a fifth of the time."""
_MACHINERY = (
    native,
    entry,
    bits,
    shift,
    bind,
    generate,
    python_calls,
)  # modules that shape the code without being called by it: hashed as text


class Fused(msgspec.Struct, frozen=True):
    """A compiled pipeline: its text, the name of all that decides it, and its entry."""

    source: str
    digest: str
    run: Any


def fuse(layout: Plan, sampling: Sampling, dtype: RowType, cache: KernelCache) -> Fused:
    """Generate, then load from the cache or compile. Raises KernelError naming the author's file and line."""
    source = generate.generate(layout, sampling, dtype)
    constants = {
        "EVERY": _RULES[sampling.every],
        "DEPTH": layout.depth,
        "OUT": at.TOP + 4 * layout.depth,
        "COLUMNS": len(layout.columns),
        "WARMUP": layout.warmup,
        "WITH_DELTAS": any(placed.kernel.on_delta is not None for placed in layout.placed),
        "LED": any(placed.leader is not None for placed in layout.placed),
        "FOLLOW": sampling.leaders,
    }
    digest = _digest(layout, source, constants)
    labels = ", ".join(placed.feature.label for placed in layout.placed)
    what = f"the book and {len(layout.placed)} features ({labels}); kept for the next start" if labels else "the book"
    try:
        run = cache.load(Generated(digest, source, partial(_link, layout, dtype, constants), SIGNATURE, what))
    except REFUSALS as error:
        raise explain(error, layout) from error
    return Fused(source, digest, run)


def _digest(layout: Plan, source: str, constants: dict[str, int]) -> str:
    digest = Digest()
    digest.text(vtframe.__version__, *map(inspect.getsource, _MACHINERY))
    digest.text(
        source, [function.__qualname__ for function in _LEAN], sorted(constants.items()), sorted(fingerprint_parts().items())
    )
    for placed in layout.placed:
        for hook in HOOKS:
            function = getattr(placed.kernel, hook)
            if function is not None and not generate.is_called_back(placed):
                digest.root(function, placed.feature.label)
    for function in (loop.run, loop.replay, loop.finish, followers.follow):
        digest.function(function, "vtframe")  # type: ignore[arg-type]
    return digest.hexdigest()


def _link(layout: Plan, dtype: str, constants: dict[str, int], module: dict[str, Any]) -> None:
    """Complete the generated module: the kernels that its hooks call, the loop that calls its hooks, the arrays' types."""
    module.update(
        BookTop=BookTop, Delta=Delta, Trade=Trade, Moment=Moment, part=part, call_python=call_python, nan=np.nan, inf=np.inf
    )
    kernels = Binder(module["__name__"])
    for k, placed in enumerate(layout.placed):
        module[f"State_{k}"] = state_type(placed)
        for hook in HOOKS:
            function = getattr(placed.kernel, hook)
            if function is not None and not generate.is_called_back(placed):
                module[f"{hook}_{k}"] = kernels.root(function, placed.feature.label)
    replace: dict[Any, Any] = {(source.__name__, name): value for source in _COMPILED for name, value in constants.items()}
    hooks = {
        name: getattr(source, name) for source in _COMPILED for name in ("restart", "borrow", *HOOKS) if hasattr(source, name)
    }
    for name, hook in hooks.items():
        module[name] = replace[hook] = compiled(module[name])
    lean = Binder(module["__name__"], replace, lean=True)
    replace.update((function, lean.bind(function, "vtframe")) for function in _LEAN)
    binder = Binder(module["__name__"], replace)
    module["loop"] = binder.bind(loop.run, "vtframe")  # type: ignore[arg-type]
    module["replay"] = binder.bind(loop.replay, "vtframe")  # type: ignore[arg-type]
    module["finish"] = binder.bind(loop.finish, "vtframe")  # type: ignore[arg-type]
    module["follow"] = binder.bind(followers.follow, "vtframe")  # type: ignore[arg-type]
    module.update(_ATTACH, values_at=_ATTACH_VALUES[dtype])
