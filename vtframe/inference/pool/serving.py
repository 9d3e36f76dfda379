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
from vtframe.inference.pool.compiled import CLAIM, DOZE, WAKE, entry, reply_entry
from vtframe.inference.pool.task import Wait

_LOOKS: Final = 200  # at the mailboxes, in one compiled call
_NAP_MS: Final = 100  # asleep without a ring, at most: then it shows that it lives, and looks whether it is wanted
_ALIVE_NS: Final = 20_000_000  # between two signs of life while it spins
_WARM_NS: Final = 500_000  # without a call, after which a model that is kept warm is called for nothing

_NEVER: Final = 1 << 62
Predict = Callable[[NDArray[Any]], NDArray[np.float32]]

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
        self._reply = reply_entry()
        self._worker = worker
        self._line = arrays["workers"][worker]
        self._header = arrays["header"]
        self._text = arrays["text"][worker]
        self._batch = np.zeros((shape.max_batch, window, len(columns)), shape.dtype)
        self._results = np.zeros(shape.max_batch, np.int64)
        self._batches = [self._batch[:count] for count in range(shape.max_batch + 1)]
        self._nothing = np.zeros((shape.max_batch, shape.outputs), np.float32)
        private = {
            "columns": np.array(columns, np.int64),
            "batch": self._batch,
            "results": self._results,
            "taken": np.zeros((1, b.ANSWER_WORDS), np.int64),
            "taken_outputs": np.zeros((1, shape.outputs), np.float32),
        }
        self._arrays = {**arrays, **private}  # the table holds addresses only
        self._handles = table([self._arrays[name] for name in b.ARRAYS])
        self._spin_ns = spin_us * 1_000 if wait == "sleep" else _NEVER
        self._work = work
        self._done = done
        self._wanted = wanted
        self._warm_ns = _WARM_NS if keep_warm else _NEVER
        self._nap_ms = max(1, _WARM_NS // 1_000_000) if keep_warm else _NAP_MS
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
        """Until the board says stop, or nobody wants it any more.

        One loop without calls of our own between a request and its answer: a worker that slept finds none of its code in the
        caches, and each frame of Python's costs microseconds then.
        """
        predict = model.predict
        run, reply, handles, worker, line = self._run, self._reply, self._handles, self._worker, self._line
        batches, nap_ms, work, done, calls = self._batches, self._nap_ms, self._work.listening, self._done.ringing, self._calls
        idle_since = alive = _now()
        look = CLAIM  # or DOZE: sleep, and look then
        while True:
            if count := run(handles, look, worker, _LOOKS, nap_ms, work):
                calls += 1
                answers: Any
                try:
                    answers = predict(batches[count])
                except Exception as e:  # noqa: BLE001 - a model that raises has failed, and the worker goes on
                    answers = self._note_raised(e, count)
                try:
                    published = reply(handles, worker, count, calls, done, answers)
                except TypeError:
                    published = 0
                if not published and not self._reply_otherwise(answers, count, calls):
                    return
            now = _now()
            if count:
                idle_since = self._called = now
            elif now - self._called >= self._warm_ns:
                self._keep_warm(predict)
            if look == DOZE:
                run(handles, WAKE, worker, work, 0, 0)
            if now - alive >= (_ALIVE_NS if look == CLAIM else 0):
                line[b.HEARTBEAT] = alive = now
                if self._header[b.STOP] or not self._wanted():
                    return
            look = DOZE if now - idle_since >= self._spin_ns else CLAIM

    def _reply_otherwise(self, answers: Any, count: int, calls: int) -> bool:
        """What was not published at once: answers of another type or shape, or the engine is behind with its reading. False
        where nobody wants them any more."""
        wanted = self._nothing[:count].shape
        try:
            given = np.array(answers, np.float32, order="C")
            if given.shape != wanted:
                raise ValueError(f"answered with shape {given.shape}, expected {wanted}")  # noqa: TRY301 - as if it raised
        except Exception as e:  # noqa: BLE001 - as where the model raises
            given = self._note_raised(e, count)
        while not self._reply(self._handles, self._worker, count, calls, self._done.ringing, given):
            if self._header[b.STOP] or not self._wanted():
                return False
            time.sleep(0.0005)
        return True

    def _note_raised(self, error: Exception, count: int) -> NDArray[np.float32]:
        """The batch has failed; returns what stands for its answers."""
        results = self._results
        results[:count] = np.where(results[:count] == b.ANSWERED, b.RAISED, results[:count])
        if not self._text[0]:
            self.report(b.READY, f"raised {error!r}")
        return self._nothing[:count]

    def _keep_warm(self, predict: Predict) -> None:
        """Ask about the last window again. What the model raises then, it raises for a real row too, and there it is told."""
        with suppress(Exception):
            predict(self._batches[1])
        self._called = _now()
