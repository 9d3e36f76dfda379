"""The compiled entries to a board, loaded from the kernel cache or compiled and kept. One kernel, whatever the models."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

import numpy as np
from numba import types

from vtframe.buffers import atomics, native, wake
from vtframe.buffers.native import HANDLES, array_at
from vtframe.inference.pool import kernel
from vtframe.inference.pool.board import ARRAYS
from vtframe.kernels import bind
from vtframe.kernels.bind import Binder, settings
from vtframe.kernels.cache import Generated, KernelCache
from vtframe.kernels.digest import Digest
from vtframe.kernels.fingerprint import fingerprint_parts

SUBMIT, COLLECT, LISTEN, AWAIT, CLAIM, DOZE, WAKE = range(7)
"""What ``entry()(table, operation, ...)`` does."""

_WHAT = "the board of the model pool; kept for the next start"
_SIGNATURE = types.int64(HANDLES, types.int64, types.int64, types.int64, types.int64, types.int64)
_AT = {name: f"{name}_at(handles, {place})" for place, name in enumerate(ARRAYS)}
_SOURCE = f'''"""The board of the model pool."""


def run(handles, operation, a, b, c, d):
    workers = {_AT["workers"]}
    if operation == {SUBMIT}:
        return submit(workers, {_AT["mail"]}, {_AT["heads"]}, a, b, c, d)
    if operation == {COLLECT}:
        return collect(workers, {_AT["answers"]}, {_AT["outputs"]}, {_AT["taken"]}, {_AT["taken_outputs"]}, a)
    header = {_AT["header"]}
    if operation == {LISTEN}:
        return listen(header, workers, a)
    if operation == {AWAIT}:
        return await_answer(header, workers, a, b, c)
    line = workers[a]
    if operation == {WAKE}:
        return wake(line, b)
    claims = {_AT["claims"]}[a]
    results = {_AT["results"]}
    mail, fronts, heads = {_AT["mail"]}, {_AT["fronts"]}, {_AT["heads"]}
    values, columns, batch = values_at(handles, 0), {_AT["columns"]}, batch_at(handles, {ARRAYS.index("batch")})
    if operation == {CLAIM}:
        return claim(header, mail, fronts, heads, values, line, claims, columns, batch, results, b)
    return doze(header, mail, fronts, heads, values, line, claims, columns, batch, results, b, c, d)
'''
_REPLY_SIGNATURE = types.int64(HANDLES, types.int64, types.int64, types.int64, types.int64, types.float32[:, ::1])
_REPLY_SOURCE = f'''"""A worker's answers, on the board of the model pool."""


def run(handles, worker, count, batch, bell, values):
    line, claims = {_AT["workers"]}[worker], {_AT["claims"]}[worker]
    answers, outputs = {_AT["answers"]}[worker], {_AT["outputs"]}[worker]
    return answer({_AT["header"]}, line, claims, answers, outputs, {_AT["results"]}, values, count, batch, bell)
'''


@lru_cache(maxsize=2)
def entry(dtype: str) -> Any:
    """``(table of arrays, operation, a, b, c, d) -> int`` for rows of that type."""
    return _load(_SOURCE, _SIGNATURE, dtype, _FUNCTIONS)


@lru_cache(maxsize=1)
def reply_entry() -> Any:
    """``(table of arrays, worker, count, batch, bell, answers) -> int``; see ``kernel.answer``. Raises TypeError where they are
    no float32 in C order that may be written to."""
    return _load(_REPLY_SOURCE, _REPLY_SIGNATURE, "float32", (kernel.answer,))


def _load(source: str, signature: Any, dtype: str, functions: tuple[Any, ...]) -> Any:
    digest = Digest()
    digest.text(source, dtype, settings.BOUNDSCHECK, sorted(fingerprint_parts().items()))
    digest.text(*map(inspect.getsource, (native, atomics, wake, bind)))  # they shape the code without being called by it
    for function in functions:
        digest.function(function, "vtframe")
    return KernelCache().load(Generated(digest.hexdigest(), source, _Link(dtype, functions), signature, _WHAT))


_ENGINE = (kernel.submit, kernel.collect, kernel.listen, kernel.await_answer)
_WORKER = (kernel.claim, kernel.doze, kernel.wake)
_FUNCTIONS = (*_ENGINE, *_WORKER)


class _Link:
    """Completes the module: the functions, bound to it, and what attaches the arrays."""

    def __init__(self, dtype: str, functions: tuple[Any, ...]) -> None:
        self.dtype = dtype
        self.functions = functions

    def __call__(self, module: dict[str, Any]) -> None:
        binder = Binder(module["__name__"])
        whole = {"heads": 1, "header": 1, "mail": 2, "fronts": 1, "workers": 2, "claims": 3, "answers": 3}
        whole |= {"columns": 1, "results": 1, "taken": 2}
        module.update({f"{name}_at": array_at(np.int64, dimensions) for name, dimensions in whole.items()})
        for name, dimensions in {"outputs": 3, "taken_outputs": 2}.items():
            module[f"{name}_at"] = array_at(np.float32, dimensions)
        for name in ("values", "batch"):
            module[f"{name}_at"] = array_at(np.dtype(self.dtype), 3)
        for function in self.functions:
            module[function.__name__] = binder.bind(function, "vtframe")
