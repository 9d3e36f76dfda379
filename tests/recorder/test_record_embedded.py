"""`vtframe record` of a feed at an embedded venue: one that it starts itself, or one that is there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from recorder_lab import replayed
from venue_process import running_venue

from vtframe.cli.main import cli


def recorded(*words: object, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(cli, ["record", *map(str, words), "--json", "--quiet"])
    assert result.exit_code == code, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def venues() -> list[psutil.Process]:
    """Children of this process that are venues."""
    return [one for one in psutil.Process(os.getpid()).children() if "vtframe.venue" in one.cmdline()]


def test_the_repositorys_own_configuration_is_recorded_at_a_venue_of_its_own(root: Path, tmp_path: Path) -> None:
    told = recorded(root / "vtframe.toml", "--out", tmp_path / "out", "--count", 300)
    assert told["recorder"]["recorded"] == 300
    assert told["damaged"] == 0
    assert sum(len(one) > 0 for one in replayed(tmp_path / "out")) == 300
    assert venues() == []


def test_a_venue_that_is_there_is_recorded_and_none_started(root: Path, tmp_path: Path) -> None:
    with running_venue("--instrument", "usdm:BTCUSDT") as venue:
        told = recorded(root / "vtframe.toml", "--out", tmp_path / "out", "--count", 50, "--venue-url", venue.url)
        assert venue.get("/venue/counters").body["published"]
    assert told["recorder"]["recorded"] == 50


def test_what_plays_a_recording_starts_no_venue_whatever_its_lanes_say(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(root / "vtframe.toml", "--out", tmp_path / "first", "--count", 50)

    def nobody(*_: object, **__: object) -> None:
        raise AssertionError("a venue was started")

    monkeypatch.setattr("vtframe.assemble.own_venue.own_venue", nobody)
    file = next((tmp_path / "first").glob("*.zst"))
    told = recorded(root / "vtframe.toml", "--out", tmp_path / "again", "--recording", file)
    assert told["recorder"]["recorded"] >= 50
    config = tmp_path / "market.toml"  # a lane at the embedded venue beside a feed that is none of an exchange
    config.write_text(
        '[feed]\nuse = "market"\n\n[[lanes]]\nexecution = { use = "binance", market = "usdm", url = "embedded" }\n'
    )
    assert recorded(config, "--out", tmp_path / "market", "--count", 10)["recorder"]["recorded"] == 10
