"""A session that is recorded and played again is the same session: rows, decisions, and the recording of the recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vtframe.assemble.decisions import DecisionRun
from vtframe.assemble.parity import ParityRun
from vtframe.assemble.recorder import recording_files
from vtframe.assemble.session import Wishes, assemble
from vtframe.wire import RecordingReader

ALWAYS = '\n[recorder]\nrecord = "always"\nrotate_mb = 1\n'


def run(config: Path, folder: Path, *recordings: Path) -> dict[str, Any]:
    wishes = Wishes(recordings=recordings, folder=folder, deterministic=True)
    report: dict[str, Any] = assemble(config, wishes).session.run().report
    return report


def rows(folder: Path) -> dict[str, Any]:
    """Every column of the row log: numbers as their bytes, so that nan is nan."""
    table: pa.Table = pq.read_table(folder / "rows")
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    return {
        name: column.to_pylist() if pa.types.is_dictionary(column.type) else column.to_numpy(zero_copy_only=False).tobytes()
        for name, column in columns.items()
    }


def lines(folder: Path) -> list[tuple[int, Any]]:
    """What is in a recording, but for the headings and ends of its files."""
    found = []
    for path in recording_files(folder / "recording"):
        items = list(RecordingReader(path, "ns", print).inputs())
        found += [(ts, item) for _, ts, item in items[1:-1]]
    return found


@pytest.mark.parametrize("feed", ["market", "recording"])
def test_what_was_recorded_is_the_same_session_again(root: Path, data: Path, tmp_path: Path, feed: str) -> None:
    name = {"market": "market.toml", "recording": "btcusdt.toml"}[feed]
    text = (root / name).read_text().replace("models/", f"{root}/models/").replace("duration_s = 1200", "duration_s = 200")
    config = tmp_path / name
    config.write_text(text + ALWAYS)
    played = [data / "binance" / "usdm_btcusdt_20240808.gz"] if feed == "recording" else []
    first = run(config, tmp_path / "first", *played)
    assert first["recorder"]["recorded"] == first["recorder"]["inputs"] == first["counts"]["inputs"] > 10_000
    again = run(config, tmp_path / "again", tmp_path / "first")
    assert again["counts"] == first["counts"]
    assert again["hashes"]["decisions"] == first["hashes"]["decisions"]
    assert rows(tmp_path / "again") == rows(tmp_path / "first")
    assert lines(tmp_path / "again") == lines(tmp_path / "first")
    for session in ("first", "again"):
        assert ParityRun(tmp_path / session).run().passed
        found = DecisionRun(tmp_path / session).run()
        assert found.passed
        assert found.identical == found.decisions > 0


def test_a_session_on_what_can_be_had_again_is_not_recorded_unless_it_is_told_to(root: Path, tmp_path: Path) -> None:
    text = (
        (root / "market.toml").read_text().replace("models/", f"{root}/models/").replace("duration_s = 1200", "duration_s = 20")
    )
    config = tmp_path / "vtframe.toml"
    config.write_text(text)
    report = run(config, tmp_path / "session")
    assert "recorder" not in report
    assert not (tmp_path / "session" / "recording").exists()
