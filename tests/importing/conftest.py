"""Rows of a recording, made once, and model files of every kind that is imported."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import msgspec
import pytest
from import_case import HORIZON, Import, Material, backend

from vtframe.assemble.data_set import DataSetRun, DataSetWishes
from vtframe.dataset.labels import LabelRule
from vtframe.inference.importing import convert
from vtframe.inference.importing.child import run_job
from vtframe.inference.importing.job import FACTS, Facts
from vtframe.inference.importing.make_bundle import Imported, make_bundle
from vtframe.inference.importing.rows import RowSet, read_rows
from vtframe.inference.importing.source import identify
from vtframe.inference.importing.wishes import ImportWishes


@pytest.fixture(scope="session")
def rows_file(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labeled data set of five minutes of BTCUSDT."""
    out = tmp_path_factory.mktemp("rows") / "rows.parquet"
    run = DataSetRun(
        DataSetWishes(
            config=root / "btcusdt.toml",
            out=out,
            recordings=(data / "binance" / "usdm_btcusdt_20240808.gz",),
            label=LabelRule(kind="mid_direction", horizon_rows=HORIZON),
        )
    )
    with run.work:
        run.make_rows()
        run.write()
    return out


@pytest.fixture(scope="session")
def rows(rows_file: Path) -> RowSet:
    return read_rows(rows_file)


@pytest.fixture(scope="session")
def material(rows: RowSet) -> Material:
    usable = rows.usable(1)
    assert rows.labels is not None
    labeled = usable[rows.labels.there[usable]]
    seen = labeled[: int(len(labeled) * 0.7)]
    return Material(rows.values[seen], rows.labels.direction[seen], rows.labels.move_bps[seen])


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions in this process: a new one for each would cost seconds. What the process itself does is tried elsewhere."""

    def open_here(folder: Path) -> tuple[int, str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = run_job(folder)
        (folder / FACTS).write_bytes(msgspec.json.encode(found))
        return (0 if isinstance(found, Facts) else 2), ""

    monkeypatch.setattr(convert, "_open_elsewhere", open_here)


@pytest.fixture
def imported(here: None, rows: RowSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """Import a source on the recorded rows, the last 30% of which it was not trained on."""
    monkeypatch.chdir(tmp_path)

    def make(source: Path | str, *, of: RowSet | None = None, replace: bool = False, **wishes: Any) -> Imported:
        asked = ImportWishes(**{"source": identify(str(source)), "name": "made", "unseen": 0.3, **wishes})
        return make_bundle(asked, of or rows, tmp_path / "made", backend, replace=replace)

    return make
