"""The simulated market's compiled entry: loaded from the kernel cache, or compiled and kept there under a hash of all that it
is made of, so that an edited source never runs old code.

Kernels here only borrow the arrays that they are given, and make none: without reference counts (which took four fifths of
the time per event), under strict floating point.
"""

from __future__ import annotations

import inspect
from functools import cache, partial
from typing import Any

import numpy as np
from numba import types

from vtframe.buffers import native
from vtframe.buffers.native import HANDLES, array_at
from vtframe.domain import EVENT, FRAME
from vtframe.kernels import Binder, Digest, Generated, KernelCache, bind, fingerprint_parts
from vtframe.sim.intensities import Tables
from vtframe.sim.publication import advance, obey
from vtframe.sim.state import LEVELS, REPORT, UNIT, State

ADVANCE = 0  # what to do; anything else is a command of ``obey``
FRAMES, EVENTS = 13, 14  # places in the table of arrays; before them the arrays of State, of Tables, and the counts
_NAME = "embedded market"
_SOURCE = '''"""The simulated market."""


def run(handles, what, ts, side, price, lots, rests, limit):
    scalars, random, levels, orders = int_1(handles, 0), word_1(handles, 1), int_2(handles, 2), int_2(handles, 3)
    state = State(scalars, random, levels, orders, float_1(handles, 4), int_2(handles, 5), report_1(handles, 6))
    rates, drawn, queue_row = float_3(handles, 7), int_2(handles, 8), int_1(handles, 9)
    tables = Tables(rates, drawn, queue_row, float_1(handles, 10), float_1(handles, 11), scalars[UNIT], scalars[LEVELS])
    counts, frames, events = int_1(handles, 12), frame_1(handles, 13), event_1(handles, 14)
    if what == ADVANCE:
        return 1 if advance(state, tables, frames, events, counts, limit, ts) else 0
    return obey(state, tables, frames, events, counts, (what, ts, side, price, lots, rests))
'''
_SIGNATURE = types.int64(HANDLES, *[types.int64] * 7)
_ATTACH = {
    "int_1": array_at(np.int64, 1),
    "int_2": array_at(np.int64, 2),
    "word_1": array_at(np.uint64, 1),
    "float_1": array_at(np.float64, 1),
    "float_3": array_at(np.float64, 3),
    "report_1": array_at(REPORT, 1),
    "frame_1": array_at(FRAME, 1),
    "event_1": array_at(EVENT, 1),
}


def compile_market() -> Any:
    """``run(table of arrays, what, ts, side, price, lots, rests, limit) -> int``: the answer of ``advance`` or ``obey``."""
    run = KernelCache().load(Generated(_digest(), _SOURCE, _link, _SIGNATURE, f"the {_NAME}; kept for the next start"))
    return run if not bind.settings.DISABLE_JIT else partial(_quietly, run)


def _quietly(run: Any, *arguments: Any) -> int:
    """Plain Python warns where compiled integers wrap."""
    with np.errstate(over="ignore"):
        return int(run(*arguments))


@cache
def _digest() -> str:
    digest = Digest()
    digest.text(_SOURCE, REPORT.descr, FRAME.descr, EVENT.descr, sorted(fingerprint_parts().items()))
    digest.text(bind.settings.BOUNDSCHECK, *map(inspect.getsource, (native, bind)))  # they shape the code without being called
    digest.root(advance, _NAME)
    digest.root(obey, _NAME)
    return digest.hexdigest()


def _link(module: dict[str, Any]) -> None:
    binder = Binder(module["__name__"], lean=True)
    module.update(_ATTACH, State=State, Tables=Tables, UNIT=UNIT, LEVELS=LEVELS, ADVANCE=ADVANCE)
    module.update(advance=binder.root(advance, _NAME), obey=binder.root(obey, _NAME))
