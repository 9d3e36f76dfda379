"""Turns the compiler's complaint into the author's file, line and construct."""

from __future__ import annotations

import ast
import linecache
import re
from pathlib import Path
from typing import Any

import numpy as np
from numba import typeof
from numba.core.errors import NumbaError, UnsupportedBytecodeError

from vtframe.api import BookTop, Delta, KernelError, Moment, Trade
from vtframe.features.plan import HOOKS, Placed, Plan, state_type
from vtframe.kernels.bind import Binder

REFUSALS = (NumbaError, UnsupportedBytecodeError)
"""What the compiler raises for code that it cannot take."""
_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
_RAISED = re.compile(r"Raised from (.+?) \((\d+)\)")
_CONSTRUCTS: dict[type[ast.AST], str] = {
    ast.Try: "try and except",
    ast.ExceptHandler: "try and except",
    ast.With: "a with block",
    ast.JoinedStr: "an f-string",
    ast.ListComp: "a list comprehension",
    ast.SetComp: "a set comprehension",
    ast.DictComp: "a dict comprehension",
    ast.GeneratorExp: "a generator",
    ast.Yield: "a generator",
    ast.Dict: "a dict",
    ast.Set: "a set",
    ast.Lambda: "a lambda",
    ast.Raise: "raise",
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.Delete: "del",
    ast.Global: "global",
    ast.Match: "match",
}
"""What kernels are most often refused for."""
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


def explain(error: Exception, layout: Plan) -> KernelError:
    """Find the kernel that does not compile by itself, and say where and why; ``error`` where each of them does."""
    for placed in layout.placed:
        for hook in HOOKS:
            function = getattr(placed.kernel, hook)
            if function is None or placed.feature.python:
                continue
            try:
                Binder(__name__).root(function, placed.feature.label).compile(_types(placed, layout.depth, hook))
            except REFUSALS as found:
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


def _kernel_error(error: Exception, feature: str, file: str, line: int) -> KernelError:
    text = _COLOR.sub("", str(error))
    places = [(name, int(number)) for name, number in _PLACE.findall(text) + _RAISED.findall(text)]
    text = _RAISED.sub("", text)
    loc: Any = getattr(error, "loc", None)
    if loc is not None:
        places.append((loc.filename, loc.line))
    own = [place for place in places if "site-packages" not in place[0] and not place[0].startswith("<")]
    name, number = own[0] if own else (file, line)  # the innermost comes first
    path = str(Path(name).resolve()) if name else ""
    construct = linecache.getline(path, number).strip()
    named = _named(path, number)
    told = _summary(text, besides=construct)
    cause = f"{named}: {told}" if named else told
    problem = f"it cannot be compiled: {cause}" + (f" in `{construct}`" if construct else "")
    return KernelError(feature, problem, f"{path}:{number}" if path else "")


def _named(path: str, line: int) -> str:
    """The constructs on that line that compiled code can often not hold, in words."""
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:
        return ""
    found = {_CONSTRUCTS[type(node)]: None for node in ast.walk(tree) if type(node) in _CONSTRUCTS and _on(node, line)}
    return " and ".join(found)


def _on(node: Any, line: int) -> bool:
    """Whether a construct stands on the line: a block where it begins, an expression on all of its lines."""
    begins = bool(node.lineno == line)
    return begins if isinstance(node, ast.stmt | ast.ExceptHandler) else node.lineno <= line <= node.end_lineno


def _summary(text: str, *, besides: str) -> str:
    """The first lines that say something."""
    lines = [line.strip() for line in text.splitlines()]
    telling = [line for line in lines if line and line != besides and not line.startswith((*_NOISE, "def ", ">>>"))]
    return " ".join(telling[:2]).rstrip(":.") if telling else "no reason given"
