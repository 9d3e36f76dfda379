"""benchmarks/live_frames.py takes a recording from real sockets to rows, with both transports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_it_makes_a_row_of_every_diff_whichever_the_transport(root: Path, data: Path) -> None:
    recording = data / "binance" / "spot_btcusdt_20240808.gz"
    command = [sys.executable, str(root / "benchmarks" / "live_frames.py"), str(recording), "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"websockets", "picows"}
    for rates in found.values():
        assert 3_400 < rates["to rows"]["rows"] <= 3_452  # 3,451 diffs and the snapshot, but for the last few lines
        assert rates["to rows"]["frames_per_cpu_second"] > 0
        assert rates["transport alone"]["frames_per_cpu_second"] > rates["to rows"]["frames_per_cpu_second"]
