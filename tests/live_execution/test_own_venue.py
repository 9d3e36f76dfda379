"""`url = "embedded"`: the session starts a venue, trades on it, and no process is left, however it ends."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import psutil
import pytest
from sessions import finish, report_in, start, wait_for

from vtframe.assemble.decisions import DecisionRun
from vtframe.assemble.own_venue import own_venue
from vtframe.cli.main import cli
from vtframe.errors import SessionError

FEED = """[feed]
use = "binance"
market = "usdm"
instruments = ["BTCUSDT"]
url = "embedded"
seed = 7
duration_s = 12

"""
EXECUTION = 'execution = { use = "binance", market = "usdm", url = "embedded" }'


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/")
    text = re.sub(r"\[feed\].*?(?=\[sampling\])", FEED, text, flags=re.DOTALL)
    text = re.sub(r"execution = \{.*?\}", EXECUTION, text).replace("enter = 0.5", "enter = 0.36").replace("0.34 }", "0 }")
    text = text.replace("min_edge_bps = 0.34", "min_edge_bps = -100").replace("max_age_ms = 250", "max_age_ms = 60_000")
    path = tmp_path / "vtframe.toml"
    path.write_text(text.replace("deadline_us = 5_000", "deadline_us = 30_000_000\nstale_ms = 60_000"))
    return path


def venues_of(pid: int) -> list[psutil.Process]:
    """Venue processes that belong to the session with this process ID, orphans too."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "vtframe.venue" in line and f'"parent":{pid}' in line[-1]:
            found.append(process)
    return found


def test_a_session_trades_on_its_own_venue_decides_so_again_and_leaves_no_process(config: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    process = start(config, session)
    wait_for(lambda: venues_of(process.pid) != [], process)
    code, out, err = finish(process)
    assert code == 0, err
    report = report_in(out)
    assert report["counts"]["resyncs"] >= 1
    assert report["counts"]["predictions"] > 100
    assert report["orders"]["filled"] > 0
    assert report["orders"].get("unknown", 0) == 0
    assert venues_of(process.pid) == []
    found = DecisionRun(session).run()
    assert found.passed, (found.first_difference, found.problems)


def test_the_venue_leaves_with_a_session_that_was_killed(config: Path, tmp_path: Path) -> None:
    process = start(config, tmp_path / "session")
    wait_for((tmp_path / "session" / "recording").exists, process)
    (venue,) = venues_of(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    psutil.wait_procs([venue], timeout=20)
    assert not venue.is_running()


def test_an_interrupt_reaches_the_session_first_and_the_venue_hears_its_cancels(config: Path, tmp_path: Path) -> None:
    process = start(config, tmp_path / "session")
    rows = tmp_path / "session" / "rows"
    wait_for(lambda: len(list(rows.glob("*"))) > 0, process)  # it runs: before, there is nothing to stop
    os.kill(process.pid, signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130, err
    assert report_in(out)["orders"].get("unknown", 0) == 0
    assert venues_of(process.pid) == []


def test_a_configuration_at_the_embedded_venue_is_checked_without_one(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["check", str(config)])
    assert stopped.value.code == 0, capsys.readouterr().err


def test_a_venue_that_cannot_start_says_why() -> None:
    feed = {"use": "binance", "url": "embedded", "market": "usdm", "instruments": ["NOSUCHTHING"]}
    with pytest.raises(SessionError, match=r"the embedded venue: did not start: .*NOSUCHTHING"), own_venue({"feed": feed}):
        pass
