"""`vtframe features`: the rows of a session in one file, in full or not at all, gone on with after a kill."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from vtframe.assemble.data_set import DataSetRun, DataSetSummary, DataSetWishes
from vtframe.assemble.session import Wishes, assemble
from vtframe.cli.main import cli
from vtframe.dataset.labels import LabelRule
from vtframe.dataset.work import Work, work_folder
from vtframe.errors import ConfigError, InputError, RecordingError

LINES = 10_000
RULE = LabelRule(kind="mid_direction", horizon_rows=10, threshold_bps=0.02)


@pytest.fixture(scope="module")
def home(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first lines of a real recording, and a configuration without models and lanes."""
    home = tmp_path_factory.mktemp("sets")
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        lines = list(itertools.islice(file, LINES))
    (home / "part.gz").write_bytes(gzip.compress(b"".join(lines)))
    text = (root / "btcusdt.toml").read_text()
    (home / "rows.toml").write_text(text[: text.index("[[models]]")])
    (home / "session.toml").write_text(text.replace("models/", f"{root}/models/"))
    return home


def wishes(home: Path, out: Path, **more: Any) -> DataSetWishes:
    return DataSetWishes(config=home / "rows.toml", out=out, recordings=(home / "part.gz",), **more)


def make(asked: DataSetWishes) -> DataSetSummary:
    run = DataSetRun(asked)
    with run.work:
        run.make_rows()
        return run.write()


