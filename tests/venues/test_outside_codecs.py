"""The codecs outside the box as what they are: distributions of their own, which need nothing of vtframe but its API."""

from __future__ import annotations

import ast
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptofeed_files import json_lines

VENUES = ("kraken", "coinbase", "okx", "bybit", "vectrade")


@pytest.mark.parametrize("venue", VENUES)
def test_it_imports_the_api_and_the_words_only(venue: str, root: Path) -> None:
    allowed = {"vtframe.api", "vtframe.api.scan", "vtframe.domain", "vtframe.testing"}
    files = sorted((root / "plugins" / f"vtframe-{venue}" / f"vtframe_{venue}").glob("*.py"))
    used: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                used.add(node.module or "")
            elif isinstance(node, ast.Import):
                used |= {alias.name for alias in node.names}
    ours = {name for name in used if name.partition(".")[0] == "vtframe"}
    assert len(files) >= 6
    assert {"vtframe.api", "vtframe.api.scan", "vtframe.domain"} <= ours <= allowed


def vtframe(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "vtframe.cli.main", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_they_are_found_by_their_entry_points_and_loaded_when_named(tmp_path: Path) -> None:
    (tmp_path / "vtframe.toml").write_text(f"[vtframe]\nplugins = {json.dumps(VENUES)}\n")
    done = vtframe(tmp_path, "plugins", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    parts = {(part["plugin"], part["kind"], part["name"]) for part in found["parts"]}
    assert {(venue, "codec", venue) for venue in VENUES} <= parts


CONFIG = """\
[vtframe]
plugins = ["onnx", "bybit"]
[feed]
use = "recording"
paths = ["linear.gz"]
[[features]]
use = "book_imbalance"
levels = 5
[rows]
dtype = "float64"
"""


def test_a_foreign_recording_is_described_and_its_rows_are_made(data: Path, tmp_path: Path) -> None:
    """From the command line: the plugin's codec says what the file is, and the features run on its books."""
    with gzip.open(tmp_path / "linear.gz", "wt") as file:
        for frame in json_lines(data, "BYBIT"):
            if frame.connection == "BYBIT.ws.2":
                file.write(f"{frame.ts_recv} {frame.data.decode()}\n")
    (tmp_path / "vtframe.toml").write_text(CONFIG)
    done = vtframe(tmp_path, "recording", "describe", "linear.gz", "--config", "vtframe.toml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert "BTCUSDT@bybit_linear" in json.dumps(told)
    done = vtframe(tmp_path, "features", "linear.gz", "--config", "vtframe.toml", "--out", "rows.parquet")
    assert done.returncode == 0, done.stdout + done.stderr
    import pyarrow.parquet as pq

    rows = pq.read_table(tmp_path / "rows.parquet")
    assert rows.num_rows == 1_598
    valid = rows.column("valid").to_numpy()
    imbalance = rows.column("book_imbalance").to_numpy()
    assert valid.sum() > 1_500
    assert abs(imbalance[valid.astype(bool)]).max() <= 1
