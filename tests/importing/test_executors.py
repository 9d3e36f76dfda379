"""Every importable model, through every executor, on rows of recorded frames: it answers as its original does, with the
same bits wherever it runs."""

from __future__ import annotations

import gzip
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_cases import CASES, Case, Room, quiet
from import_case import Import, Material, backend

from vtframe.api import BundleError, BundleInfo
from vtframe.buffers.segment import SegmentFolder
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.features import (
    BookImbalance,
    MicroPrice,
    MicroSpread,
    OrderFlowImbalance,
    RollingVolatility,
    TradeImbalance,
)
from vtframe.clock import LiveClock
from vtframe.domain import Instrument, Prediction, Records, Verdict
from vtframe.features import Pipeline
from vtframe.inference.executor import Executor
from vtframe.inference.fused import TOLERANCE as FUSED_TOLERANCE
from vtframe.inference.fused import FusedExecutor, open_fused
from vtframe.inference.importing.compare import TOLERANCE
from vtframe.inference.importing.rows import RowSet
from vtframe.inference.inline import InlineExecutor
from vtframe.inference.pool.board import SharedRows
from vtframe.inference.pool.executor import Answered, PoolExecutor
from vtframe.inference.pool.settings import PoolSettings
from vtframe.inference.pool.site import Site

MESSAGES, WARM, STEP, LOOKS, TOGETHER = 12_000, 6_000, 25, 96, 8
Recorded = tuple[Records, list[Instrument], Any]


@pytest.fixture(scope="module")
def recorded(data: Path) -> Recorded:
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        raw = [line.split(b" ", 1) for line in itertools.islice(file, MESSAGES)]
    instruments = list(BinanceCodec.recognize(message for _, message in raw))
    codec, records = BinanceCodec(), Records()
    codec.open(instruments)
    for number, (received, message) in enumerate(raw):
        first = records.n_frames
        codec.decode(message, records)
        records.stamp(number=number, ts_recv=int(received), first_frame=first)
    return records, instruments, codec.sequence_rule(0)


