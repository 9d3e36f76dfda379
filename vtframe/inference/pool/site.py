"""One version of a model outside the engine's thread, from the engine's side: its board, its workers, what it was asked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from vtframe.api import BundleError, BundleInfo, Model, ModelBackend
from vtframe.buffers.native import table
from vtframe.buffers.ring import RowRing
from vtframe.buffers.segment import SegmentFolder
from vtframe.errors import SessionError
from vtframe.inference.pool import board as b
from vtframe.inference.pool.bell import Bell
from vtframe.inference.pool.compiled import AWAIT, COLLECT, LISTEN, SUBMIT, entry
from vtframe.inference.pool.crew import Crew
from vtframe.inference.pool.serving import Server
from vtframe.inference.pool.settings import PoolSettings
from vtframe.inference.pool.task import BackendRef, Task
from vtframe.inference.pool.threads import ThreadCrew

_TAKEN: Final = 256  # answers taken in one call
_READY_S: Final = 120.0  # for the first worker to open the model


class Request(msgspec.Struct, frozen=True, gc=False):
    """What the engine remembers of a row that it asked about."""

    words: tuple[int, ...]  # the row's record
    started: int  # monotonic, when its input arrived
    backlog: int


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What became of a request: ``status`` is one of the board's."""

    instrument: int
    request: Request
    status: int
    outputs: tuple[float, ...]
    batch: int
    batch_size: int


