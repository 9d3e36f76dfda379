"""``vtframe model import`` as it is typed: from a recording to a bundle in one command, with the right exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from import_case import HORIZON, Import, Material, backend

from vtframe.cli.main import cli
from vtframe.inference.bundle import load_bundle
from vtframe.inference.importing.rows import RowSet
from vtframe.inference.schema import compare_schema


@pytest.fixture
def source(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    monkeypatch.chdir(tmp_path)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(material.inputs, material.directions)
    skops.io.dump(model, "model.skops")
    return Path("model.skops")


def call(root: Path, *arguments: object) -> Any:
    command = ["model", "import", "-f", str(root / "btcusdt.toml"), *map(str, arguments)]
    return CliRunner().invoke(cli, command)


def test_a_recording_is_all_that_is_needed_beside_the_model(root: Path, data: Path, source: Path, rows: RowSet) -> None:
    recording = data / "binance" / "usdm_btcusdt_20240808.gz"
    command = [sys.executable, "-m", "vtframe.cli.main", "model", "import", str(source), "-f", str(root / "btcusdt.toml")]
    command += ["--recording", str(recording), "--label", "mid_direction", "--horizon-rows", str(HORIZON)]
    done = subprocess.run(
        [*command, "--unseen", "0.3", "-o", "models/mine", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    bundle = load_bundle(Path("models/mine"))
    assert (told["hash"], told["backend"], told["compared"]) == (bundle.hash, "onnx", 5_000)
    assert told["largest_difference"] < 1e-6
    assert compare_schema(bundle, rows.features, "frame", dtype="float32") == []
    assert bundle.label.horizon_rows == HORIZON
    assert bundle.metrics["macro_f1"] > bundle.baselines["macro_f1"] + 0.1
    again = subprocess.run([*command, "--unseen", "0.3", "-o", "models/mine"], capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert again.stderr.strip() == "error: models/mine: exists already; --force replaces it"


def test_figures_are_scikit_learns_on_the_rows_that_were_not_trained_on(source: Path, rows: RowSet, imported: Import) -> None:
    from sklearn.metrics import accuracy_score, f1_score, log_loss

    bundle = imported(source).bundle
    labels = rows.labels
    assert labels is not None
    usable = rows.usable(1)
    labeled = usable[labels.there[usable]]
    first = len(labeled) - round(0.3 * len(labeled))
    test = labeled[first:][rows.ts_recv[labeled[first:]] > labels.end[labeled[:first]].max()]
    assert bundle.provenance["rows"]["test"] == len(test)
    model = backend("onnx").open(bundle)
    answers = np.concatenate(
        [np.array(model.predict(rows.windows(test[k : k + 64], 1)), np.float64) for k in range(0, len(test), 64)]
    )
    truth = labels.direction[test] + 1
    answers /= answers.sum(axis=1, keepdims=True)
    assert bundle.metrics["accuracy"] == pytest.approx(accuracy_score(truth, answers.argmax(axis=1)), abs=1e-6)
    assert bundle.metrics["macro_f1"] == pytest.approx(f1_score(truth, answers.argmax(axis=1), average="macro"), abs=1e-6)
    bounded = answers.clip(np.finfo(np.float32).eps, 1)  # float32 knows no smaller step below 1
    assert bundle.metrics["log_loss"] == pytest.approx(log_loss(truth, bounded / bounded.sum(axis=1, keepdims=True)), abs=1e-5)
    moves = labels.move_bps[test]
    edge = answers @ np.array(bundle.expected_move_bps)
    assert np.polyfit(edge, moves, 1)[0] == pytest.approx(1.0, abs=1e-3), (
        "the edge is calibrated on the rows it was measured on"
    )
    assert bundle.variance_bps2 == pytest.approx(moves.var(), rel=1e-5)
    assert bundle.horizon_ns == int(np.median(labels.end[test] - rows.ts_recv[test]))


def test_rows_that_would_be_made_without_labels_are_asked_for_before_they_are_made(
    root: Path, source: Path, tmp_path: Path
) -> None:
    result = call(root, source, "--recording", tmp_path / "not-even-there.gz", "--unseen", "0.3", "-o", "mine")
    assert result.exit_code == 2
    assert "how are they labeled" in result.stderr
    assert "--label mid_direction --horizon-rows N --unseen 1" in result.stderr


def test_a_data_set_of_other_features_is_refused_by_their_names(
    root: Path, source: Path, rows_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text((root / "btcusdt.toml").read_text().replace("levels = 5", "levels = 7"))
    arguments = ["model", "import", str(source), "-f", str(other), "--rows", str(rows_file), "--unseen", "0.3", "-o", "mine"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "was made with other features than" in result.stderr
    assert "book_imbalance_5" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--columns", "microprice,nothing"], "--columns: the rows have no nothing; they have book_imbalance"),
        (["--label", "mid_direction"], "--label and --horizon-rows go together"),
        (["--recording", "x.gz"], "--rows and --recording exclude each other"),
        (["--expected-move-bps", "1,two"], "'1,two' is no list of numbers"),
        (["-o", "models/my model"], "is no name for a model"),
    ],
)
def test_options_that_are_wrong_exit_2_with_one_message(
    root: Path, source: Path, rows_file: Path, options: list[str], words: str
) -> None:
    result = call(root, source, "--rows", rows_file, "--unseen", "0.3", "-o", "mine", *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output
