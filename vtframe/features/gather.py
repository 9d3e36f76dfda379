"""Copies new rows out of the ring in the order in which they were made: one compiled pass, however many instruments they are
of. One kernel for every pipeline, since it moves words and knows no columns; only ``Pipeline.batch`` loads it."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from vtframe.buffers import RowRing, native
from vtframe.buffers.native import HANDLES, array_at, table
from vtframe.domain import ROW
from vtframe.kernels import bind
from vtframe.kernels.bind import Binder, settings
from vtframe.kernels.cache import Generated, KernelCache
from vtframe.kernels.digest import Digest
from vtframe.kernels.fingerprint import fingerprint_parts

_WORD = np.uint32  # divides every row type's size; integers, so that no bit of a nan is touched
_WHAT = "the way of rows out of the ring; kept for the next start"
_SIGNATURE = types.int64(HANDLES, types.int64)
_SOURCE = '''"""New rows in the order in which they were made."""


def run(handles, capacity):
    gather(
        owners_at(handles, 0),
        heads_at(handles, 1),
        rows_at(handles, 2),
        values_at(handles, 3),
        capacity,
        taken_at(handles, 4),
        meta_at(handles, 5),
        cells_at(handles, 6),
    )
    return 0
'''
_ATTACH = {
    "owners_at": array_at(np.int64, 1),
    "heads_at": array_at(np.int64, 1),
    "rows_at": array_at(_WORD, 3),
    "values_at": array_at(_WORD, 3),
    "taken_at": array_at(np.int64, 1),
    "meta_at": array_at(_WORD, 2),
    "cells_at": array_at(_WORD, 2),
}


def gather(  # noqa: PLR0917 - compiled code has no keywords
    owners: Any, heads: Any, rows: Any, values: Any, capacity: int, taken: Any, meta: Any, cells: Any
) -> None:
    """Row ``i`` of the output is of instrument ``owners[i]``. An instrument's newest row was made last: walk backwards."""
    for i in range(len(owners) - 1, -1, -1):
        owner = owners[i]
        taken[owner] += 1
        slot = (heads[owner] - taken[owner]) % capacity
        for k in range(rows.shape[2]):
            meta[i, k] = rows[owner, slot, k]
        for k in range(values.shape[2]):
            cells[i, k] = values[owner, slot, k]


class Gather:
    """Of one ring. The kernel is loaded, or compiled and kept, when rows are first asked for."""

    def __init__(self, ring: RowRing, cache: KernelCache) -> None:
        instruments, places, columns = ring.values.shape
        self._ring = ring
        self._cache = cache
        self._rows = ring.meta.view(_WORD).reshape(instruments, places, -1)
        self._values = ring.values.view(_WORD).reshape(instruments, places, columns * ring.values.itemsize // 4)
        self._run: Any = None

    def newest(self, owners: NDArray[np.int64], heads: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """ROW records and values of the newest ``len(owners)`` rows, oldest first: copies. ``owners`` has each row's
        instrument, ``heads`` how many rows each instrument has; none has more new ones than the ring holds."""
        count, ring = len(owners), self._ring
        meta = np.empty(count, ROW)
        values = np.empty((count, ring.values.shape[2]), ring.values.dtype)
        if count:
            if self._run is None:
                self._run = _entry(self._cache)
            out = meta.view(_WORD).reshape(count, -1), values.view(_WORD).reshape(count, self._values.shape[2])
            taken = np.zeros(len(heads), np.int64)
            arrays = (owners, np.ascontiguousarray(heads), self._rows, self._values, taken, *out)
            self._run(table(arrays), ring.capacity)
        return meta, values


def _entry(cache: KernelCache) -> Any:
    return cache.load(Generated(_digest(), _SOURCE, _link, _SIGNATURE, _WHAT))


@lru_cache(maxsize=1)
def _digest() -> str:
    digest = Digest()
    digest.text(_SOURCE, settings.BOUNDSCHECK, sorted(fingerprint_parts().items()))
    digest.text(*map(inspect.getsource, (native, bind)))  # they shape the code without being called by it
    digest.function(gather, "vtframe")  # type: ignore[arg-type]
    return digest.hexdigest()


def _link(module: dict[str, Any]) -> None:
    module.update(_ATTACH, gather=Binder(module["__name__"], lean=True).bind(gather, "vtframe"))  # type: ignore[arg-type]
