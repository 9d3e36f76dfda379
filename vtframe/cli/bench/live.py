"""Bench of the live path: bytes in hand to order in the adapter's hands, and start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vtframe.assemble.session import Wishes, assemble
from vtframe.builtin import PLUGINS
from vtframe.cli.bench.material import Material
from vtframe.cli.bench.naive import Naive
from vtframe.cli.bench.rows import Row, time_row
from vtframe.clock import LiveClock
from vtframe.errors import InputError
from vtframe.inference.bundle import load_bundle

_PARTS = (*PLUGINS, "vtframe.cli.bench.parts")
_LANE = """
[[lanes]]
id = "bench"
model = "MODEL"
strategy = { use = "bench_alternate" }
execution = { use = "bench_instant" }
capital = 1_000_000

[[risk]]
use = "stale_prediction"
max_age_ms = 10_000
[[risk]]
use = "max_order_notional"
notional = 1_000_000
[[risk]]
use = "max_position"
notional = 1_000_000
[[risk]]
use = "price_collar"
bps = 100
[[risk]]
use = "order_rate"
orders = 100_000
"""


def step(config: Path, recordings: tuple[Path, ...], say: Callable[[str], None]) -> Iterator[Row]:
    """Every prediction becomes an order through strategy, all five policies, journal and adapter."""
    if not recordings:
        raise InputError("--recording", "the live step is measured on recorded frames", "name a recording of Binance frames")
    text = config.read_text()
    head = text.partition("[[lanes]]")[0]
    with tempfile.TemporaryDirectory() as folder:
        changed = config.with_name(f".{config.stem}.bench.toml")  # beside the original: its paths are relative
        model = load_bundle(config.resolve().parent / "models" / "btcusdt_direction")
        changed.write_text(head.replace("embedded_direction", model.name) + _LANE.replace("MODEL", model.name))
        try:
            wishes = Wishes(recordings=recordings, folder=Path(folder) / "session", builtin=_PARTS)
            session = assemble(changed, wishes).session
        finally:
            changed.unlink()
        orders = session.meters.stage("tick_to_order")
        samples: list[int] = []
        fold = session.meters.fold

        def keep() -> None:
            samples.extend(orders.samples)
            fold()

        session.meters.fold = keep  # type: ignore[method-assign]  # the raw samples, before they become buckets
        session.run()
    say(f"{len(samples):,} orders from {', '.join(path.name for path in recordings)}")
    material = Material(recordings)
    naive = Naive(material.instruments[0], model)
    baseline = []
    for data, _ in material.messages:
        before = time.perf_counter_ns()
        if naive.message(data) is not None:
            baseline.append((time.perf_counter_ns() - before) / 1e3)
    yield time_row(
        "live step: bytes to order at the adapter",
        "us",
        [sample / 1e3 for sample in samples],
        "json, plain Python, onnxruntime; no risk, no journal",
        baseline,
    )


def start(config: Path, say: Callable[[str], None]) -> Iterator[Row]:
    """Seconds from the command to its first prediction, with the kernel cache warm and cold."""
    warm: list[float] = []
    cold: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, times, repeats in (("cold", cold, 3), ("warm", warm, 5)):
            for repeat in range(repeats):
                cache = Path(folder) / (f"cache{repeat}" if name == "cold" else "cache0")
                times.append(_first_prediction(config, Path(folder) / f"{name}{repeat}", cache))
                say(f"{name} start {repeat + 1}: {times[-1]:.2f} s to the first prediction")
    yield time_row("start: vtframe run to its first prediction, warm cache", "s", warm, "cold cache", cold)


def _first_prediction(config: Path, session: Path, cache: Path) -> float:
    command = [sys.executable, "-m", "vtframe.cli.main", "run", str(config), "--session", str(session), "--json"]
    before = LiveClock().now_ns()
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        env={**os.environ, "VTFRAME_CACHE": str(cache), "NUMBA_CACHE_DIR": str(cache / "numba")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InputError(str(config), f"the session failed: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    return float((report["first_prediction_at_ns"] - before) / 1e9)
