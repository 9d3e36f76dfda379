"""Bench of models in another process: round trips beside the usual ways to get there and back, batches, warm caches."""

from __future__ import annotations

import contextlib
import importlib.util
import mmap
import multiprocessing
import os
import signal
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, InputFeature, Label, Model, ModelBackend
from vtframe.buffers.ring import RowRing
from vtframe.buffers.segment import SegmentFolder
from vtframe.cli.bench.fused import network_bundle
from vtframe.cli.bench.rows import Row, rate_row, time_row
from vtframe.clock import LiveClock
from vtframe.domain import ROW
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import Description, Input, Output
from vtframe.inference.pool.board import INSTRUMENT, SharedRows
from vtframe.inference.pool.compiled import AWAIT, COLLECT, SUBMIT
from vtframe.inference.pool.executor import PoolExecutor
from vtframe.inference.pool.settings import PoolSettings
from vtframe.inference.pool.site import Site

COLUMNS: Final = 40
_OUTPUTS: Final = 3
_ROUNDS: Final = 5_000
_SLOW_ROUNDS: Final = 1_000
_TURNS: Final = 10  # in which two ways are measured, one after the other
_ASLEEP_S: Final = 0.01  # before a round trip that finds everybody asleep
_ASLEEP_ROUNDS: Final = 300
_DAY_MS: Final = 86_400_000
_ASKED: Final = {1: 4_000, 64: 60_000}  # rows, by the largest batch
_REPEATS: Final = 7
_RARE: Final = ((10, 20), (100, 100), (1_000, 500))  # rows a second, and how many
_YEAR_NS: Final = 365 * 86_400 * 10**9
_EVENT = struct.Struct("q")

_now = time.perf_counter_ns


class _Constant:
    """A model that costs nothing."""

    def __init__(self) -> None:
        self._answers = np.zeros((1_024, _OUTPUTS), np.float32)

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        return self._answers[: len(batch)]

    def close(self) -> None:
        """It holds nothing."""


class ConstantBackend(ModelBackend):
    """Opens nothing: what is measured is the way to a model and back."""

    name = "constant"
    suffixes = (".txt",)

    def open(self, bundle: BundleInfo) -> Model:
        return _Constant()


class _Bare(Site):
    """A site that is asked without an executor: the way there and back alone."""

    def ask_all(self, instruments: int, rows: int) -> int:
        """Ask about the newest row of each of the first instruments, and again about each that is answered, until so many are;
        returns how many. No request is remembered, and no answer is kept."""
        run, handles, taken = self._run, self._handles, self._taken
        newest = [max(head - 1, 0) for head in self.arrays["heads"].tolist()]
        asked, answered = 0, 0
        ready = list(range(instruments))
        while answered < max(asked, rows):
            if asked < rows:
                for instrument in ready:
                    run(handles, SUBMIT, instrument, newest[instrument], 0, self.work.ringing)
                asked += len(ready)
            count = run(handles, COLLECT, len(self._taken), 0, 0, 0)
            ready = taken[:count, INSTRUMENT].tolist()
            answered += count
        return answered

    def ask_asleep(self, instrument: int) -> int:
        """Ask about an instrument's newest row, and sleep until it is answered. As ``ask_all``."""
        run, handles = self._run, self._handles
        run(handles, SUBMIT, instrument, max(int(self.arrays["heads"][instrument]) - 1, 0), 0, self.work.ringing)
        while not (answered := run(handles, COLLECT, len(self._taken), 0, 0, 0)):
            run(handles, AWAIT, 0, 1_000, self.done.listening, 0)
        return int(answered)


