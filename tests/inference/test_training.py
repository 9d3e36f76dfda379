"""The training scripts' arithmetic: labels, splits that leak nothing, and an edge that is calibrated where there is one."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtframe.api import Label
from vtframe.domain import ROW


@pytest.fixture(scope="module")
def dataset(root: Path) -> Iterator[ModuleType]:
    """models/dataset.py, imported as the scripts import it."""
    sys.path.insert(0, str(root / "models"))
    try:
        import dataset

        yield dataset
    finally:
        sys.path.remove(str(root / "models"))


@pytest.fixture(scope="module")
def training(dataset: ModuleType) -> ModuleType:
    import training

    return training


def rows_of(dataset: ModuleType, mids: list[int], valid: list[bool]) -> Any:
    """Rows with mids (even numbers of ticks) 1 s apart."""
    meta = np.zeros(len(mids), ROW)
    meta["number"] = np.arange(len(mids))
    meta["bid"], meta["ask"] = np.array(mids) - 1, np.array(mids) + 1
    meta["valid"] = valid
    meta["ts_recv"] = np.arange(len(mids)) * 10**9
    return dataset.Rows(meta, np.arange(len(mids), dtype=np.float32)[:, None], (), (), "")


def test_labels_look_ahead_by_the_horizon_and_are_flat_within_the_threshold(dataset: ModuleType) -> None:
    rows = rows_of(dataset, [10_000, 10_001, 10_003, 9_990, 10_001], [True] * 5)
    examples = dataset.label_rows(rows, Label(horizon_rows=2, threshold_bps=1.0))
    assert [dataset.CLASSES[k] for k in examples.classes] == ["up", "down", "down"]
    np.testing.assert_allclose(examples.moves, [3.0, (9_990 / 10_001 - 1) * 1e4, (10_001 / 10_003 - 1) * 1e4])
    flat = dataset.label_rows(rows, Label(horizon_rows=1, threshold_bps=1.0))
    assert dataset.CLASSES[flat.classes[0]] == "flat", "a move of exactly the threshold"


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 8))
def test_no_label_crosses_an_invalid_row(dataset: ModuleType, valid: list[bool], horizon: int) -> None:
    rows = rows_of(dataset, [10_000 + 2 * k for k in range(len(valid))], valid)
    if len(valid) <= horizon:
        return
    examples = dataset.label_rows(rows, Label(horizon_rows=horizon))
    expected = [k for k in range(len(valid) - horizon) if all(valid[k : k + horizon + 1])]
    assert examples.rows.tolist() == expected
    assert (examples.ends - examples.starts == horizon * 10**9).all()


@given(st.integers(40, 300), st.integers(1, 10))
def test_no_label_of_one_part_reaches_into_the_next(dataset: ModuleType, count: int, horizon: int) -> None:
    rows = rows_of(dataset, list(range(10_000, 10_000 + 2 * count, 2)), [True] * count)
    examples = dataset.label_rows(rows, Label(horizon_rows=horizon))
    parts = dataset.split_by_time(examples, (0.6, 0.1, 0.3), embargo=horizon)
    for part, later in itertools.pairwise(parts):
        if len(part) and len(later):
            assert part.ends[-1] < later.starts[0]
    assert parts[-1].rows[-1] == examples.rows[-1]
    kept = sum(len(part) for part in parts)
    assert kept >= len(examples) - 2 * horizon


def examples_of(dataset: ModuleType, moves: np.ndarray, threshold: float) -> Any:
    classes = (moves > threshold).astype(np.int64) - (moves < -threshold) + 1
    zeros = np.zeros(len(moves), np.int64)
    return dataset.Examples(np.zeros((len(moves), 1), np.float32), classes, moves, zeros, zeros, zeros)


class Softmax:
    """A model that knows the signal as well as ``sharpness`` says."""

    def __init__(self, sharpness: float) -> None:
        self.sharpness = sharpness

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        scores = self.sharpness * inputs * np.array([-1.0, 0.0, 1.0])
        return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


SIGNS = np.array([-1], np.float32)


def test_the_edge_is_calibrated_and_a_trend_is_not_sold_as_knowledge(dataset: ModuleType, training: ModuleType) -> None:
    rng = np.random.default_rng(5)
    signal = rng.normal(size=20_000).astype(np.float32)
    moves = 0.4 * signal + rng.normal(size=len(signal)) + 0.5  # a trend upwards
    test = replace(examples_of(dataset, moves, 0.5), inputs=signal[:, None])
    for sharpness in (0.3, 0.8, 3.0):
        model = Softmax(sharpness)
        worth = training.economics(model, test, SIGNS)
        edge = training.probabilities(model, test) @ np.array(worth.expected_move_bps)
        assert training.slope_of(edge, moves) == pytest.approx(1, abs=0.05), "whatever the model's confidence"
        assert abs(edge.mean()) < 0.05
        down, flat, up = worth.expected_move_bps
        assert down == -up < flat == 0 < up
        assert worth.variance_bps2 == pytest.approx((moves**2).mean(), rel=1e-6)
        held = training.judge_edge(model, test, SIGNS)
        assert 0.9 < held["edge_slope"] < 1.1


def test_a_model_that_knows_nothing_or_the_opposite_has_no_edge(dataset: ModuleType, training: ModuleType) -> None:
    rng = np.random.default_rng(6)
    moves = rng.normal(size=5_000)
    test = replace(examples_of(dataset, moves, 0.4), inputs=moves.astype(np.float32)[:, None])
    assert training.economics(Softmax(0.0), test, SIGNS).expected_move_bps == (0.0, 0.0, 0.0)
    assert training.economics(Softmax(-1.0), test, SIGNS).expected_move_bps == (0.0, 0.0, 0.0)


def test_a_mirror_image_is_a_market_with_its_sides_exchanged(dataset: ModuleType) -> None:
    moves = np.array([1.0, -2.0, 0.1])
    inputs = np.array([[0.5, 7.0], [-0.25, 8.0], [0.0, 9.0]], np.float32)
    both = dataset.mirror(replace(examples_of(dataset, moves, 0.5), inputs=inputs), np.array([-1, 1], np.float32))
    assert both.moves.tolist() == [1.0, -2.0, 0.1, -1.0, 2.0, -0.1]
    assert [dataset.CLASSES[k] for k in both.classes] == ["up", "down", "flat", "down", "up", "flat"]
    assert both.inputs[3:].tolist() == [[-0.5, 7.0], [0.25, 8.0], [0.0, 9.0]]


def test_the_exported_graph_equals_scikit_learn_and_training_repeats(dataset: ModuleType, training: ModuleType) -> None:
    rng = np.random.default_rng(7)
    inputs = rng.normal(size=(3_000, 4)).astype(np.float32) * np.array([1, 10, 0.1, 100], np.float32)
    moves = inputs[:, 0] + 0.1 * inputs[:, 1] + rng.normal(size=3_000)
    examples = replace(examples_of(dataset, moves, 0.5), inputs=inputs)
    early, late = examples.take(slice(0, 2_000)), examples.take(slice(2_000, None))
    small = training.Grid(layers=((8,),), penalties=(1e-3,), epochs=3)
    graphs = []
    for _ in range(2):
        model = training.train(early, late, seed=3, grid=small)
        graphs.append(training.export(model, 4, name="tiny"))
    assert graphs[0] == graphs[1]
    domains = [opset.domain for opset in onnx.load_from_string(graphs[0]).opset_import]
    assert domains == ["", "ai.onnx.ml"], "whatever the hash seed"
    assert training.check_export(graphs[0], model, examples) < training.TOLERANCE
    broken = training.train(early, late, seed=4, grid=small._replace(epochs=1))
    with pytest.raises(SystemExit, match="differs from scikit-learn"):
        training.check_export(graphs[0], broken, examples)
    with pytest.raises(SystemExit, match="too few"):
        training.check_export(graphs[0], model, examples.take(slice(0, 999)))
    judged = training.judge(training.probabilities(model, late), early, late, simple=training.probabilities(model, late))
    assert judged.metrics["macro_f1"] > judged.baselines["macro_f1"] + 0.1
