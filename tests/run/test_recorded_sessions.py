"""The whole path on recorded frames: every file of the data folder, through the command line's own assembly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from vtframe.assemble.session import Wishes, assemble

PAIRS = {
    "spot": ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"),
    "usdm": ("usdm_btcusdt_20240808.gz",),
    "coinm": ("cm_btcusd_perp_20240808.gz", "cm_btcusd_perp_20240809.gz"),
    "usdm_2023": ("usdm_btcusdt_20230404.dat.gz", "usdm_btcusdt_20230405.dat.gz"),
}
MESSAGES = {"spot": 99_574, "usdm": 93_954, "coinm": 98_386, "usdm_2023": 73_765}
INSTRUMENT = {
    "spot": "BTCUSDT@binance_spot",
    "usdm": "BTCUSDT@binance_usdm",
    "coinm": "BTCUSD_PERP@binance_coinm",
    "usdm_2023": "BTCUSDT@binance_usdm",
}


def play(root: Path, data: Path, folder: Path, name: str, **wishes: Any) -> dict[str, Any]:
    """Run btcusdt.toml on one pair of files; the report."""
    files = tuple(data / "binance" / file for file in PAIRS[name])
    return assemble(root / "btcusdt.toml", Wishes(recordings=files, folder=folder, **wishes)).session.run().report


@pytest.mark.parametrize("name", PAIRS)
def test_every_recorded_pair_runs_from_frames_to_fills(name: str, root: Path, data: Path, tmp_path: Path) -> None:
    report = play(root, data, tmp_path / "session", name)
    counts = report["counts"]
    assert report["session"]["reason"] == "end of data"
    assert report["session"]["instruments"] == [INSTRUMENT[name]]
    assert counts["inputs"] == MESSAGES[name]
    assert (counts["gaps"], counts["resyncs"]) == (0, 1)
    accounted = ("predictions", "conflated", "failed", "overrun", "invalid")
    assert counts["rows"] == sum(counts[key] for key in accounted)  # late and stale ones are predictions too
    assert counts["predictions"] > 0.97 * counts["rows"]
    assert counts["fills"] >= 1
    assert report["damage"] == {}
    assert report["orders"]["open"] == 0
    stages = report["latency_ns"]
    assert all(stages[stage]["count"] > 0 for stage in ("decode", "book", "features", "inference", "strategy", "tick_to_order"))


def test_the_row_log_holds_every_row_and_prediction_in_order(root: Path, data: Path, tmp_path: Path) -> None:
    report = play(root, data, tmp_path / "session", "usdm")
    rows = pq.read_table(tmp_path / "session" / "rows").to_pandas()
    predictions = pq.read_table(tmp_path / "session" / "predictions" / "btcusdt_direction").to_pandas()
    assert len(rows) == report["counts"]["rows"] == len(predictions)
    assert rows["input"].is_monotonic_increasing
    assert (rows["number"].to_numpy() == range(len(rows))).all()
    assert (predictions["row"].to_numpy() == rows["number"].to_numpy()).all()
    assert (predictions["input"].to_numpy() == rows["input"].to_numpy()).all()
    assert (predictions["update_id"].to_numpy() == rows["update_id"].to_numpy()).all()


def test_two_deterministic_runs_decide_alike_and_measured_lateness_is_all_that_could_differ(
    root: Path, data: Path, tmp_path: Path
) -> None:
    one = play(root, data, tmp_path / "one", "spot", deterministic=True)
    two = play(root, data, tmp_path / "two", "spot", deterministic=True)
    assert one["hashes"]["decisions"] == two["hashes"]["decisions"]
    assert one["counts"]["orders"] > 10
    assert one["pnl"] == two["pnl"]


def test_files_in_the_wrong_order_are_refused_and_nothing_is_written(root: Path, data: Path, tmp_path: Path) -> None:
    first, second = (str(data / "binance" / file) for file in PAIRS["spot"])
    done = run(root, "--recording", second, "--recording", first, "--session", str(tmp_path / "session"))
    assert done.returncode == 2
    assert "20240808" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "session").exists()


def test_a_file_without_its_snapshot_is_told_to_be_played_after_its_pair(root: Path, data: Path, tmp_path: Path) -> None:
    done = run(root, "--recording", str(data / "binance" / PAIRS["coinm"][1]), "--session", str(tmp_path / "session"))
    assert done.returncode == 2
    assert "no snapshot" in done.stderr
    assert not (tmp_path / "session").exists()


def test_a_truncated_recording_runs_to_where_it_is_whole_and_says_so(root: Path, data: Path, tmp_path: Path) -> None:
    content = (data / "binance" / PAIRS["usdm"][0]).read_bytes()
    cut = tmp_path / "cut.gz"
    cut.write_bytes(content[: len(content) // 3])
    done = run(root, "--recording", str(cut), "--session", str(tmp_path / "session"), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert 0 < report["counts"]["rows"] < 6_552
    assert sum(report["damage"].values()) == 1
    assert report["counts"]["gaps"] == 0


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, as a user calls it."""
    command = [sys.executable, "-m", "vtframe.cli.main", "run", str(root / "btcusdt.toml"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
