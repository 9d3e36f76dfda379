"""Whole sessions whose model runs elsewhere: the same decisions as inline, and counts that add up whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from vtframe.assemble.parity import ParityRun
from vtframe.assemble.session import Assembled, Wishes, assemble
from vtframe.errors import BundleError, ConfigError
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import read_description

VERDICTS = ("predictions", "conflated", "invalid", "failed", "overrun", "pending")


@pytest.fixture
def home(root: Path, tmp_path: Path) -> Path:
    shutil.copytree(root / "models" / "embedded_direction", tmp_path / "models" / "embedded_direction")
    shutil.copytree(root / "strategies", tmp_path / "strategies")
    (tmp_path / "pool_models.py").write_text(Path(__file__).with_name("pool_models.py").read_text())
    described = read_description(tmp_path / "models" / "embedded_direction" / "bundle.toml")
    for name in ("steady", "troubled"):
        changed = msgspec.structs.replace(described, name=name, backend=name, file="model.txt", files={})
        write_bundle(tmp_path / "models" / name, changed, {"model.txt": b"whole"})
    return tmp_path


def configured(home: Path, root: Path, name: str, *, seconds: float, model: str, bundle: str = "embedded_direction") -> Path:
    text = (root / "market.toml").read_text()
    text = text.replace("duration_s = 1200", f"duration_s = {seconds}")
    text = text.replace('where = "inline"\ndeadline_us = 5_000', model)
    text = text.replace('bundle = "models/embedded_direction"', f'bundle = "models/{bundle}"\nname = "embedded_direction"')
    if bundle != "embedded_direction":
        text = text.replace('plugins = ["onnx"]', 'plugins = ["onnx"]\nlocal = ["pool_models.py"]')
    assert model in text
    assert f"duration_s = {seconds}" in text
    path = home / f"{name}.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ('where = "inline"\nworkers = 2', 'workers: found it with where = "inline", which does not use it; it is for where'),
        ('where = "fused"\nhang_ms = 50', 'hang_ms: found it with where = "fused", which does not use it'),
        ('where = "thread"\nwait = "busy"', 'wait: found it with where = "thread", which does not use it'),
        ('where = "process"\nqueue = 5', 'queue: found 5, which nothing uses; it is a setting of overload = "queue"'),
        ('where = "process"\nwait = "busy"\nspin_us = 5', "spin_us: found 5, which nothing uses; it is a setting of wait"),
        ('where = "process"\ncpus = [0, 4096]', "cpus: found 4096, expected numbers under"),
        ('where = "proces"', 'where: found "proces" (string)'),
    ],
    ids=["inline", "fused", "thread", "queue", "busy", "cpus", "misspelled"],
)
def test_settings_that_nothing_uses_are_told_with_their_line(home: Path, root: Path, lines: str, fault: str) -> None:
    path = configured(home, root, "clash", seconds=10, model=lines)
    with pytest.raises(ConfigError) as caught:
        assemble(path, Wishes(folder=home / "clash"))
    line = path.read_text().splitlines().index(lines.splitlines()[-1]) + 1
    assert f"clash.toml:{line} [[models]] 1 {fault}" in str(caught.value)


def test_a_ring_too_short_for_windows_read_elsewhere_is_told_before_anything_is_written(home: Path, root: Path) -> None:
    described = read_description(home / "models" / "steady" / "bundle.toml")
    wide = msgspec.structs.replace(
        described, name="wide", input=msgspec.structs.replace(described.input, window=1_100), files={}
    )
    write_bundle(home / "models" / "wide", wide, {"model.txt": b"whole"})
    path = configured(home, root, "short", seconds=10, model='where = "process"', bundle="steady")
    path.write_text(path.read_text().replace("models/steady", "models/wide"))
    with pytest.raises(BundleError, match=r"windows of 1100 rows outside .* the ring holds 4096; \[rows\] ring = 4400"):
        assemble(path, Wishes(folder=home / "short"))
    assert not (home / "short").exists()


def run(path: Path, **wishes: Any) -> dict[str, Any]:
    return assemble(path, Wishes(folder=path.parent / path.stem, **wishes)).session.run().report


def adds_up(counts: dict[str, int]) -> bool:
    return counts["rows"] == sum(counts[name] for name in VERDICTS)


def test_a_session_that_waits_for_its_model_elsewhere_decides_as_one_with_the_model_inline(home: Path, root: Path) -> None:
    reports = {
        where: run(
            configured(home, root, where, seconds=120, model=f'where = "{where}"\ndeadline_us = 5_000'), deterministic=True
        )
        for where in ("inline", "process", "thread")
    }
    inline = reports["inline"]
    assert inline["counts"]["orders"] > 3
    for where in ("process", "thread"):
        assert reports[where]["hashes"]["decisions"] == inline["hashes"]["decisions"], where
        assert reports[where]["counts"] == inline["counts"], where
    logged = {where: pq.read_table(home / where / "predictions" / "embedded_direction") for where in reports}
    for name in ("row", "input", "arrived", "verdict", "down", "flat", "up"):
        assert logged["process"].column(name).equals(logged["inline"].column(name)), name


@pytest.mark.parametrize("where", ["process", "thread"])
def test_a_model_slower_than_its_market_conflates_and_never_stops_it(home: Path, root: Path, where: str) -> None:
    model = f'where = "{where}"\noverload = "latest"\nbackend = {{ sleep_ms = 50 }}\ndeadline_us = 2_000_000'
    path = configured(home, root, f"slow_{where}", seconds=1_500, model=model, bundle="steady")
    report = run(path)
    counts = report["counts"]
    assert adds_up(counts)
    assert counts["rows"] > 100_000
    assert counts["conflated"] > 0.9 * counts["rows"]
    assert 0 < counts["predictions"] < 1_000
    certificate = ParityRun(home / f"slow_{where}", predictions=True).run()
    assert certificate.passed
    assert certificate.models["embedded_direction"].timed == counts["conflated"] + counts["pending"]


def test_workers_killed_stopped_and_slow_under_a_running_market_cost_answers_and_no_frame(home: Path, root: Path) -> None:
    model = (
        'where = "process"\nworkers = 2\noverload = "latest"\nhang_ms = 300\ndeadline_us = 200_000\nbackend = { sleep_ms = 2 }'
    )
    path = configured(home, root, "chaos", seconds=4_000, model=model, bundle="steady")
    plain = run(configured(home, root, "plain", seconds=4_000, model='where = "inline"\ndeadline_us = 5_000'))
    assembled = assemble(path, Wishes(folder=home / "chaos"))
    stop = threading.Event()
    trouble = threading.Thread(target=make_trouble, args=(assembled, stop))
    trouble.start()
    try:
        report = assembled.session.run().report
    finally:
        stop.set()
        trouble.join()
    counts = report["counts"]
    assert adds_up(counts)
    for name in ("frames", "events", "rows"):
        assert counts[name] == plain["counts"][name], name
    deaths = report["workers"]["embedded_direction"]["deaths"]
    assert deaths.get("was killed by SIGKILL", 0) >= 1
    assert counts["predictions"] > 0
    assert ParityRun(home / "chaos", predictions=True).run().passed


COUNTED = """
from vtframe.cli.bench.load_parts import PacedMarket