def features(home: Path, out: Path, *more: str) -> int | str | None:
    """The command's exit code, in this process."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["features", "-c", str(home / "rows.toml"), "-o", str(out), *more])
    return stopped.value.code


def test_a_data_set_holds_what_a_session_logs_bit_by_bit(home: Path, tmp_path: Path) -> None:
    assemble(home / "session.toml", Wishes(recordings=(home / "part.gz",), folder=tmp_path / "session")).session.run()
    logged = pq.read_table(tmp_path / "session" / "rows")
    found = make(wishes(home, tmp_path / "set.parquet", label=RULE))
    table = pq.read_table(tmp_path / "set.parquet")
    assert table.num_rows == logged.num_rows == found.rows > 500
    names = ["ts_event", "ts_recv", "input", "instrument", "valid", *found.columns]
    assert table.column_names == [*names, "label", "label_move_bps", "label_ts_recv"]
    for name in names:
        one, other = table.column(name), logged.column(name)
        assert one.type == other.type, name
        if name in found.columns:
            assert one.to_numpy().view(np.uint32).tolist() == other.to_numpy().view(np.uint32).tolist(), name
        else:
            assert one.to_pylist() == other.to_pylist(), name
    mid = (logged.column("bid").to_numpy() + logged.column("ask").to_numpy()) / 2
    labels = table.column("label").to_pylist()
    row = next(k for k in range(300, len(labels)) if labels[k] == 1)
    assert (mid[row + 10] / mid[row] - 1) * 1e4 > 0.02
    assert table.column("label_ts_recv")[row].as_py() == logged.column("ts_recv")[row + 10].as_py()
    assert labels[-10:] == [None] * 10
    assert sum(label is not None for label in labels) == sum((found.labels or {}).values()) > 300


def test_the_file_says_what_it_was_made_of(home: Path, tmp_path: Path) -> None:
    found = make(wishes(home, tmp_path / "set.parquet", label=RULE))
    stated = {key.decode(): value.decode() for key, value in pq.read_schema(tmp_path / "set.parquet").metadata.items()}
    assert stated["vtframe.kind"] == "dataset"
    assert stated["vtframe.schema_hash"] == found.schema_hash
    assert stated["vtframe.fingerprint"] == found.fingerprint
    assert json.loads(stated["vtframe.columns"]) == list(found.columns)
    assert json.loads(stated["vtframe.label"])["horizon_rows"] == 10
    (source,) = json.loads(stated["vtframe.sources"])
    assert source["size"] == (home / "part.gz").stat().st_size
    assert json.loads(stated["vtframe.instruments"])[0]["symbol"] == "BTCUSDT"
    assert "[[features]]" in stated["vtframe.config"] or "features" in stated["vtframe.config"]


def test_the_same_data_make_the_same_bytes_however_the_work_is_cut(home: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    make(wishes(home, one, part_rows=10**6))
    make(wishes(home, other, part_rows=100))
    assert one.read_bytes() == other.read_bytes()


def interrupted(home: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    """A run that stops after three parts."""
    settle = Work._finish_part

    def third(self: Work, rows: int) -> None:
        settle(self, rows)
        if self._done == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Work, "_finish_part", third)
    with pytest.raises(KeyboardInterrupt):
        make(wishes(home, out, part_rows=50, **more))
    monkeypatch.undo()


def test_a_part_that_this_run_would_make_otherwise_is_an_error(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "set.parquet"
    interrupted(home, out, monkeypatch)
    part = work_folder(out) / "000003.parquet"
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata({"vtframe.digest": "0" * 64}), part)
    with pytest.raises(InputError, match=r"000003\.parquet: cannot be gone on with"):
        make(wishes(home, out, part_rows=50))
    assert not out.exists()
    assert make(wishes(home, out, part_rows=50, fresh=True)).resumed == 0


def test_a_torn_part_is_made_anew(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "set.parquet"
    interrupted(home, out, monkeypatch)
    part = work_folder(out) / "000002.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    assert 0 < make(wishes(home, out, part_rows=50)).resumed < 150
    make(wishes(home, tmp_path / "expected.parquet", part_rows=50))
    assert out.read_bytes() == (tmp_path / "expected.parquet").read_bytes()


def test_work_on_other_data_is_refused_until_it_is_dropped(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "set.parquet"
    interrupted(home, out, monkeypatch)
    other = tmp_path / "other.gz"
    other.write_bytes(gzip.compress(b"".join(gzip.decompress((home / "part.gz").read_bytes()).splitlines(keepends=True)[:-1])))
    asked = DataSetWishes(config=home / "rows.toml", out=out, recordings=(other,), part_rows=50)
    with pytest.raises(InputError, match="unfinished work on another data set"):
        make(asked)
    assert make(wishes(home, out, part_rows=50, label=RULE)).resumed >= 150, "another label keeps the parts"


def test_two_processes_do_not_work_on_one_set(home: Path, tmp_path: Path) -> None:
    run = DataSetRun(wishes(home, tmp_path / "set.parquet"))
    with run.work, pytest.raises(InputError, match="another process is at work"):
        make(wishes(home, tmp_path / "set.parquet"))


def test_a_finished_set_is_left_as_it_is_and_another_file_is_not_replaced(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set.parquet"
    assert features(home, out, str(home / "part.gz"), "--json") == 0
    one = json.loads(capsys.readouterr().out)
    before = out.stat().st_mtime_ns
    assert features(home, out, str(home / "part.gz"), "--json") == 0
    other = json.loads(capsys.readouterr().out)
    assert (one["done_before"], other["done_before"]) == (False, True)
    assert (one["rows"], one["valid"]) == (other["rows"], other["valid"])
    assert out.stat().st_mtime_ns == before
    assert features(home, out, str(home / "part.gz"), "--label", "mid_direction", "--horizon-rows", "5") == 2
    assert "--force replaces it" in capsys.readouterr().err
    assert out.stat().st_mtime_ns == before
    assert make(wishes(home, out, label=RULE, force=True)).labels is not None


def test_data_without_a_row_leave_no_file(home: Path, tmp_path: Path) -> None:
    lines = gzip.decompress((home / "part.gz").read_bytes()).splitlines(keepends=True)
    snapshot = next(k for k, line in enumerate(lines) if b"lastUpdateId" in line)
    (tmp_path / "few.gz").write_bytes(gzip.compress(lines[snapshot]))
    (tmp_path / "none.gz").write_bytes(gzip.compress(b"".join(line for line in lines[:3000] if b"bookTicker" in line)))
    asked = DataSetWishes(config=home / "rows.toml", out=tmp_path / "set.parquet", recordings=(tmp_path / "none.gz",))
    with pytest.raises(InputError, match="the data made no row"):
        make(asked)
    assert not (tmp_path / "set.parquet").exists()


def test_a_missing_recording_leaves_nothing(home: Path, tmp_path: Path) -> None:
    asked = DataSetWishes(config=home / "rows.toml", out=tmp_path / "set.parquet", recordings=(home / "no.gz",))
    with pytest.raises(RecordingError, match="no such file"):
        DataSetRun(asked)
    assert list(tmp_path.iterdir()) == []


def test_a_feature_named_like_a_fixed_column_is_refused(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "rows.toml"
    text = (home / "rows.toml").read_text()
    for name, label in (("label", RULE), ("valid", None), ("input", RULE)):
        config.write_text(text.replace('as = "book_imbalance_5"', f'as = "{name}"'))
        asked = DataSetWishes(config=config, out=tmp_path / "set.parquet", recordings=(home / "part.gz",), label=label)
        with pytest.raises(ConfigError, match=f"{name}: has the name of a fixed column of data sets"):
            DataSetRun(asked)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--horizon-rows", "5"], "--horizon-rows goes with --label"),
        (["--label", "mid_direction"], "needs horizon_rows or horizon_ms"),
        (["--label", "triple_barrier", "--horizon-rows", "5"], "needs upper_bps and lower_bps"),
        (["--label", "sideways"], "is not one of"),
        (
            [
                "--label",
                "triple_barrier",
                "--horizon-rows",
                "5",
                "--upper-bps",
                "1",
                "--lower-bps",
                "1",
                "--barrier-column",
                "x",
            ],
            "no column 'x'; there are: book_imbalance",
        ),
    ],
)
def test_options_that_do_not_go_together_are_clear_errors(
    home: Path, tmp_path: Path, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert features(home, tmp_path / "set.parquet", str(home / "part.gz"), *options) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_the_embedded_market_makes_a_set_too(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "vtframe.toml"
    config.write_text((root / "market.toml").read_text().replace("duration_s = 1200", "duration_s = 20\nspeed = 0.001"))
    rule = LabelRule(kind="triple_barrier", horizon_ms=5_000, upper_bps=0.2, lower_bps=0.2)
    found = make(DataSetWishes(config=config, out=tmp_path / "set.parquet", label=rule))
    assert found.rows > 1_000
    assert found.labels is not None
    assert all(count > 0 for count in found.labels.values())
