"""Sixty seeded fault schedules against the embedded venue, a process of its own (benchmarks/fault_campaign.py runs more)."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def campaign(root: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, str(root / "benchmarks" / "fault_campaign.py"), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["problems"] == []
    assert done.returncode == 0
    return found


@pytest.mark.slow
def test_after_every_schedule_the_books_are_the_venues_and_every_fault_was_seen(root: Path) -> None:
    found = campaign(root, "--schedules", "60")
    assert found["checked"]["books"] == 100  # 20 schedules of each market: two books of spot, two of USD-M, one of COIN-M
    assert found["checked"]["faults"] > 60
    assert found["checked"]["rows"] > 50
    assert found["predictions"] > 1_000
    assert sum(count > 0 for count in found["struck"].values()) >= 15
    assert all(sum(counters[name] for counters in found["counters"].values()) > 0 for name in ("late", "slow", "refused"))
    for counters in found["counters"].values():
        assert counters["gaps"] > 0
        assert counters["reconnects"] > 0


def test_every_fault_of_the_menu_has_a_counter_that_shows_it(root: Path) -> None:
    menu = runpy.run_path(str(root / "benchmarks" / "fault_menu.py"))
    assert [name for name, (_, counters) in {**menu["MENU"], **menu["REST"]}.items() if not counters] == []


@pytest.mark.slow
def test_after_malice_the_books_are_the_venues_with_the_next_snapshot(root: Path) -> None:
    found = campaign(root, "--schedules", "24", "--malice", "--seed", "8")
    assert found["checked"]["books"] == 40
    assert sum(found["struck"].get(name, 0) for name in ("edits", "brackets", "bad frames", "fragments")) > 20


@pytest.mark.slow
def test_two_connections_each_hold_through_faults_as_well(root: Path) -> None:
    found = campaign(root, "--schedules", "12", "--redundant", "--transport", "picows", "--seed", "5")
    assert found["checked"]["books"] == 20
    assert all(counters["duplicates"] > 100 for counters in found["counters"].values())
