"""Whole sessions whose frames make rows of several instruments: rows, predictions, parity and data sets are of one piece."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from vtframe.assemble.parity import ParityRun
from vtframe.assemble.session import Wishes, assemble
from vtframe.cli.main import cli

MODEL = "embedded_direction"
LEADER = """
[[features]]
use = "book_imbalance"
as = "leader_imbalance"
instrument = "SIM2USDT@sim"

[[models]]"""


@pytest.fixture(scope="module")
def home(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session on three instruments of the embedded market, one of them leading, with a bundle that states the rule."""
    home = tmp_path_factory.mktemp("leaders")
    source, bundle = root / "models" / MODEL, home / "models" / MODEL
    bundle.mkdir(parents=True)
    (bundle / "model.onnx").write_bytes((source / "model.onnx").read_bytes())
    stated = (source / "bundle.toml").read_text().replace('sampling = "frame"', 'sampling = "frame and leaders"')
    (bundle / "bundle.toml").write_text(stated)
    text = (root / "market.toml").read_text().replace("[[models]]", LEADER, 1)
    text = re.sub(r"duration_s = \d+", "duration_s = 30\ninstruments = 3", text)
    text = text.replace('every = "frame"', 'every = "frame"\nleaders = true')
    (home / "vtframe.toml").write_text(text)
    assemble(home / "vtframe.toml", Wishes(folder=home / "session", deterministic=True)).session.run()
    return home


def test_one_frame_makes_rows_of_several_instruments_and_each_has_its_prediction(home: Path) -> None:
    rows = pq.read_table(home / "session" / "rows").to_pandas()
    predictions = pq.read_table(home / "session" / "predictions" / MODEL).to_pandas()
    sizes = rows.groupby("input").size()
    assert set(sizes) == {1, 3}
    assert (sizes == 3).sum() > 500
    keys = ["instrument", "number"]
    assert not rows.duplicated(keys).any()
    found = predictions.rename(columns={"row": "number"})[[*keys, "input", "verdict"]]
    both = rows.merge(found, on=keys, validate="one_to_one")
    assert len(both) == len(rows) == len(predictions)
    assert (both["input_x"] == both["input_y"]).all()
    assert ((both["verdict"] != "invalid") <= (both["valid"] != 0)).all()
    assert (both["verdict"] == "ok").sum() > 1_000


def test_parity_makes_rows_and_predictions_again(home: Path) -> None:
    found = ParityRun(home / "session", predictions=True).run()
    assert found.passed
    assert found.rows == found.identical > 2_000
    assert found.models[MODEL].identical == found.models[MODEL].rows > 1_000


def test_a_data_set_has_the_rows_of_the_session(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    done = CliRunner().invoke(cli, ["features", "--config", str(home / "vtframe.toml"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    ours, logged = pq.read_table(out).to_pandas(), pq.read_table(home / "session" / "rows").to_pandas()
    assert pq.read_schema(out).metadata[b"vtframe.sampling"] == b"frame and leaders"
    order = ["instrument", "input"]
    ours, logged = (table.sort_values(order, kind="stable").reset_index(drop=True) for table in (ours, logged))
    for column in (
        "ts_recv",
        "ts_event",
        "input",
        "instrument",
        "valid",
        "book_imbalance",
        "leader_imbalance",
        "rolling_volatility",
    ):
        np.testing.assert_array_equal(ours[column].to_numpy(), logged[column].to_numpy(), err_msg=column)


def test_a_bundle_of_another_rule_is_refused_with_both(home: Path, tmp_path: Path) -> None:
    path = home / "plain.toml"
    path.write_text((home / "vtframe.toml").read_text().replace("leaders = true", ""))
    done = CliRunner().invoke(cli, ["check", str(path)])
    assert done.exit_code == 2
    assert "trained on 'frame and leaders'; the pipeline has 'frame'" in done.output
