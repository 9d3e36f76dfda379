"""benchmarks/order_cost.py times what the execution page quotes, each beside the plain way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_every_figure_that_the_page_quotes_is_measured(root: Path) -> None:
    command = [sys.executable, str(root / "benchmarks" / "order_cost.py"), "--orders", "20", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    page = (root / "docs" / "execution.md").read_text()
    for name, row in rows.items():
        assert row["median"] > 0
        assert f"| {name} |" in page, name
    assert sum(row["baseline_median"] is None for row in rows.values()) == 1
