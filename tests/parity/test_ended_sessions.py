"""Parity of sessions on the embedded market that did not come to their end: killed, stopped, and with several books."""

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

import pyarrow.parquet as pq
import pytest

from vtframe.assemble.parity import ParityRun
from vtframe.assemble.session import Wishes, assemble


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    """The repository's own configuration on a market that lasts, its rows in short segments."""
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/")
    text += '\n[[sinks]]\nuse = "parquet"\nsegment_rows = 1500\n'
    path = tmp_path / "vtframe.toml"
    path.write_text(re.sub(r"duration_s = \d+", "duration_s = 36000", text))
    return path


def start(config: Path, session: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vtframe.cli.main", "run", str(config), "--session", str(session), "--quiet"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for_segments(session: Path, process: subprocess.Popen[str], count: int) -> None:
    while not (session / "rows" / f"{count:06d}.parquet").exists():
        assert process.poll() is None, f"it ended before it was stopped: {process.communicate()}"
        time.sleep(0.02)


def check(session: Path) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "vtframe.cli.main", "parity", str(session), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}


def test_a_killed_session_holds_on_all_that_it_logged(config: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with start(config, session) as process:
        wait_for_segments(session, process, 2)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    logged = pq.read_table(session / "rows").num_rows
    code, found = check(session)
    assert code == 0, found
    assert found["rows"] == found["compared"] == found["identical"] == logged >= 3_000
    assert found["ended"].startswith("killed")


def test_a_stopped_session_is_played_as_far_as_it_came(config: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with start(config, session) as process:
        wait_for_segments(session, process, 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    report = json.loads((session / "report.json").read_text())
    code, found = check(session)
    assert code == 0, found
    assert found["rows"] == found["identical"] == report["counts"]["rows"] > 1_500
    assert "SIGINT" in found["ended"]
    (max((session / "rows").glob("*.parquet"))).unlink()
    code, found = check(session)
    assert code == 1
    assert found["missing"] == found["rows"] - found["compared"] > 0


def test_several_books_are_matched_each_by_its_own_numbers(config: Path, tmp_path: Path) -> None:
    text = config.read_text().replace("duration_s = 36000", "duration_s = 15\ninstruments = 3\nspeed = 1000.0")
    config.write_text(text)
    assemble(config, Wishes(folder=tmp_path / "session")).session.run()
    rows = pq.read_table(tmp_path / "session" / "rows").to_pandas()
    assert rows["instrument"].nunique() == 3
    found = ParityRun(tmp_path / "session").run()
    assert found.passed
    assert found.rows == len(rows)
    assert found.sources == ()
