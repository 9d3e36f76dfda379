"""The compiled entry to a board, loaded from the kernel cache or compiled and kept. One kernel, whatever the models."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

import numpy as np
from numba import types

from vtframe.buffers import atomics, native
from vtframe.buffers.native import HANDLES, array_at
from vtframe.inference.pool import kernel
from vtframe.inference.pool.board import ARRAYS, SLEEPING
from vtframe.kernels import bind
from vtframe.kernels.bind import Binder, settings
from vtframe.kernels.cache import Generated, KernelCache
from vtframe.kernels.digest import Digest
from vtframe.kernels.fingerprint import fingerprint_parts

SUBMIT, COLLECT, LISTEN, CLAIM, ANSWER, DOZE = range(6)
"""What ``entry()(table, operation, ...)`` does."""

_WHAT = "the board of the model pool; kept for the next start"
_SIGNATURE = types.int64(HANDLES, types.int64, types.int64, types.int64, types.int64, types.int64)
_AT = {name: f"{name}_at(handles, {place})" for place, name in enumerate(ARRAYS)}
_SOURCE = f'''"""The board of the model pool."""


def run(handles, operation, a, b, c, d):
    workers = {_AT["workers"]}
    if operation == {SUBMIT}:
        return submit(workers, {_AT["mail"]}, {_AT["heads"]}, a, b, c)
    if operation == {COLLECT}:
        return collect(workers, {_AT["answers"]}, {_AT["outputs"]}, {_AT["taken"]}, {_AT["taken_outputs"]}, a)
    header = {_AT["header"]}
    if operation == {LISTEN}:
        return listen(header, workers, a)
    line = workers[a]
    if operation == {DOZE}:
        return exchange(line, {SLEEPING}, b)
    claims = {_AT["claims"]}[a]
    results = {_AT["results"]}
    if operation == {CLAIM}:
        return claim(
            header, {_AT["mail"]}, {_AT["fronts"]}, {_AT["heads"]}, values_at(handles, 0), line, claims,
            {_AT["columns"]}, batch_at(handles, {ARRAYS.index("batch")}), results, b
        )
    answers, outputs = {_AT["answers"]}[a], {_AT["outputs"]}[a]
    return answer(header, line, claims, answers, outputs, results, predicted_at(handles, {ARRAYS.index("predicted")}), b, c, d)
'''


@lru_cache(maxsize=2)
def entry(dtype: str) -> Any:
    """``(table of arrays, operation, a, b, c, d) -> int`` for rows of that type."""
    digest = Digest()
    digest.text(_SOURCE, dtype, settings.BOUNDSCHECK, sorted(fingerprint_parts().items()))
    digest.text(*map(inspect.getsource, (native, atomics, bind)))  # they shape the code without being called by it
    for function in _FUNCTIONS:
        digest.function(function, "vtframe")  # type: ignore[arg-type]
    link = _Link(dtype)
    return KernelCache().load(Generated(digest.hexdigest(), _SOURCE, link, _SIGNATURE, _WHAT))


_FUNCTIONS = (kernel.submit, kernel.collect, kernel.listen, kernel.claim, kernel.answer)


class _Link:
    """Completes the module: the functions, bound to it, and what attaches the arrays."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __call__(self, module: dict[str, Any]) -> None:
        binder = Binder(module["__name__"])
        whole = {"heads": 1, "header": 1, "mail": 2, "fronts": 1, "workers": 2, "claims": 3, "answers": 3}
        whole |= {"columns": 1, "results": 1, "taken": 2}
        module.update({f"{name}_at": array_at(np.int64, dimensions) for name, dimensions in whole.items()})
        for name, dimensions in {"outputs": 3, "predicted": 2, "taken_outputs": 2}.items():
            module[f"{name}_at"] = array_at(np.float32, dimensions)
        for name in ("values", "batch"):
            module[f"{name}_at"] = array_at(np.dtype(self.dtype), 3)
        module["exchange"] = atomics.exchange
        for function in _FUNCTIONS:
            module[function.__name__] = binder.bind(function, "vtframe")  # type: ignore[arg-type]