class Counting:
    \"\"\"A sink that knows how many frames came through it.\"\"\"

    def __init__(self, sink):
        self.sink = sink
        self.frames = 0

    @property
    def stopping(self):
        return self.sink.stopping

    def on_records(self, records):
        self.before = self.frames
        self.frames += records.n_frames
        self.sink.on_records(records)


class CountedMarket(PacedMarket):
    \"\"\"20,000 frames a second in real time, counted.\"\"\"

    name = "counted"

    async def run(self, sink):
        self.counting = Counting(sink)
        await super().run(self.counting)
"""


def test_a_slow_model_with_every_fault_under_20_000_frames_a_second_costs_answers_and_no_frame(home: Path, root: Path) -> None:
    """50 ms a call; nan, a wrong shape, an exception, and lives that end by a memory bomb, a segmentation fault, an exit."""
    (home / "counted.py").write_text(COUNTED)
    model = (
        'where = "process"\noverload = "latest"\nhang_ms = 20_000\nmemory_mb = 700\n'
        "deadline_us = 10_000_000\nstale_ms = 20_000\n"
        f'backend = {{ sleep_ms = 50, lives = "{home}/lives" }}'
    )
    path = configured(home, root, "faults", seconds=1, model=model, bundle="troubled")
    text = path.read_text().replace('local = ["pool_models.py"]', 'local = ["pool_models.py", "counted.py"]')
    text = text.replace('use = "market"', 'use = "counted"\nseconds = 300')
    path.write_text(text)
    session = assemble(path, Wishes(folder=home / "faults")).session
    executor = session.engine.elsewhere.models[0].executor
    expected = {"took more memory than it may", "was killed by SIGSEGV", "exited with 3"}
    ended: list[bool] = []

    def end() -> None:
        limit = time.monotonic() + 100
        while not expected <= executor.deaths.keys() and time.monotonic() < limit:
            time.sleep(0.05)
        ended.append(expected <= executor.deaths.keys())
        session.engine.stop("seen enough")

    watcher = threading.Thread(target=end)
    watcher.start()
    report = session.run().report
    watcher.join()
    counts = report["counts"]
    assert ended == [True], report["workers"]
    assert adds_up(counts), counts
    counting = session.feed.counting  # type: ignore[attr-defined]
    assert counting.before < counts["frames"] <= counting.frames  # the stop came in the middle of the last delivery
    assert counts["frames"] > 40_000
    assert counts["predictions"] >= 2
    assert counts["failed"] >= 3 * 3
    logged = pq.read_table(home / "faults" / "predictions" / "embedded_direction").to_pandas()
    assert len(logged) == counts["rows"]
    assert sorted(logged["row"]) == list(range(counts["rows"]))
    answered = logged[logged["verdict"] == "ok"][["down", "flat", "up"]]
    assert answered.notna().all(axis=None)
    assert logged[logged["verdict"] == "failed"][["down", "flat", "up"]].isna().all(axis=None)


def make_trouble(assembled: Assembled, stop: threading.Event) -> None:
    """Kill a worker, stop another, again and again."""
    (elsewhere,) = assembled.session.engine.elsewhere.models
    staff = elsewhere.executor.site.staff
    signals = [signal.SIGKILL, signal.SIGSTOP]
    turn = 0
    while not stop.wait(0.25):
        running = [worker.process.pid for worker in staff.workers if worker.process is not None]
        if running:
            try:
                os.kill(running[turn % len(running)], signals[turn % 2])
            except ProcessLookupError:
                continue
            turn += 1


def test_a_strategy_sees_that_no_worker_is_there(home: Path, root: Path) -> None:
    model = 'where = "process"\noverload = "latest"\ndeadline_us = 200_000'
    path = configured(home, root, "gone", seconds=1_000, model=model, bundle="steady")
    assembled = assemble(path, Wishes(folder=home / "gone"))
    engine, (lane, *_) = assembled.session.engine, assembled.session.lanes
    (elsewhere,) = engine.elsewhere.models
    assert lane.view.model_available
    (worker,) = elsewhere.executor.site.staff.workers
    assert worker.process is not None
    worker.process.kill()
    limit = time.monotonic() + 20
    while lane.view.model_available:
        assert time.monotonic() < limit
        engine.poll()
    assembled.session.run()
