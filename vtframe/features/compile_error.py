"""Turns the compiler's complaint into the author's file, line and construct."""

from __future__ import annotations

import linecache
import re
from pathlib import Path
from typing import Any

import numpy as np
from numba import typeof
from numba.core.errors import NumbaError

from vtframe.api import BookTop, Delta, KernelError, Moment, Trade
from vtframe.features.plan import HOOKS, Placed, Plan, state_type
from vtframe.kernels.bind import Binder

_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = (
    "Failed in",
    "During",
    "File ",
    "- ",
    "There are",
    "Overload",
    "Of which",
    "raised from",
    "Enable logging",
    "<source",
    "^",
    "Source",
)
_WHAT: dict[str, Any] = {
    "on_delta": Delta(0, 0, 1, 0.0, 0.0, 0.0),
    "on_trade": Trade(0, 0, 1, 0.0, 0.0),
    "on_frame": Moment(0, 0),
    "on_row": Moment(0, 0),
}


def explain(error: NumbaError, layout: Plan) -> KernelError:
    """Find the kernel that does not compile by itself, and say where and why; ``error`` where each of them does."""
    for placed in layout.placed:
        for hook in HOOKS:
            function = getattr(placed.kernel, hook)
            if function is None or placed.feature.python:
                continue
            try:
                Binder(__name__).root(function, placed.feature.label).compile(_types(placed, layout.depth, hook))
            except NumbaError as found:
                code = getattr(function, "py_func", function).__code__
                return _kernel_error(found, placed.feature.label, code.co_filename, code.co_firstlineno)
    return _kernel_error(error, "vtframe", "", 0)


def _types(placed: Placed, depth: int, hook: str) -> tuple[Any, ...]:
    """The types with which the fused module calls a kernel."""
    floats, ints = np.zeros(1), np.zeros(1, np.int64)
    arrays = [floats if state.dtype == "f8" else ints for _, state, _ in placed.state] or [floats]
    levels = np.zeros(depth)
    book = BookTop(levels, levels, levels, levels, 1.0)
    inputs = ((0.0,) * len(placed.inputs),) if placed.inputs else ()
    return tuple(typeof(value) for value in (_WHAT[hook], book, state_type(placed)(*arrays), floats, *inputs))


def _kernel_error(error: NumbaError, feature: str, file: str, line: int) -> KernelError:
    text = _COLOR.sub("", str(error))
    places = [(name, int(number)) for name, number in _PLACE.findall(text)]
    loc: Any = getattr(error, "loc", None)
    if loc is not None:
        places.append((loc.filename, loc.line))
    own = [place for place in places if "site-packages" not in place[0] and not place[0].startswith("<")]
    name, number = own[0] if own else (file, line)  # the innermost comes first
    path = str(Path(name).resolve()) if name else ""
    construct = linecache.getline(path, number).strip()
    problem = "it cannot be compiled: " + _summary(text) + (f" in `{construct}`" if construct else "")
    return KernelError(feature, problem, f"{path}:{number}" if path else "")


def _summary(text: str) -> str:
    """The first lines that say something."""
    lines = [line.strip() for line in text.splitlines()]
    telling = [line for line in lines if line and not line.startswith(_NOISE)]
    return " ".join(telling[:2]).rstrip(":") if telling else "no reason given"
