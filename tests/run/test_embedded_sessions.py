"""The main job on the embedded market: to its end, stopped, killed, on two lanes, late."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SECONDS = 30


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    """The repository's own configuration, on a shorter market."""
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/")
    text = text.replace("min_edge_bps = 0.34", "min_edge_bps = 0")  # so that half a minute sees orders
    path = tmp_path / "vtframe.toml"
    path.write_text(re.sub(r"duration_s = \d+", f"duration_s = {SECONDS}", text))
    return path


def command(config: Path, session: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "vtframe.cli.main", "run", str(config), "--session", str(session), *more]


def run(config: Path, session: Path, *more: str) -> dict[str, Any]:
    done = subprocess.run(command(config, session, "--json", *more), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def report_of(session: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "vtframe.cli.main", "report", str(session), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def wait_for_orders(session: Path, process: subprocess.Popen[str]) -> None:
    """Until the journal holds more than its start; a session that ends before fails the test."""
    journal = session / "journal" / "000001.vtj"
    while not journal.exists() or journal.stat().st_size < 20_000:
        assert process.poll() is None, f"it ended before it was stopped: {process.communicate()}"
        time.sleep(0.02)


def test_the_default_session_runs_from_market_to_orders_and_reports_itself(config: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    report = run(config, session)
    counts = report["counts"]
    accounted = ("predictions", "conflated", "failed", "overrun", "invalid")
    assert counts["rows"] == sum(counts[key] for key in accounted) > 5_000
    assert counts["orders"] == report["orders"]["approved"] > 0
    assert counts["fills"] > 0
    assert report["session"]["reason"] == "end of data"
    assert json.loads((session / "report.json").read_text()) == report == report_of(session)
    assert (session / "config.toml").read_text() == config.read_text()
    assert {"journal", "rows", "predictions", "report.json", "config.toml"} <= {path.name for path in session.iterdir()}


def test_the_same_seed_decides_alike_and_another_does_not(config: Path, tmp_path: Path) -> None:
    one = run(config, tmp_path / "one", "--deterministic")
    two = run(config, tmp_path / "two", "--deterministic")
    config.write_text(config.read_text().replace("seed = 7", "seed = 8"))
    other = run(config, tmp_path / "other", "--deterministic")
    assert one["hashes"]["decisions"] == two["hashes"]["decisions"] != other["hashes"]["decisions"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_order_with_nothing_working_and_exit_code_130(
    number: signal.Signals, config: Path, tmp_path: Path
) -> None:
    config.write_text(config.read_text().replace(f"duration_s = {SECONDS}", "duration_s = 36000"))
    session = tmp_path / "session"
    with subprocess.Popen(command(config, session), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for_orders(session, process)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert str(session) in output
    report = report_of(session)
    assert report["session"]["reason"] == f"interrupted by {number.name}"
    assert report["session"]["orderly"]
    assert report["orders"]["open"] == 0
    assert json.loads((session / "report.json").read_text())["counts"] == report["counts"]


def test_a_killed_session_is_reported_from_its_journal_without_a_stop(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace(f"duration_s = {SECONDS}", "duration_s = 36000"))
    session = tmp_path / "session"
    with subprocess.Popen(command(config, session, "--quiet"), stderr=subprocess.PIPE, text=True) as process:
        wait_for_orders(session, process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert not (session / "report.json").exists()
    report = report_of(session)
    assert not report["session"]["orderly"]
    assert report["counts"]["orders"] > 0
    assert report["orders"]["approved"] == report["counts"]["orders"]


def test_a_second_lane_on_paper_works_beside_the_first(config: Path, tmp_path: Path) -> None:
    lane = """
[[lanes]]
id = "shadow"
model = "embedded_direction"
strategy = { use = "probability", enter = 0.45, exit = 0.3, assume_fees_bps = 0 }
execution = { use = "paper", latency_us = 1_000 }
capital = 2_000
"""
    config.write_text(config.read_text() + lane)
    report = run(config, tmp_path / "session", "--deterministic")
    assert set(report["lanes"]) == {"demo", "shadow"}
    assert all(lane["fills"] > 0 for lane in report["lanes"].values())
    assert sum(lane["orders"] for lane in report["lanes"].values()) == report["counts"]["orders"]


def test_a_deadline_that_cannot_be_met_makes_every_prediction_late_and_trades_nothing(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace("deadline_us = 5_000", "deadline_us = 1"))
    counts = run(config, tmp_path / "session")["counts"]
    assert counts["late"] == counts["predictions"] > 5_000
    assert (counts["intents"], counts["orders"], counts["fills"]) == (0, 0, 0)


def test_real_time_takes_as_long_as_the_market_did(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace(f"duration_s = {SECONDS}", "duration_s = 3"))
    report = run(config, tmp_path / "session", "--speed", "1")
    assert report["session"]["wall_seconds"] > 2.5  # a lower bound only: it can be no faster than the market


def test_an_existing_folder_is_not_touched(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    done = subprocess.run(command(config, folder), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert str(folder) in done.stderr
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_no_configuration_is_a_clear_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vtframe.cli.main", "run"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "vtframe.toml" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_another_market_is_named_when_the_session_starts(config: Path, root: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace("embedded_direction", "btcusdt_direction"))
    done = subprocess.run(command(config, tmp_path / "session"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "was trained on BTCUSDT@binance_usdm, and decides about SIMUSDT@sim all the same" in done.stderr
