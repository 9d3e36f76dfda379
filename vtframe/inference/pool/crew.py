"""The worker processes of one model: started, watched, put down where they hang, started again after a while."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from numpy.typing import NDArray

from vtframe.inference.pool import board as b
from vtframe.inference.pool.task import Task

_log = logging.getLogger(__name__)
_FIRST_BACKOFF_NS: Final = 100_000_000
_LAST_BACKOFF_NS: Final = 10_000_000_000
_STEADY_NS: Final = 60_000_000_000  # of good work, after which a failure counts as the first
_START_NS: Final = 120_000_000_000  # to open the model, at most
_WEIGH_NS: Final = 1_000_000_000  # between two looks at a worker's memory
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

_now = time.monotonic_ns


class Worker:
    """One place in the crew, and the process that fills it."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: subprocess.Popen[bytes] | None = None
        self.since = 0  # when it was started
        self.restart_at = 0
        self.backoff = _FIRST_BACKOFF_NS
        self.weighed = 0


class Crew:
    """``check`` is called a few times a second; ``died`` hears of each death, after the process is gone for certain."""

    def __init__(
        self,
        make_task: Callable[[int, int], Task],
        arrays: dict[str, NDArray[Any]],
        *,
        name: str,
        folder: Path,
        log: Path,
        hang_ns: int,
        memory_bytes: int | None,
        descriptors: tuple[int, ...],
        died: Callable[[int], None],
    ) -> None:
        """``make_task(worker, launch)``; ``folder`` takes the task files, ``log`` what workers print."""
        self._make_task = make_task
        self._lines = arrays["workers"]
        self._texts = arrays["text"]
        self._header = arrays["header"]
        self._name = name
        self._folder = folder
        self._log = log
        self._hang = hang_ns
        self._memory = memory_bytes
        self._descriptors = descriptors
        self._died = died
        self.workers = tuple(Worker(index) for index in range(len(self._lines)))
        self.launches = 0
        self.deaths: Counter[str] = Counter()  # by what was found
        self.first_death = ""

    @property
    def ready(self) -> int:
        """How many can answer now, as far as is known."""
        return int((self._lines[:, b.STATE] == b.READY).sum())

    def start(self) -> None:
        for worker in self.workers:
            self._launch(worker)

    def problem(self) -> str:
        """Why a worker could not open its model; empty where none says so."""
        for worker in self.workers:
            if self._lines[worker.index, b.STATE] == b.BROKEN:
                return self.text(worker.index)
            if worker.process is not None and worker.process.poll() is not None:
                return f"the worker {_ending(worker.process.returncode)} while it opened the model{self._last_words()}"
        return ""

    def text(self, index: int) -> str:
        return bytes(self._texts[index]).split(b"\0", 1)[0].decode(errors="replace")

    def check(self, now: int) -> None:
        for worker in self.workers:
            process = worker.process
            if process is None:
                if now >= worker.restart_at:
                    self._launch(worker)
                continue
            code = process.poll()
            if code is not None:
                self._bury(worker, now, _ending(code), self._last_words())
                continue
            fault = self._fault(worker, now)
            if fault:
                process.kill()
                process.wait()
                self._bury(worker, now, fault, "")

    def stop(self, patience_s: float = 2.0) -> None:
        """Ask all to leave, and kill those that do not."""
        self._header[b.STOP] = 1
        deadline = time.monotonic() + patience_s
        for worker in self.workers:
            if worker.process is None:
                continue
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.process = None

    def _launch(self, worker: Worker) -> None:
        line = self._lines[worker.index]
        line[b.STATE], line[b.BUSY_SINCE], line[b.SLEEPING] = b.STARTING, 0, 0
        line[b.HEARTBEAT] = worker.since = worker.weighed = _now()
        self._texts[worker.index] = 0
        task = self._make_task(worker.index, self.launches)
        self.launches += 1
        path = self._folder / f"{self._name}-{worker.index}.json"
        path.write_bytes(msgspec.json.encode(task))
        with self._log.open("ab") as log:
            worker.process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "vtframe.inference.pool.worker", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=self._descriptors,
                start_new_session=True,  # a terminal's Ctrl-C is not theirs
            )

    def _fault(self, worker: Worker, now: int) -> str:
        """What is wrong with a process that runs; empty where nothing is."""
        state, heartbeat, busy = (int(self._lines[worker.index, word]) for word in (b.STATE, b.HEARTBEAT, b.BUSY_SINCE))
        if state == b.STARTING:
            return "did not open its model in time" if now - worker.since > _START_NS else ""
        if busy and now - busy > self._hang:
            return "hung in the model"
        if now - heartbeat > self._hang:
            return "hung"
        if self._memory and now - worker.weighed > _WEIGH_NS and worker.process is not None:
            worker.weighed = now
            if _resident(worker.process.pid) > self._memory:
                return "took more memory than it may"
        return ""

    def _bury(self, worker: Worker, now: int, found: str, words: str) -> None:
        worker.process = None
        line = self._lines[worker.index]
        text = self.text(worker.index) if line[b.STATE] == b.BROKEN else ""
        line[b.STATE] = b.LEFT
        if now - worker.since > _STEADY_NS:
            worker.backoff = _FIRST_BACKOFF_NS
        worker.restart_at = now + worker.backoff
        worker.backoff = min(2 * worker.backoff, _LAST_BACKOFF_NS)
        self.deaths[found] += 1
        self.first_death = self.first_death or f"{found}{words}"
        pause = (worker.restart_at - now) / 1e9
        _log.error(
            "model %s: worker %d %s%s; it is started again in %.1f s", self._name, worker.index, found, text or words, pause
        )
        self._died(worker.index)

    def _last_words(self) -> str:
        """The last line that a worker printed."""
        try:
            lines = self._log.read_bytes()[-4096:].decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f": {lines[-1][:300]}" if lines else ""


def _ending(code: int) -> str:
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"exited with {code}"


def _resident(pid: int) -> int:
    """Bytes in memory; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0
