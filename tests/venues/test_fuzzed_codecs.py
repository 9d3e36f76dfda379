"""Every compiled codec on mutations of its examples, with array bounds checked: the short run of benchmarks/fuzz_codecs.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FRAMES = 20_000


@pytest.mark.parametrize("codec", ["binance", "bybit", "coinbase", "kraken", "okx", "vectrade"])
def test_no_mutated_message_makes_a_codec_read_outside_it_or_differ_from_its_twin(codec: str, root: Path) -> None:
    """Kernels with checks are kept apart from those without (tests/scan), so that they need not be compiled every time."""
    command = [sys.executable, str(root / "benchmarks" / "fuzz_codecs.py"), codec, "--child", "--frames", str(FRAMES)]
    done = subprocess.run(
        command, env={**os.environ, "NUMBA_BOUNDSCHECK": "1"}, capture_output=True, text=True, cwd=root, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{codec}, seed 1: no difference and no overrun in {FRAMES:,} frames" in done.stdout


def test_it_refuses_to_run_where_bounds_are_not_checked(root: Path) -> None:
    command = [sys.executable, str(root / "benchmarks" / "fuzz_codecs.py"), "binance", "--child", "--frames", "10"]
    done = subprocess.run(
        command, env={**os.environ, "NUMBA_BOUNDSCHECK": "0"}, capture_output=True, text=True, cwd=root, check=False
    )
    assert done.returncode == 1
    assert "bounds are not checked" in done.stdout
