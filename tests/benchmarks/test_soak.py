"""benchmarks/soak.py: seconds of it, and what its demands say when they are not met."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def benchmarks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")


def soak(root: Path, *options: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, str(root / "benchmarks" / "soak.py"), "--json", "--minutes", "0.14", "--frames-per-s", "1500"]
    done = subprocess.run(
        [*command, "--instruments", "3", "--disconnect-every-s", "5", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_a_soak_of_seconds_loses_nothing_and_says_so(root: Path) -> None:
    code, found = soak(root, "--growth-mb", "500")
    assert found["problems"] == []
    assert code == 0
    assert found["passed"] is True
    assert found["cuts"] == 2  # one connection of books, and one of trades
    assert found["gaps"] == 3
    frames = found["frames"]
    assert frames["opened"] == 4
    assert frames["sent"] == frames["came"] == frames["taken"] > 5 * 1500
    assert frames["lost"] == 0
    assert found["books"]["compared"] >= 3
    assert found["recorder"]["recorded"] > frames["came"]
    assert found["recorder"]["lost"] == 0
    assert found["counts"]["predictions"] > 100


@pytest.mark.slow
def test_with_two_connections_there_is_no_gap_and_memory_that_grows_is_told(root: Path) -> None:
    code, found = soak(root, "--redundant", "--growth-mb", "-1000", "--no-record")
    assert code == 1
    missed = {what for what, met in found["verdict"].items() if not met}
    assert missed == {"memory of the client flat within -1000 MB", "memory of the venue flat within -1000 MB"}
    assert found["passed"] is False
    assert found["problems"] == []
    assert found["gaps"] == 0
    frames = found["frames"]
    assert frames["opened"] == 6
    assert frames["copies"] > 5 * 1000
    assert frames["sent"] == frames["came"] == frames["taken"] + frames["copies"] + frames["held_and_dropped"]


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.parametrize(
    ("sent", "unsent", "given_up", "lost"),
    [(100, 0, False, 0), (101, 0, False, 1), (101, 90, False, 0), (101, 0, True, 0), (99, 0, False, 1)],
)
def test_a_frame_that_was_sent_and_did_not_come_is_lost(sent: int, unsent: int, given_up: bool, lost: int) -> None:  # noqa: FBT001
    account = importlib.import_module("soak_session").SoakSession.account
    taps = {b"a": SimpleNamespace(frames=60), b"b": SimpleNamespace(frames=40)}
    line = SimpleNamespace(number=1, taps=taps, _closing=object() if given_up else None)
    client = SimpleNamespace(_lines=[line], _ports={1: 5000})
    tally = {"number": 7, "port": 5000, "sent": sent, "unsent": unsent}
    found, problems = account(client, [tally])
    assert found["lost"] == lost
    assert bool(problems) is bool(lost)
    nobody = {"number": 8, "port": 6000, "sent": 5, "unsent": 0}
    assert account(client, [tally, nobody])[0]["lost"] == lost + 5


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.parametrize(("slope", "swing", "grown"), [(0.0, 0.0, 0.0), (0.0, 6.0, 0.0), (20.0, 6.0, 16.0)])
def test_memory_that_swings_is_flat_and_memory_that_rises_is_not(slope: float, swing: float, grown: float) -> None:
    memory = importlib.import_module("soak_memory").Memory(0)
    for number in range(1000):  # an hour and a bit; before the warm-up there is much more
        seconds = 4.0 * number
        held = 300.0 + swing * (-1) ** number + slope * seconds / 3600 + (100.0 if seconds < 60 else 0.0)
        memory._samples.append((seconds, held))
    assert memory.report(3600)["grown_mb"] == pytest.approx(grown, abs=4.0)
