"""Bench under load: 20,000 frames a second in real time, with a model far too slow for them, and workers that are killed."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from vtframe.assemble.session import Wishes, assemble
from vtframe.builtin import PLUGINS
from vtframe.cli.bench.rows import Row
from vtframe.config import read_document
from vtframe.errors import ConfigError, Fault, InvariantError
from vtframe.inference.bundle import load_bundle, write_bundle
from vtframe.inference.bundle_format import DESCRIPTION, read_description
from vtframe.inference.pool.executor import PoolExecutor

_PARTS: Final = (*PLUGINS, "vtframe.cli.bench.load_parts")
_RATE, _SECONDS, _SLOW_MS = 20_000, 12.0, 50.0
_SETTLED: Final = ("predictions", "conflated", "invalid", "failed", "overrun", "pending")


def run(config: Path, say: Callable[[str], None]) -> Iterator[Row]:
    """Rows for the engine's own work and for the age of predictions; the counts of every session must add up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = _prepared(config, folder)
        quiet = _session(folder, text, "quiet", milliseconds=0.0)
        slow = _session(folder, text, "slow", milliseconds=_SLOW_MS)
        killed = _session(folder, text, "killed", milliseconds=_SLOW_MS, kill=True)
    for what, report in (("without model cost", quiet), (f"{_SLOW_MS:.0f} ms", slow), ("killed and stopped", killed)):
        counts = report["counts"]
        parts = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in _SETTLED)
        say(f"{what}: {counts['frames']:,} frames, {counts['rows']:,} rows = {parts}")
        say(f"{what}: deaths {report['workers']['timed']['deaths'] or 'none'}")
    for what, report in (("a model of 50 ms", slow), ("its workers killed and stopped", killed)):
        yield _row(f"load: book and features, {what}", report, "features", quiet, "the same, a model without cost")
    age = slow["prediction_age_ns"]
    allowed = 2 * _SLOW_MS + 1
    yield Row(
        name="load: age of a prediction of a 50 ms model",
        unit="ms",
        median=age["p50"] / 1e6,
        p99=age["p99"] / 1e6,
        baseline="twice its time and 1 ms, against the p99",
        baseline_median=allowed,
        ratio=allowed / (age["p99"] / 1e6),
    )


def _row(name: str, report: dict[str, Any], stage: str, base: dict[str, Any], baseline: str) -> Row:
    """Medians in the columns, the ratio of the p99s: what must not grow under load."""
    ours, theirs = report["latency_ns"][stage], base["latency_ns"][stage]
    return Row(
        name=name,
        unit="us",
        median=ours["p50"] / 1e3,
        p99=ours["p99"] / 1e3,
        baseline=f"{baseline}; its p99, the ratio of both",
        baseline_median=theirs["p99"] / 1e3,
        ratio=theirs["p99"] / ours["p99"],
    )


def _prepared(config: Path, folder: Path) -> str:
    """The configuration with the paced market and, in the place of its first model, one that takes a stated time."""
    text = config.read_text()
    document = read_document(config)
    models = document.data.get("models")
    if not models:
        raise ConfigError(Fault(file=str(config), table="[[models]]", problem="there is none"))
    bundle = document.folder / models[0]["bundle"]
    name = load_bundle(bundle).name
    described = msgspec.structs.replace(read_description(bundle / DESCRIPTION), backend="bench_timed", files={})
    files = {path.name: path.read_bytes() for path in bundle.iterdir() if path.name != DESCRIPTION}
    write_bundle(folder / "timed", described, files)
    features = text.partition("[[features]]")[2].partition("[[models]]")[0]
    return f"""
[feed]
use = "bench_paced"
frames_per_s = {_RATE}
seconds = {_SECONDS}

[[features]]{features}
[[models]]
bundle = "timed"
name = "timed"
where = "process"
workers = 2
hang_ms = 400
deadline_us = 1_000_000
stale_ms = 5_000
backend = {{ milliseconds = MILLISECONDS }}
# in the place of {name}

[[lanes]]
model = "timed"
strategy = {{ use = "probability", enter = 0.99 }}
execution = {{ use = "paper" }}

[[risk]]
use = "max_position"
notional = 1_000
"""


def _session(folder: Path, text: str, name: str, *, milliseconds: float, kill: bool = False) -> dict[str, Any]:
    path = folder / f"{name}.toml"
    path.write_text(text.replace("MILLISECONDS", f"{milliseconds}"))
    session = assemble(path, Wishes(folder=folder / name, builtin=_PARTS)).session
    done = threading.Event()
    trouble = threading.Thread(
        target=_trouble, args=([one.executor for one in session.engine.elsewhere.models], done), daemon=True
    )
    if kill:
        trouble.start()
    try:
        report = session.run().report
    finally:
        done.set()
        if kill:
            trouble.join()
    counts = report["counts"]
    if counts["rows"] != sum(counts[verdict] for verdict in _SETTLED):
        raise InvariantError(f"the counts of session {name} do not add up: {counts}")
    return report


def _trouble(executors: tuple[PoolExecutor, ...], done: threading.Event) -> None:
    """Kill one worker, stop another, every two seconds."""
    turn = 0
    while not done.wait(2.0):
        for executor in executors:
            pids = executor.site.pids()
            if pids:
                os.kill(pids[turn % len(pids)], signal.SIGSTOP if turn % 2 else signal.SIGKILL)
        turn += 1
