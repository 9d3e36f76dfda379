"""Sessions made again: what holds, and everything that must not."""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vtframe.assemble.parity import Certificate, ParityRun
from vtframe.assemble.session import Wishes, assemble
from vtframe.errors import SessionError

LINES = 10_000
SEGMENTS = '\n[[sinks]]\nuse = "parquet"\nsegment_rows = 200\n'


@pytest.fixture(scope="module")
def home(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first lines of a real recording, a broken line among them, and a session on it."""
    home = tmp_path_factory.mktemp("parity")
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        lines = list(itertools.islice(file, LINES))
    stamp = lines[4_000].split(b" ")[0]
    lines[4_000:4_000] = [stamp + b' {"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":\n', b"no time at all\n"]
    (home / "part.gz").write_bytes(gzip.compress(b"".join(lines)))
    text = (
        (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/").replace("paths = []", 'paths = ["part.gz"]')
    )
    (home / "session.toml").write_text(text + SEGMENTS)
    assemble(home / "session.toml", Wishes(folder=home / "session")).session.run()
    return home


@pytest.fixture
def session(home: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(home / "session", tmp_path / "session"))


def check(session: Path) -> Certificate:
    return ParityRun(session).run()


def edit_column(path: Path, name: str, row: int, change: Any) -> None:
    """Write a segment anew with one cell changed."""
    table = pq.read_table(path)
    values = table.column(name).to_numpy().copy()
    values[row] = change(values[row])
    at = table.schema.get_field_index(name)
    pq.write_table(table.set_column(at, table.schema.field(name), pa.array(values)), path)


def test_a_session_on_recorded_frames_is_made_again_bit_by_bit(home: Path) -> None:
    found = check(home / "session")
    logged = pq.read_table(home / "session" / "rows").num_rows
    assert found.passed
    assert found.rows == found.compared == found.identical == logged > 500
    assert found.first_difference is None
    assert found.sources[0].path == str(home / "part.gz")


def test_inputs_after_damage_keep_their_numbers(home: Path) -> None:
    report = json.loads((home / "session" / "report.json").read_text())
    assert sum(report["damage"].values()) == 2
    last = pq.read_table(home / "session" / "rows").column("input").to_numpy()[-1]
    assert last > 4_000 + 3
    assert check(home / "session").passed


def test_one_flipped_bit_is_found_and_named_with_both_values(session: Path) -> None:
    segment = session / "rows" / "000002.parquet"

    def flip(value: np.float32) -> np.float32:
        return (np.array(value).view(np.uint32) ^ np.uint32(1)).view(np.float32)[()]

    edit_column(segment, "microprice", 17, flip)
    found = check(session)
    assert not found.passed
    assert (found.rows, found.compared, found.identical) == (found.rows, found.rows, found.rows - 1)
    first = found.first_difference
    assert first is not None
    assert (first.feature, first.row) == ("microprice", 217)
    assert first.logged != first.recomputed
    assert int(first.logged_bits, 16) ^ int(first.recomputed_bits, 16) == 1
    assert 0 < found.largest_difference["microprice"] < 1e-3


@pytest.mark.parametrize("name", ["input", "ts_recv", "bid", "ask_quantity", "update_id"])
def test_what_stands_beside_the_features_is_compared_too(session: Path, name: str) -> None:
    edit_column(session / "rows" / "000001.parquet", name, 100, lambda value: value + 1)
    found = check(session)
    assert not found.passed
    assert found.first_difference is not None
    assert found.first_difference.feature == name
    assert found.first_difference.logged == int(found.first_difference.recomputed) + 1


def test_a_changed_parameter_is_found_in_the_rows(session: Path) -> None:
    config = session / "config.toml"
    config.write_text(config.read_text().replace("levels = 5", "levels = 4"))
    found = check(session)
    assert not found.passed
    assert found.compared == found.rows > found.identical
    assert found.first_difference is not None
    assert found.first_difference.feature == "book_imbalance_5"
    assert set(found.largest_difference) == {"book_imbalance_5"}
    assert any("config.toml" in problem for problem in found.problems)


def test_other_columns_are_refused_by_name(session: Path) -> None:
    config = session / "config.toml"
    config.write_text(config.read_text().replace('as = "book_imbalance_5"', 'as = "deep"'))
    with pytest.raises(SessionError, match="deep added, book_imbalance_5 missing"):
        check(session)


def test_a_missing_segment_is_found_at_its_first_row(session: Path) -> None:
    (session / "rows" / "000002.parquet").unlink()
    found = check(session)
    assert not found.passed
    assert (found.missing, found.identical) == (200, found.rows - 200)
    assert found.compared == found.identical
    assert found.first_difference is not None
    assert (found.first_difference.row, found.first_difference.logged) == (200, None)
    assert any("000002.parquet is missing" in problem for problem in found.problems)


def test_a_missing_last_segment_is_found_because_the_journal_counts_rows(session: Path) -> None:
    last = max((session / "rows").glob("*.parquet"))
    lost = pq.read_metadata(last).num_rows
    last.unlink()
    found = check(session)
    assert not found.passed
    assert found.rows - found.compared == found.missing == lost


def test_an_unreadable_segment_is_told_and_its_rows_are_missing(session: Path) -> None:
    segment = session / "rows" / "000001.parquet"
    segment.write_bytes(segment.read_bytes()[:-40])
    found = check(session)
    assert not found.passed
    assert found.missing == 200
    assert any("000001.parquet cannot be read" in problem for problem in found.problems)


def test_a_changed_recording_is_told_and_the_first_row_that_it_changes_is_named(home: Path, tmp_path: Path) -> None:
    played = tmp_path / "played.gz"
    shutil.copy(home / "part.gz", played)
    assemble(home / "session.toml", Wishes(recordings=(played,), folder=tmp_path / "session")).session.run()
    assert check(tmp_path / "session").passed
    lines = gzip.decompress(played.read_bytes()).splitlines(keepends=True)
    depth = [k for k, line in enumerate(lines) if b'"e":"depthUpdate"' in line]
    del lines[depth[len(depth) // 2]]
    played.write_bytes(gzip.compress(b"".join(lines)))
    found = check(tmp_path / "session")
    assert not found.passed
    assert found.identical < found.rows
    assert found.first_difference is not None
    assert 0 < found.first_difference.input < len(lines)
    assert any("played.gz has changed" in problem for problem in found.problems)


def test_a_missing_recording_is_refused(home: Path, tmp_path: Path) -> None:
    played = tmp_path / "played.gz"
    shutil.copy(home / "part.gz", played)
    assemble(home / "session.toml", Wishes(recordings=(played,), folder=tmp_path / "session")).session.run()
    played.unlink()
    done = parity(tmp_path / "session")
    assert done.returncode == 2
    assert str(played) in done.stderr
    assert "Traceback" not in done.stderr


def parity(session: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vtframe.cli.main", "parity", str(session), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_a_certificate_and_leaves_with_0_or_1(home: Path, session: Path) -> None:
    done = parity(home / "session", "--json")
    assert done.returncode == 0, done.stderr
    certificate = json.loads(done.stdout)
    assert certificate["rows"] == certificate["compared"] == certificate["identical"] > 0
    assert certificate["first_difference"] is None
    assert certificate["fingerprint"] == certificate["fingerprint_here"]
    edit_column(session / "rows" / "000001.parquet", "micro_spread", 199, lambda value: value + 1)
    done = parity(session)
    assert done.returncode == 1
    assert "first difference: row 199" in done.stderr
    assert "micro_spread" in done.stderr


def test_no_session_is_a_clear_error(tmp_path: Path) -> None:
    done = parity(tmp_path)
    assert done.returncode == 2
    assert "not a session folder" in done.stderr


def test_another_fingerprint_is_said_and_the_rows_are_compared_all_the_same(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vtframe.features.pipeline.fingerprint", lambda: "another")
    found = check(session)
    assert found.passed
    assert found.fingerprint != found.fingerprint_here == "another"
    assert found.identical == found.rows
