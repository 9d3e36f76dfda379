"""The same service in a thread of the engine's process: for models that let go of the interpreter while they compute."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from vtframe.api import Model
from vtframe.inference.pool import board as b
from vtframe.inference.pool.crew import Worker
from vtframe.inference.pool.serving import Server

_log = logging.getLogger(__name__)


class ThreadCrew:
    """One thread, since an opened model is called from one. It cannot be put down: while it hangs, the model is unavailable."""

    def __init__(
        self,
        model: Model,
        serve: Callable[[Callable[[], bool]], Server],
        arrays: dict[str, NDArray[Any]],
        *,
        name: str,
        hang_ns: int,
    ) -> None:
        """``serve(wanted)`` makes the thread's side of the board."""
        self._line = arrays["workers"][0]
        self._texts = arrays["text"]
        self._hang = hang_ns
        self._name = name
        self._open = True
        self._model = model
        self._server = serve(lambda: self._open)
        self._thread = threading.Thread(target=self._serve, name=f"model {name}", daemon=True)
        self.launches = 1
        self.workers: tuple[Worker, ...] = ()  # it has no process
        self.deaths: Counter[str] = Counter()
        self.first_death = ""

    def start(self) -> None:
        self._thread.start()

    def problem(self) -> str:
        return self.first_death

    def text(self, index: int) -> str:
        return bytes(self._texts[index]).split(b"\0", 1)[0].decode(errors="replace")

    def check(self, now: int) -> None:
        """Look whether it hangs, or has come back."""
        busy, state = int(self._line[b.BUSY_SINCE]), int(self._line[b.STATE])
        if busy and now - busy > self._hang:
            if state == b.READY:
                self._line[b.STATE] = b.LEFT
                self._note("hung in the model")
        elif state == b.LEFT and self._thread.is_alive():
            self._line[b.STATE] = b.READY

    def stop(self, patience_s: float = 2.0) -> None:
        self._open = False
        self._thread.join(patience_s)
        if not self._thread.is_alive():
            self._model.close()

    def _serve(self) -> None:
        try:
            self._server.report(b.READY)
            self._server.serve(self._model)
        except Exception as e:  # noqa: BLE001 - told like a worker process that ends; the session goes on without the model
            self._note(f"ended: {e!r}")
        self._line[b.STATE] = b.BROKEN

    def _note(self, found: str) -> None:
        self.deaths[found] += 1
        self.first_death = self.first_death or found
        _log.error("model %s: its thread %s", self._name, found)
