"""The bundles in models/: whole, running, and better than the majority class on data that they were not trained on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import f1_score, log_loss
from vtframe_onnx import OnnxBackend

from vtframe.api import BundleInfo, Sampling
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.builtin.recorded.feed import RecordedFeed
from vtframe.cli.main import cli
from vtframe.inference.bundle import load_bundle
from vtframe.inference.schema import compare_schema

NAMES = ("btcusdt_direction", "embedded_direction")


@pytest.fixture(scope="module")
def scripts(root: Path) -> Iterator[tuple[ModuleType, ModuleType]]:
    """models/dataset.py and models/features.py, imported as the scripts import them."""
    sys.path.insert(0, str(root / "models"))
    try:
        import dataset
        import features

        yield dataset, features
    finally:
        sys.path.remove(str(root / "models"))


def judge(bundle: BundleInfo, examples: Any) -> tuple[float, float, float, float, float]:
    """Macro-F1 and log loss of the model; macro-F1 of the best single class and log loss of the best constant answer, both of
    which know these very examples' frequencies; and the correlation of edge and move."""
    model = OnnxBackend().open(bundle)
    answers = model.predict(np.ascontiguousarray(examples.inputs[:, None, :])).astype(np.float64)
    answers /= answers.sum(axis=1, keepdims=True)
    counts = np.bincount(examples.classes, minlength=3)
    majority = np.full(len(examples), counts.argmax())
    constant = np.tile(counts / counts.sum(), (len(examples), 1))
    edge = answers @ np.array(bundle.expected_move_bps)
    return (
        f1_score(examples.classes, answers.argmax(axis=1), average="macro"),
        log_loss(examples.classes, answers, labels=[0, 1, 2]),
        f1_score(examples.classes, majority, average="macro", zero_division=0),
        log_loss(examples.classes, constant, labels=[0, 1, 2]),
        float(np.corrcoef(edge, examples.moves)[0, 1]),
    )


def recorded(scripts: tuple[ModuleType, ModuleType], bundle: BundleInfo, *paths: Path) -> Any:
    dataset, features = scripts
    feed = RecordedFeed(paths=tuple(map(str, paths)))
    codecs = {BinanceCodec.name: BinanceCodec}
    rows = dataset.collect(feed, features.configured_features(), sampling=Sampling(), codecs=codecs)
    assert compare_schema(bundle, rows.schema, "frame", dtype="float32") == []
    return dataset.label_rows(rows, bundle.label)


@pytest.mark.parametrize("name", NAMES)
def test_a_demo_bundle_passes_verification(root: Path, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["model", "verify", str(root / "models" / name)])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", NAMES)
def test_a_demo_bundle_states_what_it_beat_and_by_how_much(root: Path, name: str) -> None:
    bundle = load_bundle(root / "models" / name)
    for measure, better in (("macro_f1", 1), ("log_loss", -1), ("accuracy", 1)):
        assert better * (bundle.metrics[measure] - bundle.baselines[measure]) > 0
    down, flat, up = bundle.expected_move_bps
    assert down < flat < up
    assert bundle.provenance["rows"]["test"] >= 1_000
    assert (root / bundle.provenance["made_by"]).is_file()


def test_the_demo_bundles_are_small(root: Path) -> None:
    assert sum(path.stat().st_size for name in NAMES for path in (root / "models" / name).iterdir()) < 2_000_000


def test_btcusdt_beats_every_constant_answer_on_the_minutes_that_it_was_not_trained_on(
    root: Path, data: Path, scripts: tuple[ModuleType, ModuleType]
) -> None:
    bundle = load_bundle(root / "models" / "btcusdt_direction")
    examples = recorded(scripts, bundle, data / "binance" / "usdm_btcusdt_20240808.gz")
    *_, test = scripts[0].split_by_time(examples, (0.58, 0.12, 0.30), embargo=bundle.label.horizon_rows)
    assert len(test) == bundle.provenance["rows"]["test"]
    f1, loss, majority_f1, _, correlation = judge(bundle, test)
    assert f1 == pytest.approx(bundle.metrics["macro_f1"], abs=0.005)
    assert loss == pytest.approx(bundle.metrics["log_loss"], abs=0.002)
    assert f1 > majority_f1 + 0.2
    assert correlation > 0.08


def test_btcusdt_beats_every_constant_answer_on_another_market_after_the_recording_that_it_knows(
    root: Path, data: Path, scripts: tuple[ModuleType, ModuleType]
) -> None:
    bundle = load_bundle(root / "models" / "btcusdt_direction")
    spot = [data / "binance" / f"spot_btcusdt_2024080{day}.gz" for day in (8, 9)]
    examples = recorded(scripts, bundle, *spot)
    known = recorded(scripts, bundle, data / "binance" / "usdm_btcusdt_20240808.gz")
    examples = examples.take(slice(int(np.searchsorted(examples.starts, known.ends[-1], side="right")), None))
    assert len(examples) > 2_500
    f1, loss, majority_f1, constant_loss, correlation = judge(bundle, examples)
    assert f1 > majority_f1 + 0.2
    assert loss < constant_loss - 0.03
    assert correlation > 0.2


@pytest.mark.parametrize("seed", [7, 31_337])
def test_embedded_beats_every_constant_answer_on_markets_of_other_seeds(
    root: Path, scripts: tuple[ModuleType, ModuleType], seed: int
) -> None:
    dataset, features = scripts
    bundle = load_bundle(root / "models" / "embedded_direction")
    rows = dataset.collect(
        EmbeddedMarket(seed=seed, duration_s=1e6), features.configured_features(), sampling=Sampling(), limit=200_000
    )
    assert compare_schema(bundle, rows.schema, "frame", dtype="float32") == []
    examples = dataset.label_rows(rows, bundle.label)
    assert len(examples) > 190_000
    f1, loss, majority_f1, constant_loss, correlation = judge(bundle, examples)
    assert f1 > majority_f1 + 0.07
    assert loss < constant_loss - 0.015
    assert correlation > 0.05
