"""benchmarks/call_cost.py times every kind of argument that the decisions speak of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_it_has_a_row_for_every_kind_of_argument_that_the_decisions_name(root: Path) -> None:
    command = [sys.executable, str(root / "benchmarks" / "call_cost.py"), "--repeats", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = {row["name"]: row["median"] for row in json.loads(done.stdout)}
    assert all(cost > 0 for cost in rows.values())
    for words in ("1 structured array", "1 plain array", "8 plain arrays", "table of 8 arrays"):
        assert any(name.startswith(f"call: {words}") for name in rows), words
