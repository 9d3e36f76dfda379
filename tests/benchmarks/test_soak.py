"""benchmarks/soak.py: seconds of it, and what its demands say when they are not met."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def benchmarks(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(root / "benchmarks")
    return


def soak(root: Path, *options: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, str(root / "benchmarks" / "soak.py"), "--json", "--minutes", "0.15", "--frames-per-s", "1500"]
    done = subprocess.run(
        [*command, "--instruments", "3", "--disconnect-every-s", "4", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


@pytest.mark.parametrize("redundant", [False, True])
def test_a_soak_of_seconds_loses_nothing_and_says_so(root: Path, *, redundant: bool) -> None:
    code, found = soak(root, "--growth-mb", "500", *["--redundant"] * redundant)
    assert found["problems"] == []
    assert code == 0
    assert found["passed"] is True
    assert found["cuts"] == 4  # twice a connection of books, and one of trades
    assert found["gaps"] == (0 if redundant else 2 * 3)
    frames = found["frames"]
    assert frames["opened"] == (8 if redundant else 6)
    assert frames["sent"] == frames["came"] > 9 * 1000
    assert frames["lost"] == 0
    assert frames["taken"] == frames["came"] - frames["copies"] - frames["held_and_dropped"]
    assert found["books"]["compared"] >= 2 * 3
    assert found["recorder"]["lost"] == 0
    assert found["counts"]["predictions"] > 100


def test_a_soak_that_grows_has_not_passed(root: Path) -> None:
    code, found = soak(root, "--growth-mb", "-1000", "--no-record")
    assert code == 1
    assert found["verdict"]["memory of the client flat within -1000 MB"] is False
    assert found["verdict"]["no frame lost"] is True
    assert found["passed"] is False


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.parametrize(
    ("sent", "unsent", "given_up", "lost"),
    [(100, 0, False, 0), (101, 0, False, 1), (101, 90, False, 0), (101, 0, True, 0), (99, 0, False, 1)],
)
def test_a_frame_that_was_sent_and_did_not_come_is_lost(sent: int, unsent: int, given_up: bool, lost: int) -> None:  # noqa: FBT001
    from soak_session import SoakSession

    taps = {b"a": SimpleNamespace(frames=60), b"b": SimpleNamespace(frames=40)}
    line = SimpleNamespace(number=1, taps=taps, _closing=object() if given_up else None)
    client = SimpleNamespace(_lines=[line], _ports={1: 5000})
    tally = {"number": 7, "port": 5000, "sent": sent, "unsent": unsent}
    found, problems = SoakSession.account(client, [tally])  # type: ignore[arg-type]
    assert found["lost"] == lost
    assert bool(problems) is bool(lost)
    nobody = {"number": 8, "port": 6000, "sent": 5, "unsent": 0}
    assert SoakSession.account(client, [tally, nobody])[0]["lost"] == lost + 5  # type: ignore[arg-type]
