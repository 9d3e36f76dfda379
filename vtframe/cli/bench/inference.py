"""Bench of one model call: the inline executor beside the bare runtime, compiled models beside ONNX Runtime, on varied rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vtframe.assemble.check import examine
from vtframe.buffers.ring import RowRing
from vtframe.cli.bench.elsewhere import run_elsewhere
from vtframe.cli.bench.fused import run_fused
from vtframe.cli.bench.rows import Row, time_row
from vtframe.cli.bench.swap import swap_rows
from vtframe.cli.bench.watch import watch_rows
from vtframe.clock import LiveClock
from vtframe.domain import ROW
from vtframe.inference.inline import InlineExecutor

_CALLS = 20_000
_YEAR_NS = 365 * 86_400 * 10**9


def run(config: Path, say: Callable[[str], None]) -> Iterator[Row]:
    """One row for each model of the configuration; three each for a network and for trees, compiled; models in
    another process; what scores and rules on drift cost a row; the longest time without a prediction at a swap."""
    examined = examine(config)
    examined.usable_parts()
    for name, bundle in examined.bundles.items():
        model = examined.plugins.registries.model_backends.get(bundle.backend)().open(bundle)
        ring = RowRing(1, 4096, len(bundle.columns), dtype=bundle.dtype)
        random = np.random.default_rng(7)
        meta = np.zeros((), ROW)
        meta["valid"] = 1
        for _ in range(ring.capacity):
            ring.append(0, random.standard_normal(len(bundle.columns)).astype(bundle.dtype), meta)
        executor = InlineExecutor(model, bundle, ring=ring, clock=LiveClock(), deadline_ns=_YEAR_NS, max_age_ns=100 * _YEAR_NS)
        bare = model.predict
        batch = ring.window(0, bundle.window)[None]
        now = time.perf_counter_ns
        times, baseline = [], []
        for _ in range(_CALLS):
            before = now()
            executor.predict(0, started=before)
            middle = now()
            bare(batch)
            after = now()
            times.append((middle - before) / 1e3)
            baseline.append((after - middle) / 1e3)
        say(f"{name}: {len(bundle.columns)} columns, window {bundle.window}, {_CALLS:,} calls of each in turn")
        yield time_row(f"inference: {name} inline, row to prediction", "us", times, "the backend's call alone", baseline)
    backends = examined.plugins.registries.model_backends
    backend = backends.get("onnx")() if "onnx" in backends.names() else None
    if backend is not None:
        yield from run_fused(backend, say)
    yield from run_elsewhere(backend, say)
    yield from watch_rows(say)
    yield from swap_rows(examined, say)
