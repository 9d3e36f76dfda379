"""Sessions that trade at the embedded venue over sockets, with its faults, decide again from their recordings and journals."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vtframe.assemble.decisions import DecisionRun
from vtframe.assemble.parity import ParityRun
from vtframe.journal.reader import JournalReader
from vtframe.journal.records import InputArrived, OrderReported

KEY, SECRET = "vtframe-test-key", "vtframe-test-secret"
FAULTS = (
    "kind=disconnect every_s=2 path=*public*",
    "kind=drop share=0.002 stream=*@depth*",
    "kind=corrupt share=0.002",
    "kind=lost_ack share=0.2 how=timeout",
)


def configure(root: Path, folder: Path, execution: str) -> Path:
    text = (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/")
    feed = '[feed]\nuse = "binance"\nmarket = "usdm"\ninstruments = ["BTCUSDT"]\nduration_s = 8\n\n'
    text = re.sub(r"\[feed\].*?(?=\[sampling\])", feed, text, flags=re.DOTALL)
    text = re.sub(r"execution = \{.*?\}", f"execution = {execution}", text)
    text = text.replace("enter = 0.5", "min_edge_bps = -9, enter = 0.4").replace("max_age_ms = 250", "max_age_ms = 60000")
    text = text.replace("deadline_us = 5_000", "deadline_us = 30_000\nstale_ms = 60_000")
    path = folder / "vtframe.toml"
    path.write_text(text)
    return path


def run_at_a_venue(config: Path, session: Path) -> dict[str, Any]:
    """The session of ``config`` in a process of its own, at a venue in another; its report."""
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    vtframe = [sys.executable, "-m", "vtframe.cli.main"]
    venue = subprocess.Popen(
        [*vtframe, "venue", "--port", "0", "--print-url", "--instrument", "usdm:BTCUSDT", *faults],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert venue.stdout is not None
        url = json.loads(venue.stdout.readline())["url"]
        command = [*vtframe, "run", str(config), "--session", str(session), "--venue-url", url, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    finally:
        venue.terminate()
        venue.communicate(timeout=20)
    assert done.returncode in {0, 1}, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.slow
@pytest.mark.parametrize(
    "execution",
    [
        '{ use = "paper", latency_us = 5_000 }',
        '{ use = "binance", market = "usdm", url = "testnet", key = "env:VENUE_KEY", secret = "env:VENUE_SECRET" }',
    ],
    ids=["paper", "at the venue"],
)
def test_a_session_at_a_faulty_venue_decides_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, execution: str
) -> None:
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)
    report = run_at_a_venue(configure(root, tmp_path, execution), tmp_path / "session")
    assert report["recorder"]["lost"] == 0
    records = list(JournalReader(tmp_path / "session" / "journal"))
    assert any(isinstance(one, InputArrived) and "down" in one.text for one in records)
    assert any(isinstance(one, OrderReported) for one in records)
    assert ParityRun(tmp_path / "session").run().passed
    found = DecisionRun(tmp_path / "session").run()
    assert found.first_difference is None, str(found.first_difference)
    assert found.problems == ()
    assert found.passed
    assert found.identical == found.decisions > 2
    assert found.hash == report["hashes"]["decisions"]