class Bench:
    """A ring of random rows and one model in one worker process, which is stopped but for ``with bench.running()``: workers
    that spin side by side would measure each other."""

    def __init__(self, bundle: BundleInfo, backend: ModelBackend, *, instruments: int = 1, **settings: Any) -> None:
        columns = len(bundle.columns)
        self.folder = SegmentFolder()
        rows = SharedRows(self.folder, instruments, 4096, columns, bundle.dtype)
        self.ring = RowRing(instruments, 4096, columns, dtype=bundle.dtype, memory=(rows.values, rows.meta))
        self.site = _Bare(
            bundle,
            backend,
            PoolSettings(hang_ms=_DAY_MS, **settings),
            ring=self.ring,
            columns=tuple(range(columns)),
            rows=rows.path,
            folder=self.folder,
        )
        self.site.wait_ready()
        self.executor = PoolExecutor(
            self.site, ring=self.ring, clock=LiveClock(), deadline_ns=_YEAR_NS, max_age_ns=100 * _YEAR_NS
        )
        self._values = np.random.default_rng(7).standard_normal((997, columns)).astype(bundle.dtype)
        self._meta = np.zeros((), ROW)
        self._meta["valid"] = 1
        self._made = 0
        self._pids = self.site.pids()
        self._signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._signal(signal.SIGCONT)
        time.sleep(0.001)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids:
            os.kill(pid, number)

    def row(self, instrument: int = 0) -> None:
        self._made += 1
        self.ring.append(instrument, self._values[self._made % len(self._values)], self._meta)

    def round_trip(self) -> float:
        """From submit to the reply seen by the engine's loop, us; it polls where answers do not ring."""
        self.row()
        executor, site = self.executor, self.site
        before = _now()
        executor.submit(0, started=before)
        if executor.rings:
            while not (answered := executor.collect()):
                site.await_answer(0, 1_000)
        else:
            while not (answered := executor.collect()):
                pass
        after = _now()
        if not answered[0].prediction.outputs:
            raise RuntimeError(f"the bench's model answered {answered[0].prediction.verdict}")
        return (after - before) / 1e3

    def round_trip_after(self, seconds: float) -> float:
        """``round_trip`` of an engine that has polled that long for nothing, us."""
        limit = _now() + int(seconds * 1e9)
        while _now() < limit:
            self.executor.collect()
        return self.round_trip()

    def way_alone(self) -> float:
        """There and back without what the engine does around a request (the row's record, age, verdict), us; both sleep."""
        before = _now()
        self.site.ask_asleep(0)
        return (_now() - before) / 1e3

    def close(self) -> None:
        self._signal(signal.SIGCONT)
        self.executor.close()
        self.folder.close()


def run_elsewhere(backend: ModelBackend | None, say: Callable[[str], None]) -> Iterator[Row]:
    """``backend`` opens .onnx files; without it, or the package onnx, only round trips are measured."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _round_trips(constant_bundle(Path(folder) / "constant"), say)
        if backend is not None and importlib.util.find_spec("onnx") is not None:
            network = network_bundle(Path(folder) / "network")
            yield from _batches("MLP 32-64-32-3", network, backend, say)
            yield from _warmth("MLP 32-64-32-3", network, backend, say)


def constant_bundle(path: Path) -> BundleInfo:
    names = [f"f{index}" for index in range(COLUMNS)]
    description = Description(
        name="constant",
        backend="constant",
        file="nothing.txt",
        input=Input(features=tuple(InputFeature(use=name, label=name, columns=(name,)) for name in names), sampling="frame"),
        output=Output(
            classes=("down", "flat", "up"),
            label=Label(horizon_rows=1),
            expected_move_bps=(-1.0, 0.0, 1.0),
            variance_bps2=1.0,
            horizon_ns=1,
        ),
    )
    return write_bundle(path, description, {"nothing.txt": b"nothing"})


def _round_trips(bundle: BundleInfo, say: Callable[[str], None]) -> Iterator[Row]:
    say(f"pool: {COLUMNS} numbers out, {_OUTPUTS} back, no model cost; {_ROUNDS:,} rounds busy, {_SLOW_ROUNDS:,} of the others")
    pool = Bench(bundle, ConstantBackend(), wait="busy")
    with contextlib.closing(pool), contextlib.closing(_Queues()) as queues:
        ours, theirs = [], []
        for _ in range(_TURNS):
            with pool.running():
                pool.round_trip()
                ours += [pool.round_trip() for _ in range(_ROUNDS // _TURNS)]
            queues.round_trip()
            theirs += [queues.round_trip() for _ in range(_SLOW_ROUNDS // _TURNS)]
        paced, queued = [], []
        for _ in range(_TURNS):
            with pool.running():
                paced += [pool.round_trip_after(_ASLEEP_S) for _ in range(_ASLEEP_ROUNDS // _TURNS)]
            for _ in range(_ASLEEP_ROUNDS // _TURNS):
                time.sleep(_ASLEEP_S)
                queued.append(queues.round_trip())
    yield time_row("pool: round trip, busy", "us", ours, "multiprocessing.Queue there and back", theirs)
    yield time_row("pool: round trip, busy, a row every 10 ms", "us", paced, "the same queues, a row every 10 ms", queued)
    pool = Bench(bundle, ConstantBackend(), wait="sleep", spin_us=0)
    with contextlib.closing(pool), contextlib.closing(_EventFds()) as events:
        ways: dict[str, list[float]] = {"round trip": [], "the way alone": [], "floor": []}
        with pool.running():
            for _ in range(_ASLEEP_ROUNDS):
                for way, go in zip(ways, (pool.round_trip, pool.way_alone, events.round_trip), strict=True):
                    time.sleep(_ASLEEP_S)
                    ways[way].append(go())
    floor = ways.pop("floor")
    for way, times in ways.items():
        yield time_row(f"pool: {way}, both asleep", "us", times, "shared memory and two eventfds, nothing else", floor)


def _batches(name: str, bundle: BundleInfo, backend: ModelBackend, say: Callable[[str], None]) -> Iterator[Row]:
    """How many rows a second one worker answers when 64 instruments ask at once, with batches and without. The rows are made
    and asked for by the board's compiled calls: what an engine does around them is in the other rows."""
    instruments = 64
    say(f"{name}: {instruments} instruments ask at once")
    rates: dict[int, list[float]] = {1: [], instruments: []}
    benches = {size: Bench(bundle, backend, instruments=instruments, wait="busy", max_batch=size) for size in rates}
    try:
        for bench in benches.values():
            for instrument in range(instruments):
                for _ in range(bundle.window):
                    bench.row(instrument)
        for _ in range(_REPEATS):
            for size, bench in benches.items():
                with bench.running():
                    rates[size].append(_rate(bench, instruments, _ASKED[size]))
    finally:
        for bench in benches.values():
            bench.close()
    yield rate_row(f"pool: {name}, rows answered, batches of up to 64", "M rows/s", rates[instruments], "one by one", rates[1])