class Places:
    """A pipeline on recorded frames whose rows one bundle is asked about wherever it can run."""

    def __init__(self, recorded: Recorded, bundle: BundleInfo, folder: Path, *, fused: bool) -> None:
        self.records, instruments, rule = recorded
        self.bundle = bundle
        self.segments = SegmentFolder()
        self._close: list[Callable[[], None]] = [self.segments.close]
        try:
            self._make(instruments, rule, folder)
            assert ("fused" in self.executors) is fused, self.refused
        except BaseException:
            self.close()
            raise

    def _make(self, instruments: list[Instrument], rule: Any, folder: Path) -> None:
        features = [  # of btcusdt.toml
            BookImbalance(),
            BookImbalance(levels=5, as_="book_imbalance_5"),
            MicroSpread(),
            MicroPrice(),
            RollingVolatility(),
            OrderFlowImbalance(),
            TradeImbalance(),
        ]
        self.pipeline = Pipeline(features, instruments, [rule], memory=self._shared)
        self.pipeline.process(self.records, 0, WARM)
        self.at = WARM
        bundle = self.bundle
        self.model = self._open()
        self.executors: dict[str, Executor] = {"inline": InlineExecutor(self.model, bundle, **self._serving())}
        for where in ("thread", "process"):
            self.executors[where] = self._pool(where, folder)
        self.refused = ""
        try:
            compiled = open_fused(bundle, backend(bundle.backend))
        except BundleError as e:
            self.refused = str(e)
        else:
            self._close.append(compiled.close)
            executor = FusedExecutor(compiled, bundle, **self._serving())
            self.pipeline.join((executor.entry,))
            self.executors["fused"] = executor

    def step(self) -> np.ndarray:
        """The next frames; the window that ends at the newest row, (window, columns)."""
        while not self.pipeline.process(self.records, self.at, self.at + STEP):
            self.at += STEP
        self.at += STEP
        return np.array(self.pipeline.ring.window(0, self.bundle.window))

    def ask(self, where: str) -> Prediction:
        executor = self.executors[where]
        if not isinstance(executor, PoolExecutor):
            return executor.predict(0, started=time.monotonic_ns())
        settled = [*executor.submit(0, started=time.monotonic_ns()), *self.collect(executor)]
        (answered,) = settled
        assert answered.batch_size == 1
        return answered.prediction

    def collect(self, executor: PoolExecutor) -> list[Answered]:
        settled, limit = [], time.monotonic() + 30
        while executor.pending:
            assert time.monotonic() < limit, executor.first_failure
            settled += executor.collect()
            executor.site.done.wait(1.0)
        return settled

    def close(self) -> None:
        while self._close:
            self._close.pop()()

    def _shared(self, instruments: int, capacity: int, columns: int, dtype: Any) -> Any:
        self.rows = SharedRows(self.segments, instruments, capacity, columns, dtype)
        return self.rows.values, self.rows.meta

    def _open(self) -> Any:
        model = backend(self.bundle.backend).open(self.bundle)
        self._close.append(model.close)
        return model

    def _pool(self, where: Any, folder: Path) -> PoolExecutor:
        process = where == "process"
        site = Site(
            self.bundle,
            backend(self.bundle.backend),
            PoolSettings(where=where, overload="queue", max_batch=TOGETHER, hang_ms=30_000),
            ring=self.pipeline.ring,
            columns=tuple(self.pipeline.columns.index(name) for name in self.bundle.columns),
            number=1,
            model=None if process else self._open(),
            rows=self.rows.path if process else None,
            folder=self.segments if process else None,
            log=folder / "workers.log",
        )
        self._close.append(site.close)
        site.wait_ready(60)
        return PoolExecutor(site, **self._serving())

    def _serving(self) -> Any:
        forever = 10**18
        return {
            "ring": self.pipeline.ring,
            "columns": self.pipeline.columns,
            "clock": LiveClock(),
            "deadline_ns": forever,
            "max_age_ns": forever,
        }


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def room(tmp_path: Path, material: Material, rows: RowSet, monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(tmp_path, material, list(rows.columns), monkeypatch)


@pytest.fixture
def served(
    case: Case, room: Room, recorded: Recorded, imported: Import
) -> Iterator[tuple[Places, Callable[[np.ndarray], np.ndarray]]]:
    made = quiet(case.make, room)
    bundle = imported(made.source, **made.wishes).bundle
    assert (bundle.backend, bundle.window) == (case.backend, case.window)

    def original(windows: np.ndarray) -> np.ndarray:
        answers = np.asarray(made.original(windows.reshape(len(windows), -1) if case.window == 1 else windows), np.float64)
        return answers if bundle.calibrator is None else bundle.calibrator.apply(answers)

    places = Places(recorded, bundle, room.folder, fused=case.fused)
    try:
        yield places, original
    finally:
        places.close()


def test_it_answers_as_its_original_everywhere_and_with_the_same_bits(
    served: tuple[Places, Callable[[np.ndarray], np.ndarray]],
) -> None:
    places, original = served
    windows, answers = [], {where: [] for where in places.executors}
    for _ in range(LOOKS):
        windows.append(places.step())
        for where in places.executors:
            prediction = places.ask(where)
            assert prediction.verdict is Verdict.OK, (where, places.executors[where].first_failure)
            answers[where].append(prediction.outputs)
    expected = original(np.stack(windows))
    assert len(np.unique(expected.round(5), axis=0)) > 10
    for where, found in answers.items():
        apart = FUSED_TOLERANCE + TOLERANCE if where == "fused" else TOLERANCE
        np.testing.assert_allclose(found, expected, atol=apart, rtol=apart, err_msg=where)
    assert answers["inline"] == answers["thread"] == answers["process"]
    for where in ("thread", "process"):
        _ask_together(places, where)


def _ask_together(places: Places, where: str) -> None:
    """Rows that wait together are one batch, with the bits of the model's own answer to that batch."""
    executor = places.executors[where]
    assert isinstance(executor, PoolExecutor)
    pids = executor.site.pids() if where == "process" else []
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    windows, settled = {}, []
    for _ in range(TOGETHER):
        window = places.step()
        windows[places.pipeline.ring.head(0) - 1] = window
        settled += executor.submit(0, started=time.monotonic_ns())
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    settled += places.collect(executor)
    assert {one.prediction.row for one in settled} == set(windows)
    batches = {one.batch: [other for other in settled if other.batch == one.batch] for one in settled}
    if pids:
        assert max(map(len, batches.values())) >= TOGETHER - 1
    for batch in batches.values():
        batch.sort(key=lambda one: one.prediction.row)
        assert {one.batch_size for one in batch} == {len(batch)}
        again = places.model.predict(np.stack([windows[one.prediction.row] for one in batch]))
        assert [one.prediction.outputs for one in batch] == [tuple(row) for row in again.tolist()]
