"""benchmarks/recorder_cost.py measures both threads, on made frames and on a recording."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("recorded", [False, True])
def test_every_row_has_a_figure_and_its_plain_alternative(root: Path, data: Path, *, recorded: bool) -> None:
    named = [str(data / "binance" / "usdm_btcusdt_20230404.dat.gz")] if recorded else []
    command = [sys.executable, str(root / "benchmarks" / "recorder_cost.py"), *named, "--frames", "2000", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)
    assert [row["unit"] for row in rows] == ["ns", "MB/s", "us", "us", "us", "us"]
    assert all(row["plain"] > 0 for row in rows)
    assert rows[1]["with"] > 0
    assert rows[1]["packed"] > 2
