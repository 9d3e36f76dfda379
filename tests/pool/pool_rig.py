"""A ring that tests write rows into, and a pool that serves a scripted model on it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vtframe.api import InputFeature, Label
from vtframe.buffers.ring import RowRing
from vtframe.buffers.segment import SegmentFolder
from vtframe.clock import Clock, LiveClock
from vtframe.domain import ROW, Prediction, Verdict
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import Description, Input, Output
from vtframe.inference.pool.board import SharedRows
from vtframe.inference.pool.executor import Answered, PoolExecutor
from vtframe.inference.pool.settings import PoolSettings
from vtframe.inference.pool.site import Site
from vtframe.plugins.local import load_local

COLUMNS = 4
models: Any = load_local(Path(__file__).with_name("pool_models.py"), "pool_models.py")


def scripted_bundle(path: Path, *, window: int = 1, content: str = "whole") -> Any:
    features = tuple(InputFeature(use=name, label=name, columns=(name,)) for name in map("f{}".format, range(COLUMNS)))
    description = Description(
        name=path.name,
        backend="scripted",
        file="model.txt",
        input=Input(features=features, window=window, sampling="frame"),
        output=Output(
            classes=("down", "flat", "up"),
            label=Label(horizon_rows=10),
            expected_move_bps=(-1.0, 0.0, 1.0),
            variance_bps2=1.0,
            horizon_ns=10**9,
        ),
    )
    return write_bundle(path, description, {"model.txt": content.encode()})


class PoolRig:
    """One model over ``instruments``; ``close`` it."""

    def __init__(
        self,
        folder: Path,
        *,
        instruments: int = 2,
        ring: int = 256,
        window: int = 1,
        content: str = "whole",
        deadline_s: float = 30.0,
        sleep_ms: float = 0.0,
        ready: bool = True,
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        self.settings = PoolSettings(**{"where": "process", **settings})
        self.folder = folder
        self.log = folder / "workers.log"
        self.segments: SegmentFolder | None = None
        self.shared: SharedRows | None = None
        memory = None
        if self.settings.where == "process":
            self.segments = SegmentFolder()
            self.shared = SharedRows(self.segments, instruments, ring, COLUMNS, "float32")
            memory = self.shared.values, self.shared.meta
        self.ring = RowRing(instruments, ring, COLUMNS, memory=memory)
        self.backend = models.ScriptedBackend(sleep_ms=sleep_ms)
        self.versions = 0
        self.input = 0
        self.seen: list[Answered] = []
        self.submitted = 0
        try:
            self.site = self.make_site(scripted_bundle(folder / "scripted", window=window, content=content))
            if ready:
                self.site.wait_ready(60)
        except BaseException:
            self.close()
            raise
        self.executor = PoolExecutor(
            self.site,
            ring=self.ring,
            clock=clock or LiveClock(),
            deadline_ns=int(deadline_s * 1e9),
            max_age_ns=10**18,
        )

    def make_site(self, bundle: Any, backend: Any = None) -> Site:
        self.versions += 1
        backend = backend or self.backend
        thread = self.settings.where == "thread"
        return Site(
            bundle,
            backend,
            self.settings,
            ring=self.ring,
            columns=tuple(range(COLUMNS)),
            number=self.versions,
            model=backend.open(bundle) if thread else None,
            rows=None if self.shared is None else self.shared.path,
            folder=self.segments,
            log=self.log,
        )

    def row(self, instrument: int = 0, *, command: int = 0, value: float = 0.0, valid: bool = True) -> int:
        """Write a row; returns its number."""
        meta = np.zeros((), ROW)
        meta["valid"], meta["input"], meta["instrument"] = valid, self.input, instrument
        meta["ts_recv"] = LiveClock().now_ns()
        self.input += 1
        return self.ring.append(instrument, np.array([command, 1, 2, value], np.float32), meta)

    def ask(self, instrument: int = 0, **row: Any) -> int:
        number = self.row(instrument, **row)
        self.submitted += 1
        self.seen += self.executor.submit(instrument, started=time.monotonic_ns())
        return number

    def wait(self, condition: Callable[[], bool] | None = None, seconds: float = 30.0) -> None:
        """Collect until nothing is pending, or the condition holds."""
        limit = time.monotonic() + seconds
        while self.executor.pending if condition is None else not condition():
            assert time.monotonic() < limit, f"{self.executor.pending} pending, {self.verdicts()}, {self.last_words()}"
            self.seen += self.executor.collect()
            time.sleep(0.0005)

    def last_words(self) -> str:
        return self.log.read_text()[-2000:] if self.log.exists() else ""

    def verdicts(self) -> dict[str, int]:
        return dict(Counter(answered.prediction.verdict.value for answered in self.seen))

    def predictions(self, verdict: Verdict | None = None) -> list[Prediction]:
        return [one.prediction for one in self.seen if verdict is None or one.prediction.verdict is verdict]

    def pids(self) -> list[int]:
        return [worker.process.pid for worker in self.site.staff.workers if worker.process is not None]  # type: ignore[union-attr]

    def adds_up(self) -> bool:
        return len(self.seen) + self.executor.pending == self.submitted

    def close(self) -> None:
        if hasattr(self, "executor"):
            self.executor.close()
        elif hasattr(self, "site"):
            self.site.close()
        if self.segments is not None:
            self.segments.close()
