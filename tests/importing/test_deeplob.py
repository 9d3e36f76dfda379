"""models/deeplob: a sequence model of 100 x 40 raw levels, whole, running, and the graph of its own definition."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from import_case import backend

from vtframe.assemble.check import examine
from vtframe.cli.main import cli
from vtframe.inference.bundle import load_bundle
from vtframe.inference.schema import compare_schema


def test_the_bundle_passes_verification_and_is_small(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["model", "verify", str(root / "models" / "deeplob")])
    assert result.exit_code == 0, result.output
    assert sum(path.stat().st_size for path in (root / "models" / "deeplob").iterdir()) < 1_000_000


def test_it_reads_the_rows_that_its_configuration_makes(root: Path) -> None:
    bundle = load_bundle(root / "models" / "deeplob")
    assert (bundle.window, len(bundle.columns)) == (100, 40)
    assert compare_schema(bundle, examine(root / "models" / "deeplob.toml").schema, "frame", dtype="float32") == []
    assert bundle.metrics["macro_f1"] > bundle.baselines["macro_f1"] + 0.1


def test_a_window_in_the_ring_is_answered_as_a_copy_of_it(root: Path) -> None:
    bundle = load_bundle(root / "models" / "deeplob")
    model = backend(bundle.backend).open(bundle)
    ring = np.random.default_rng(0).normal(size=(1, 400, 40)).astype(np.float32)
    ring.flags.writeable = False
    for start in (0, 13, 300):
        view = ring[:, start : start + 100]
        assert np.array(model.predict(view)).tobytes() == np.array(model.predict(view.copy())).tobytes()


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_its_definition_and_its_mirror_are_what_they_say(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root / "models"))
    import torch
    from deeplob import CLASSES, COLUMNS, WINDOW, DeepLOB
    from train_deeplob import mirror

    model = DeepLOB().eval()
    with torch.inference_mode():
        found = model(torch.randn(3, WINDOW, COLUMNS))
    assert found.shape == (3, CLASSES)
    torch.testing.assert_close(found.sum(1), torch.ones(3))
    assert 20_000 < sum(part.numel() for part in model.parameters()) < 100_000
    row = np.array([1.0, 5.0, -2.0, 7.0], np.float32)  # ask price, ask quantity, bid price, bid quantity
    assert mirror(row[None]).tolist() == [[2.0, 7.0, -1.0, 5.0]]
    rows = np.random.default_rng(0).normal(size=(2, 100, 40)).astype(np.float32)
    np.testing.assert_array_equal(mirror(mirror(rows)), rows)
    for name in ("deeplob", "train_deeplob"):
        sys.modules.pop(name, None)
