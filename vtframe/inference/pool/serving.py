"""A worker's loop: claim what waits, ask the model once for all of it, answer. The same in a process and in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vtframe.api import Model
from vtframe.buffers.native import table
from vtframe.inference.pool import board as b
from vtframe.inference.pool.bell import Bell
from vtframe.inference.pool.compiled import ANSWER, CLAIM, DOZE, entry
from vtframe.inference.pool.task import Wait

_LOOKS: Final = 200  # at the mailboxes, in one compiled call
_NAP_MS: Final = 100  # asleep without a ring, at most: then it shows that it lives, and looks whether it is wanted
_ALIVE_NS: Final = 20_000_000  # between two signs of life while it spins
_WARM_NS: Final = 500_000  # without a call, after which a model that is kept warm is called for nothing

_now = time.monotonic_ns


class Server:
    """One worker's side of a board."""

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        shape: b.BoardShape,
        *,
        worker: int,
        launch: int,
        columns: tuple[int, ...],
        window: int,
        wait: Wait,
        spin_us: int,
        work: Bell,
        done: Bell,
        wanted: Callable[[], bool],
        keep_warm: bool = False,
    ) -> None:
        """``wanted`` is asked a few times a second: False ends the loop. ``keep_warm`` spends idle time on calls whose answers
        nobody sees, so that a real one finds code and weights in the caches."""
        self._run = entry(shape.dtype)
        self._worker = worker
        self._line = arrays["workers"][worker]
        self._header = arrays["header"]
        self._text = arrays["text"][worker]
        self._batch = np.zeros((shape.max_batch, window, len(columns)), shape.dtype)
        self._results = np.zeros(shape.max_batch, np.int64)
        self._predicted = np.zeros((shape.max_batch, shape.outputs), np.float32)
        private = {
            "columns": np.array(columns, np.int64),
            "batch": self._batch,
            "results": self._results,
            "predicted": self._predicted,
            "taken": np.zeros((1, b.ANSWER_WORDS), np.int64),
            "taken_outputs": np.zeros((1, shape.outputs), np.float32),
        }
        self._arrays = {**arrays, **private}  # the table holds addresses only
        self._handles = table([self._arrays[name] for name in b.ARRAYS])
        self._spin_ns = spin_us * 1_000 if wait == "sleep" else 1 << 62
        self._work = work
        self._done = done
        self._wanted = wanted
        self._warm_ns = _WARM_NS if keep_warm else 1 << 62
        self._nap_ms = _WARM_NS / 1e6 if keep_warm else _NAP_MS
        self._called = 0  # when the model was called last
        self._calls = launch << 32

    def report(self, state: int, text: str = "") -> None:
        """Say how this worker stands, with a word to the engine's log."""
        data = text.encode()[: b.TEXT_BYTES - 1]
        self._text[:] = 0
        self._text[: len(data)] = np.frombuffer(data, np.uint8)
        self._line[b.HEARTBEAT] = _now()
        self._line[b.STATE] = state

    def serve(self, model: Model) -> None:
        """Until the board says stop, or nobody wants it any more."""
        predict = model.predict
        run, handles, worker, line = self._run, self._handles, self._worker, self._line
        idle_since = alive = _now()
        while True:
            count = run(handles, CLAIM, worker, _LOOKS, 0, 0)
            now = _now()
            if count:
                self._answer(predict, count, now)
                idle_since = _now()
                continue
            if now - alive >= _ALIVE_NS:
                line[b.HEARTBEAT] = alive = now
                if self._header[b.STOP] or not self._wanted():
                    return
            if now - self._called >= self._warm_ns:
                self._warm(predict)
            if now - idle_since >= self._spin_ns:
                idle_since = _now() if self._sleep(predict) else 0
                if self._nap_ms >= _NAP_MS:
                    alive = 0  # look whether it is wanted

    def _sleep(self, predict: Callable[[NDArray[Any]], NDArray[np.float32]]) -> bool:
        """Until the bell is rung, at most a nap; returns whether there was something to answer. What can wait comes last."""
        run, handles, worker, work = self._run, self._handles, self._worker, self._work
        run(handles, DOZE, worker, 1, 0, 0)
        count = run(handles, CLAIM, worker, 1, 0, 0)  # a request may have come before the engine saw that we sleep
        rung = not count and not self._header[b.STOP] and work.rings(self._nap_ms)
        if rung:
            count = run(handles, CLAIM, worker, _LOOKS, 0, 0)
        if count:
            self._answer(predict, count, _now())
        run(handles, DOZE, worker, 0, 0, 0)
        if rung:
            work.hear()  # whatever was asked meanwhile is looked for now
        return bool(count)

    def _warm(self, predict: Callable[[NDArray[Any]], NDArray[np.float32]]) -> None:
        """Ask about the last window again. What the model raises then, it raises for a real row too, and there it is told."""
        with suppress(Exception):
            predict(self._batch[:1])
        self._called = _now()

    def _answer(self, predict: Callable[[NDArray[Any]], NDArray[np.float32]], count: int, now: int) -> None:
        line, results = self._line, self._results
        line[b.BUSY_SINCE] = now
        self._calls += 1
        try:
            answers = predict(self._batch[:count])
            if answers.shape != (count, self._predicted.shape[1]):
                wanted = (count, self._predicted.shape[1])
                raise ValueError(f"answered with shape {answers.shape}, expected {wanted}")  # noqa: TRY301 - as if it raised
            self._predicted[:count] = answers
        except Exception as e:  # noqa: BLE001 - a model that raises has failed, and the worker goes on
            results[:count] = np.where(results[:count] == b.ANSWERED, b.RAISED, results[:count])
            if not self._text[0]:
                self.report(b.READY, f"raised {e!r}")
        done = self._called = _now()
        while (rings := self._run(self._handles, ANSWER, self._worker, count, self._calls, done)) < 0:
            line[b.BUSY_SINCE] = 0
            line[b.HEARTBEAT] = _now()
            if self._header[b.STOP] or not self._wanted():
                return
            time.sleep(0.0005)  # the engine is behind with its reading
        if rings:
            self._done.ring()
        line[b.BUSY_SINCE] = 0
        line[b.HEARTBEAT] = done
        line[b.CALLS] += 1