def _rate(bench: Bench, instruments: int, rows: int) -> float:
    """M rows/s: every instrument asks again as soon as it has its answer."""
    before = _now()
    done = bench.site.ask_all(instruments, rows)
    return done / ((_now() - before) / 1e3)


def _warmth(name: str, bundle: BundleInfo, backend: ModelBackend, say: Callable[[str], None]) -> Iterator[Row]:
    """Answers to rows that are rare, while the engine's core does other work, on 4 MB."""
    say(f"{name}: rows at 10, 100 and 1,000 a second, kept warm and not")
    other = np.random.default_rng(3).standard_normal(500_000)
    benches = {warm: Bench(bundle, backend, wait="busy", keep_warm=warm) for warm in (False, True)}
    try:
        for bench in benches.values():
            for _ in range(bundle.window):
                bench.row()
        for rate, rounds in _RARE:
            times: dict[bool, list[float]] = {False: [], True: []}
            for warm, bench in benches.items():
                with bench.running():
                    bench.round_trip()
                    for _ in range(rounds):
                        limit = _now() + 1_000_000_000 // rate
                        while _now() < limit:
                            other *= 1.0000001
                        times[warm].append(bench.round_trip())
            yield time_row(f"pool: {name} at {rate:,} rows/s, keep_warm", "us", times[True], "the same without", times[False])
    finally:
        for bench in benches.values():
            bench.close()


class _Queues:
    """The blueprint of many articles: a row and its answer through two multiprocessing queues."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._out, self._back = context.Queue(), context.Queue()
        self._worker = context.Process(target=_serve_queue, args=(self._out, self._back), daemon=True)
        self._worker.start()
        self._row = np.random.default_rng(7).standard_normal(COLUMNS).astype(np.float32)
        self.round_trip()

    def round_trip(self) -> float:
        before = _now()
        self._out.put(self._row)
        self._back.get()
        return (_now() - before) / 1e3

    def close(self) -> None:
        self._out.put(None)
        self._worker.join()


def _serve_queue(rows: Any, answers: Any) -> None:
    model = _Constant()
    while (row := rows.get()) is not None:
        answers.put(model.predict(row.reshape(1, 1, -1))[0])


class _EventFds:
    """The floor of what sleeps: numbers in shared memory, and one eventfd for each way."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 4096)
        self._cells = np.frombuffer(self._memory, np.float32)
        self._row = np.random.default_rng(7).standard_normal(COLUMNS).astype(np.float32)
        self._out, self._back = os.eventfd(0), os.eventfd(0)
        self._pid = os.fork()
        if not self._pid:
            while os.eventfd_read(self._out) == 1:
                row = self._cells[:COLUMNS].copy()
                self._cells[COLUMNS : COLUMNS + _OUTPUTS] = row[:_OUTPUTS]
                os.eventfd_write(self._back, 1)
            os._exit(0)

    def round_trip(self) -> float:
        before = _now()
        self._cells[:COLUMNS] = self._row
        os.eventfd_write(self._out, 1)
        os.eventfd_read(self._back)
        self._cells[COLUMNS : COLUMNS + _OUTPUTS].tolist()
        return (_now() - before) / 1e3

    def close(self) -> None:
        os.eventfd_write(self._out, 2)
        os.waitpid(self._pid, 0)
        os.close(self._out)
        os.close(self._back)