class Site:
    """Opens the board and starts the workers; ``wait_ready`` before the first request.

    With ``model``, opened, a thread of this process serves it; else worker processes open the bundle with ``backend`` and map
    ``rows``, the segment that holds the ring. ``folder`` takes this site's segment, ``log`` what workers print, ``number``
    tells the versions of one model apart.
    """

    def __init__(
        self,
        bundle: BundleInfo,
        backend: ModelBackend,
        settings: PoolSettings,
        *,
        ring: RowRing,
        columns: tuple[int, ...],
        number: int = 1,
        model: Model | None = None,
        rows: Path | None = None,
        folder: SegmentFolder | None = None,
        log: Path = Path(os.devnull),
        done: Bell | None = None,
    ) -> None:
        """``done`` is rung for the engine; without it the site has a bell of its own. Raises BundleError where the ring is too
        short, SessionError where shared memory does not suffice."""
        _check_ring(bundle, ring)
        instruments, places, width = ring.values.shape
        self.bundle = bundle
        self.settings = settings
        self.shape = b.BoardShape(
            instruments=instruments,
            row_places=places,
            row_columns=width,
            dtype=str(ring.values.dtype),
            workers=settings.workers if model is None else 1,
            places=settings.queue if settings.overload == "queue" else 1,
            max_batch=settings.max_batch,
            outputs=len(bundle.classes),
        )
        self.columns = columns
        self.pending: dict[tuple[int, int], Request] = {}
        self.dropped = 0  # answers that came after their request was closed
        self._name = f"{bundle.name}-{number}"
        self._backend = BackendRef.of(backend)
        self._folder = folder
        self._rows = rows
        self._board = folder.create(self._name, b.board_placement(self.shape).size) if folder is not None else None
        self.arrays = b.open_board(self.shape, ring if rows is None else rows, self._board)
        self._states = self.arrays["workers"][:, b.STATE]
        self._sent = [0] * instruments  # requests, by instrument: their places in the queue
        self._taken = np.zeros((_TAKEN, b.ANSWER_WORDS), np.int64)
        self._taken_outputs = np.zeros((_TAKEN, self.shape.outputs), np.float32)
        self._tabled = self.arrays | b.no_worker(self.shape) | {"taken": self._taken, "taken_outputs": self._taken_outputs}
        self._handles = table([self._tabled[name] for name in b.ARRAYS])  # addresses only: the arrays are kept above
        self._run = entry(self.shape.dtype)
        self._open = True
        self.work = Bell()
        self._own_done = done is None
        self.done = done or Bell()
        self.staff = self._hire(model, log)
        self.staff.start()

    @property
    def available(self) -> bool:
        """Whether any worker can answer, as far as is known."""
        return b.READY in self._states

    def pids(self) -> list[int]:
        """Of the worker processes that run."""
        return [worker.process.pid for worker in self.staff.workers if worker.process is not None]

    @property
    def failure(self) -> str:
        """What the model raised, where it did."""
        return next(filter(None, map(self.staff.text, range(self.shape.workers))), "raised")

    def wait_ready(self, seconds: float = _READY_S) -> None:
        """Until a worker has opened the model. Raises BundleError with what a worker found, SessionError at a timeout."""
        limit = time.monotonic() + seconds
        while not self.available:
            problem = self.staff.problem()
            if problem:
                raise BundleError(str(self.bundle.path), f"a worker could not open it: {problem}")
            if time.monotonic() > limit:
                raise SessionError(str(self.bundle.path), f"no worker opened it within {seconds:.0f} s")
            time.sleep(0.002)

    def submit(self, instrument: int, row: int, request: Request) -> Request | None:
        """Ask; returns the request that will not be answered for it: an older one whose place this one took, or this one where
        the queue is full."""
        self.pending[instrument, row] = request
        sent = self._sent[instrument]
        replaced: int = self._run(self._handles, SUBMIT, instrument, row, sent, self.work.ringing)
        if replaced < 0:
            return self.pending.pop((instrument, row))
        self._sent[instrument] = sent + 1
        return self.pending.pop((instrument, replaced - 1), None) if replaced else None

    def collect(self) -> Sequence[Answer]:
        """The answers that are there, each to a request that still waits for one."""
        count = self._run(self._handles, COLLECT, _TAKEN, 0, 0, 0)
        if not count:
            return ()
        found: list[Answer] = []
        while count:
            outputs = self._taken_outputs[:count].tolist()
            for answer, values in zip(self._taken[:count].tolist(), outputs, strict=True):
                instrument, row, status, batch, size, *_ = answer
                request = self.pending.pop((instrument, row), None)
                if request is None:
                    self.dropped += 1
                else:
                    found.append(Answer(instrument, request, status, tuple(values), batch, size))
            count = self._run(self._handles, COLLECT, _TAKEN, 0, 0, 0) if count == _TAKEN else 0
        return found

    def listen(self, looks: int) -> bool:
        """Whether an answer is there, after up to that many looks; if not, the next one rings ``done``."""
        return bool(self._run(self._handles, LISTEN, looks, 0, 0, 0))

    def await_answer(self, looks: int, milliseconds: int) -> bool:
        """``listen``, and sleep until ``done`` rings, at most that long; False where it did not."""
        return bool(self._run(self._handles, AWAIT, looks, milliseconds, self.done.listening, 0))

    def publish(self, instrument: int, head: int) -> None:
        """A row was made that nobody is asked about: workers must know how far the ring has come."""
        self.arrays["heads"][instrument] = head

    def check(self, now: int) -> list[tuple[int, int]]:
        """Watch over the workers; returns the requests (instrument, row) that nobody has. Those that still wait for an answer
        after the answers were collected once more were lost with a worker."""
        self.staff.check(now)
        if not self.available:  # nobody will take them up soon
            self.arrays["mail"][:] = 0
            self.arrays["fronts"][:] = self._sent
        waiting = [key for key in self.pending if not self._is_in_mail(*key)]  # before the lists are read: see ``kernel``
        held = self._held()
        return [key for key in waiting if key not in held]

    def close(self) -> None:
        """Stop the workers and let go of the memory; may be called twice."""
        if not self._open:
            return
        self._open = False
        self.arrays["header"][b.STOP] = 1
        for _ in range(self.shape.workers):
            self.work.ring()
        self.staff.stop()
        self.work.close()
        if self._own_done:
            self.done.close()
        if self._folder is not None:
            self._folder.remove(self._name)

    def _is_in_mail(self, instrument: int, row: int) -> bool:
        return bool((self.arrays["mail"][instrument] == row + 1).any())

    def _held(self) -> set[tuple[int, int]]:
        """What workers list as claimed, or about to be."""
        held: set[tuple[int, int]] = set()
        for line, claims in zip(self.arrays["workers"], self.arrays["claims"], strict=True):
            if line[b.STATE] == b.READY:
                held.update((instrument, row) for instrument, row in claims[: int(line[b.CLAIMS])].tolist())
        return held

    def _on_death(self, worker: int) -> None:
        """The process is gone for certain: what it held is lost, and a place in a queue that it had taken is free again."""
        line, claims = self.arrays["workers"][worker], self.arrays["claims"][worker]
        mail, fronts, places = self.arrays["mail"], self.arrays["fronts"], self.shape.places
        for instrument, row in claims[: int(line[b.CLAIMS])].tolist():
            waiting = {position % places for position in range(int(fronts[instrument]), self._sent[instrument])}
            for place in range(places):
                if place not in waiting and mail[instrument, place] == row + 1:
                    mail[instrument, place] = 0
        line[b.CLAIMS] = line[b.BUSY_SINCE] = line[b.SLEEPING] = 0

    def _hire(self, model: Model | None, log: Path) -> Crew | ThreadCrew:
        settings = self.settings
        hang_ns = settings.hang_ms * 1_000_000
        if model is not None:
            return ThreadCrew(model, self._serve_here, self.arrays, name=self._name, hang_ns=hang_ns)
        if self._folder is None or self._rows is None:
            raise ValueError("worker processes need rows and a board that they can map")
        return Crew(
            self._task,
            self.arrays,
            name=self._name,
            folder=self._folder.path,
            log=log,
            hang_ns=hang_ns,
            memory_bytes=settings.memory_mb * 1_000_000 if settings.memory_mb else None,
            descriptors=tuple({*self.work.descriptors, *self.done.descriptors}),
            died=self._on_death,
        )

    def _serve_here(self, wanted: Callable[[], bool]) -> Server:
        return Server(
            self.arrays,
            self.shape,
            worker=0,
            launch=0,
            columns=self.columns,
            window=self.bundle.window,
            wait="sleep",  # a thread that spins would keep the interpreter from the engine
            spin_us=0,
            work=self.work,
            done=self.done,
            wanted=wanted,
            keep_warm=self.settings.keep_warm,
        )

    def _task(self, worker: int, launch: int) -> Task:
        cpus = self.settings.cpus
        return Task(
            rows=str(self._rows),
            board=str(self._board),
            shape=self.shape,
            worker=worker,
            launch=launch,
            bundle=str(self.bundle.path),
            hash=self.bundle.hash,
            backend=self._backend,
            columns=self.columns,
            wait=self.settings.wait,
            spin_us=self.settings.spin_us,
            keep_warm=self.settings.keep_warm,
            cpu=cpus[worker % len(cpus)] if cpus else None,
            work=self.work.descriptors,
            done=self.done.descriptors,
            parent=os.getpid(),
        )


def _check_ring(bundle: BundleInfo, ring: RowRing) -> None:
    if ring.capacity < 4 * bundle.window:
        problem = f"reads windows of {bundle.window} rows outside the engine's thread: the ring holds {ring.capacity}"
        hint = f"[rows] ring = {4 * bundle.window} or more, so that a window is not overwritten while a worker reads it"
        raise BundleError(str(bundle.path), problem, hint)
