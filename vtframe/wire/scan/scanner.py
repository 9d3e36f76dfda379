"""Runs a compiled codec's kernel over messages: one buffer, one table of addresses, no array made per message."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numba import types
from numba.core.errors import NumbaError
from numpy.typing import NDArray

from vtframe.buffers import native
from vtframe.buffers.native import HANDLES, array_at, part, retarget, table
from vtframe.domain import EVENT, FRAME, Records
from vtframe.errors import InvariantError, KernelError
from vtframe.kernels import bind
from vtframe.kernels.bind import Binder, settings
from vtframe.kernels.cache import Generated, KernelCache
from vtframe.kernels.digest import Digest
from vtframe.kernels.fingerprint import fingerprint_parts
from vtframe.wire.scan import words
from vtframe.wire.scan.codes import FULL, SPARE
from vtframe.wire.scan.output import Output

Kernel = Callable[[Any, Output, Any, Any], int]
"""``kernel(text, out, symbols, cells) -> int``: reads one message; 0 and above is the codec's answer, below 0 a code."""

CAPACITY = 1 << 16  # bytes of the buffer; it grows for a message that is longer
_SLACK = 64  # records more than bytes: no message has so many
_SIGNATURE = types.int64(HANDLES, types.int64)
_BUFFER, _FRAMES, _EVENTS = 0, 1, 2
_SOURCE = '''"""Scanner kernel."""


def run(handles, length):
    text = part(buffer_at(handles, 0), 0, length + SPARE)
    out = Output(frames_at(handles, 1), events_at(handles, 2), counts_at(handles, 3))
    return read(text, out, symbols_at(handles, 4), cells_at(handles, 5))
'''
_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
_NOISE = ("Failed in", "During", "File ", "\x1b")  # lines of numba's that name no fault
COMPILED: bool = not settings.DISABLE_JIT
"""Whether kernels are compiled in this process; where they are not, a codec's plain twin is quicker."""
_ATTACH = {
    "buffer_at": array_at(np.uint8, 1),
    "frames_at": array_at(FRAME, 1),
    "events_at": array_at(EVENT, 1),
    "counts_at": array_at(np.int64, 1),
    "symbols_at": array_at(np.int64, 2),
    "cells_at": array_at(np.int64, 1),
}


class Scanner:
    """One kernel with its buffer, ``symbols`` (a ``symbol_table``) and ``cells`` (int64, the codec's own: settings, state).

    The kernel is compiled once and kept on disk under a hash of everything that it reaches. Raises KernelError, naming
    ``name`` and the line, where it cannot be compiled.
    """

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        *,
        symbols: NDArray[np.int64],
        cells: NDArray[np.int64],
    ) -> None:
        self._name = name
        self._run = compile_kernel(name, kernel)
        self._counts: NDArray[np.int64] = np.zeros(2, np.int64)
        self._cells = memoryview(self._counts.data)
        self._frames, self._events = np.zeros(1, FRAME), np.zeros(1, EVENT)
        self._kept = (symbols, cells)  # the table below holds their addresses only
        self._handles = table([np.zeros(SPARE, np.uint8), self._frames, self._events, self._counts, symbols, cells])
        self._grow(CAPACITY)

    def scan(self, data: bytes, records: Records) -> int:
        """Append what the kernel reads in one message; its answer, or a code (below 0), and then nothing is appended."""
        length = len(data)
        if length > self._room:
            self._grow(length)
        self._view[:length] = data
        counts = self._cells
        while True:
            if records.frames is not self._frames or records.events is not self._events:
                self._aim(records)
            counts[0], counts[1] = records.n_frames, records.n_events
            code: int = self._run(self._handles, length)
            if code >= 0:
                records.n_frames, records.n_events = counts[0], counts[1]
                return code
            if code != FULL:
                return code
            frames, events = len(records.frames) - records.n_frames, len(records.events) - records.n_events
            if min(frames, events) > length + _SLACK:
                raise InvariantError(f"the codec {self._name} wants more than {events} events of one message of {length} bytes")
            records.reserve(frames=frames + 1, events=events + 1)

    def fill(self, byte: int) -> None:
        """Fill the buffer, for tests: what lies behind a message must not matter."""
        self._buffer[:] = byte

    def _aim(self, records: Records) -> None:
        self._frames, self._events = records.frames, records.events
        retarget(self._handles, _FRAMES, self._frames)
        retarget(self._handles, _EVENTS, self._events)

    def _grow(self, length: int) -> None:
        """A buffer for messages of so many bytes, at least twice as large as before."""
        self._room = max(length, 2 * getattr(self, "_room", 0))
        self._buffer = np.zeros(self._room + SPARE, np.uint8)
        self._view = self._buffer.data
        retarget(self._handles, _BUFFER, self._buffer)


def compile_kernel(name: str, kernel: Kernel) -> Any:
    """The entry ``(table of arrays, length of the message) -> code`` of a kernel: loaded, or compiled and kept.

    Raises KernelError.
    """
    cache = KernelCache()
    what = f"the codec {name}; kept for the next start"
    try:
        run = cache.load(Generated(_digest(name, kernel), _SOURCE, partial(_link, name, kernel), _SIGNATURE, what))
    except KernelError as e:
        raise KernelError(name, e.problem, e.where, "codec") from None
    except NumbaError as e:
        problem = next((line for line in map(str.strip, str(e).splitlines()) if line and not line.startswith(_NOISE)), str(e))
        ours = cache.folder.resolve()
        places = [f"{file}:{line}" for file, line in _PLACE.findall(str(e)) if not Path(file).resolve().is_relative_to(ours)]
        raise KernelError(name, f"cannot be compiled: {problem}", places[-1] if places else "", "codec") from e
    return run if COMPILED else partial(_quietly, run)


def _quietly(run: Any, handles: Any, length: int) -> int:
    """Plain Python warns where compiled integers wrap."""
    with np.errstate(over="ignore"):
        return int(run(handles, length))


@lru_cache(maxsize=64)
def _digest(name: str, kernel: Any) -> str:
    digest = Digest()
    digest.text(_SOURCE, settings.BOUNDSCHECK, sorted(fingerprint_parts().items()))
    digest.text(*map(inspect.getsource, (native, words, bind)))  # they shape the code without being called by it
    digest.function(kernel, name)
    return digest.hexdigest()


def _link(name: str, kernel: Any, module: dict[str, Any]) -> None:
    module.update(_ATTACH, part=part, Output=Output, SPARE=SPARE)
    module["read"] = Binder(module["__name__"], lean=True).bind(kernel, name)
