"""Imported models decide in sessions: in the engine's thread, compiled, in threads and processes; parity asks them again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from import_case import Import, Material

from vtframe.cli.main import cli

NAMES = ("down", "flat", "up")


def configuration(root: Path, folder: Path, *, where: str) -> Path:
    """btcusdt.toml on the embedded market, with the imported bundle as its model."""
    text = (root / "btcusdt.toml").read_text()
    for old, new in (
        ("models/btcusdt_direction", str(folder / "made")),
        ('model = "btcusdt_direction"', 'model = "made"'),
        ('where = "inline"', f'where = "{where}"'),
        ('plugins = ["onnx"]', 'plugins = ["onnx", "torch", "sklearn"]'),
        ('use = "recording"\npaths = []', 'use = "market"\nmax_frames = 1500\n#'),
        ("deadline_us = 5_000", "deadline_us = 60_000_000"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / f"{where}.toml"
    path.write_text(text)
    return path


def import_torch(imported: Import, material: Material, folder: Path) -> None:
    (folder / "net_of_session.py").write_text(
        "import torch\n"
        "def net():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Linear(7, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3), torch.nn.Softmax(1))\n"
    )
    imported(f"{folder}/net_of_session.py:net", form="torchscript", outputs=(NAMES,), calibrate="platt")


def import_sklearn(imported: Import, material: Material, folder: Path) -> None:
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(material.inputs, material.directions)
    skops.io.dump(model, folder / "model.skops")
    imported(folder / "model.skops", form="skops", calibrate="isotonic")


def call(*arguments: object) -> Any:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def import_xgboost(imported: Import, material: Material, folder: Path) -> None:
    import xgboost

    settings = {"objective": "multi:softprob", "num_class": 3, "nthread": 1, "max_depth": 3}
    booster = xgboost.train(settings, xgboost.DMatrix(material.inputs, material.directions + 1), 10)
    booster.save_model(folder / "model.json")
    imported(folder / "model.json", outputs=(NAMES,), calibrate="temperature")


@pytest.mark.parametrize(
    ("prepare", "places"),
    [(import_torch, ("inline", "process")), (import_sklearn, ("inline", "process")), (import_xgboost, ("fused", "thread"))],
)
def test_an_imported_model_decides_wherever_it_runs_and_parity_makes_its_answers_again(
    prepare: Any, places: tuple[str, ...], root: Path, material: Material, imported: Import
) -> None:
    folder = Path.cwd()  # a test's own
    prepare(imported, material, folder)
    verified = call("model", "verify", folder / "made", "--json")
    assert verified.exit_code == 0, verified.output
    assert {check["name"]: check["ok"] for check in json.loads(verified.stdout)["checks"]}["calibration"] is True
    for where in places:
        config = configuration(root, folder, where=where)
        ran = call("run", config, "--session", folder / where, "--quiet")
        assert ran.exit_code == 0, ran.output
        same = call("parity", folder / where, "--model", "--json")
        assert same.exit_code == 0, same.output
        told = json.loads(same.stdout[same.stdout.index("{") :])["models"]["made"]
        assert told["rows"] == told["compared"] == told["identical"] > 1_000
