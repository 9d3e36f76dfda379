"""The compiled entries of an order-by-order book, loaded from the kernel cache or compiled and kept."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

import numpy as np
from numba import types

from vtframe.book import shift
from vtframe.book.l3 import kernel, orders
from vtframe.buffers import native
from vtframe.buffers.native import HANDLES, array_at
from vtframe.domain import EVENT, FRAME
from vtframe.kernels import bind
from vtframe.kernels.bind import Binder, settings
from vtframe.kernels.cache import Generated, KernelCache
from vtframe.kernels.digest import Digest
from vtframe.kernels.fingerprint import fingerprint_parts

ARRAYS = ("frames", "events", "levels", "orders", "table", "meta", "out_frames", "out_events", "control")
"""What the entry's table of arrays holds, in order."""

_SIGNATURE = types.int64(HANDLES, types.int64, types.int64)
_SOURCE = '''"""Order-by-order book."""


def run(handles, first, last):
    levels, orders, table, meta = levels_at(handles, 2), orders_at(handles, 3), table_at(handles, 4), meta_at(handles, 5)
    if first < 0:
        enter_all(orders, table, levels, meta)
        return 0
    return loop(
        frames_at(handles, 0),
        events_at(handles, 1),
        first,
        last,
        levels,
        orders,
        table,
        meta,
        out_frames_at(handles, 6),
        out_events_at(handles, 7),
        control_at(handles, 8),
    )
'''
_ATTACH = {
    "frames_at": array_at(FRAME, 1),
    "events_at": array_at(EVENT, 1),
    "levels_at": array_at(np.int64, 3),
    "orders_at": array_at(np.int64, 2),
    "table_at": array_at(np.int64, 1),
    "meta_at": array_at(np.int64, 1),
    "out_frames_at": array_at(FRAME, 1),
    "out_events_at": array_at(EVENT, 1),
    "control_at": array_at(np.int64, 1),
}


@lru_cache(maxsize=1)
def entry() -> Any:
    """``(table of arrays, first frame, last frame) -> code``; with a first frame below 0, the ids are entered anew."""
    digest = Digest()
    digest.text(_SOURCE, settings.BOUNDSCHECK, sorted(fingerprint_parts().items()))
    digest.text(*map(inspect.getsource, (native, shift, bind)))  # they shape the code without being called by it
    digest.function(kernel.run, "vtframe")  # type: ignore[arg-type]
    digest.function(orders.enter_all, "vtframe")  # type: ignore[arg-type]
    run = KernelCache().load(Generated(digest.hexdigest(), _SOURCE, _link, _SIGNATURE, "the order-by-order book"))
    return _quiet(run) if settings.DISABLE_JIT else run


def _quiet(run: Any) -> Any:
    """Plain Python warns where compiled integers wrap."""

    def quietly(handles: Any, first: int, last: int) -> int:
        with np.errstate(over="ignore"):
            return int(run(handles, first, last))

    return quietly


def _link(module: dict[str, Any]) -> None:
    binder = Binder(module["__name__"])
    module.update(_ATTACH)
    module["loop"] = binder.bind(kernel.run, "vtframe")  # type: ignore[arg-type]
    module["enter_all"] = binder.bind(orders.enter_all, "vtframe")  # type: ignore[arg-type]
