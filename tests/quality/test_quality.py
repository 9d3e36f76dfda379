"""Prediction quality: against scikit-learn, pandas and a naive loop; never across a gap; the same however it is cut up."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from vtframe.api import BundleInfo, Label, PredictionBlock, RowBlock
from vtframe.domain import PREDICTION, ROW
from vtframe.domain.label import direction, move_bps
from vtframe.inference.quality import PredictionQuality
from vtframe.inference.scores import Scores, macro_f1, spearman

CLASSES = ("down", "flat", "up")
SIGN = {"down": -1, "flat": 0, "up": 1}


def bundle(*, horizon: int = 5, threshold: float = 0.5, classes: tuple[str, ...] = CLASSES) -> BundleInfo:
    return BundleInfo(
        name="m",
        path=Path("unused"),
        hash="h",
        backend="none",
        file="model",
        features=(),
        window=1,
        dtype="float32",
        classes=classes,
        label=Label(horizon_rows=horizon, threshold_bps=threshold),
        expected_move_bps=tuple(1.5 * SIGN.get(name, 0) + 0.1 for name in classes),
        variance_bps2=1.0,
        horizon_ns=1,
        sampling="every frame",
    )


def market(count: int, seed: int, *, instrument: int = 0, invalid: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a random walk, and a prediction for each: probabilities that know a little of the next move."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-3, 4, count)
    meta = np.zeros(count, ROW)
    meta["number"] = np.arange(count)
    meta["instrument"] = instrument
    meta["bid"] = 600_000 + np.cumsum(steps) * 10
    meta["ask"] = meta["bid"] + rng.integers(1, 4, count)
    meta["valid"] = rng.random(count) >= invalid
    ahead = np.roll(steps, -1)
    logits = rng.normal(size=(count, 3)) + np.stack([ahead < 0, ahead == 0, ahead > 0], axis=1)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return meta, p.astype(np.float32)


def answers(rows: np.ndarray, outputs: np.ndarray, *, instrument: int = 0) -> PredictionBlock:
    meta = np.zeros(len(rows), PREDICTION)
    meta["row"] = rows
    meta["instrument"] = instrument
    return PredictionBlock(model="m", meta=meta, outputs=outputs)


def block(meta: np.ndarray) -> RowBlock:
    return RowBlock(meta=meta, values=np.zeros((len(meta), 0), np.float32))


def final(quality: PredictionQuality) -> dict[str, Any]:
    quality.close()
    return quality.report()


def naive(meta: np.ndarray, outputs: np.ndarray, info: BundleInfo) -> tuple[list[int], list[np.ndarray], list[float]]:
    """Label row by row, as one would explain it."""
    labels, scored, moves = [], [], []
    horizon = info.label.horizon_rows
    for i in range(len(meta) - horizon):
        if np.isnan(outputs[i]).any() or not all(meta["valid"][i : i + horizon + 1]):
            continue
        now = (meta["bid"][i] + meta["ask"][i]) / 2
        then = (meta["bid"][i + horizon] + meta["ask"][i + horizon]) / 2
        move = (then / now - 1) * 1e4
        labels.append(1 if move > info.label.threshold_bps else -1 if move < -info.label.threshold_bps else 0)
        scored.append(outputs[i])
        moves.append(move)
    return labels, scored, moves


@pytest.mark.parametrize("horizon", [1, 5, 40])
@pytest.mark.parametrize("invalid", [0.0, 0.03])
def test_scores_are_scikit_learns_over_the_naive_labels(horizon, invalid) -> None:
    info = bundle(horizon=horizon)
    meta, outputs = market(5000, 3, invalid=invalid)
    outputs[::11] = np.nan
    quality = PredictionQuality({"m": info})
    quality.predictions(answers(meta["number"], outputs))
    quality.rows(block(meta))
    found = final(quality)["m"][str(horizon)]
    labels, scored, moves = naive(meta, outputs, info)
    p = np.array(scored, np.float64)
    y = np.array(labels) + 1
    names = [0, 1, 2]
    said = p.argmax(axis=1)
    assert found["count"] == len(labels) > 500
    assert found["labels"] == {name: int((y == i).sum()) for i, name in enumerate(CLASSES)}
    p /= p.sum(axis=1, keepdims=True)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(y, p, labels=names), rel=1e-6)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, said))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(y, said, labels=names, average="macro", zero_division=0))
    assert found["brier"] == pytest.approx(((p - np.eye(3)[y]) ** 2).sum(axis=1).mean(), rel=1e-5)
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(y, p, labels=names, scale_by_half=False), rel=1e-5)
    expected = p @ np.array(info.expected_move_bps)
    correlation = pd.Series(expected).corr(pd.Series(moves), method="spearman")
    assert found["information_coefficient"] == pytest.approx(correlation, abs=1e-4)
    assert found["pearson"] == pytest.approx(stats.pearsonr(expected, moves).statistic, abs=1e-6)
    majority = np.full(len(y), np.bincount(y).argmax())
    shares = np.tile(np.bincount(y, minlength=3) / len(y), (len(y), 1))
    baseline = found["baseline"]
    assert baseline["accuracy"] == pytest.approx(metrics.accuracy_score(y, majority))
    assert baseline["macro_f1"] == pytest.approx(metrics.f1_score(y, majority, labels=names, average="macro", zero_division=0))
    assert baseline["log_loss"] == pytest.approx(metrics.log_loss(y, shares, labels=names))
    assert baseline["brier"] == pytest.approx(metrics.brier_score_loss(y, shares, labels=names, scale_by_half=False))


@settings(max_examples=80, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000), rows_first=st.booleans())
def test_the_scores_do_not_depend_on_how_the_session_is_cut_into_blocks(data, seed, rows_first) -> None:
    info = bundle(horizon=7)
    count = 300
    parts = [market(count, seed, invalid=0.02), market(count, seed + 1, instrument=1, invalid=0.02)]
    whole = PredictionQuality({"m": info})
    for i, (meta, outputs) in enumerate(parts):
        whole.predictions(answers(meta["number"], outputs, instrument=i))
        whole.rows(block(meta))
    pieces = PredictionQuality({"m": info})
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, count), max_size=8))), count]
    for a, b in itertools.pairwise(cuts):
        if a == b:
            continue
        both = np.concatenate([meta[a:b] for meta, _ in parts])
        calls = [lambda both=both: pieces.rows(block(both))]
        for i, (meta, outputs) in enumerate(parts):
            calls.append(lambda i=i, n=meta["number"][a:b], o=outputs[a:b]: pieces.predictions(answers(n, o, instrument=i)))
        for call in calls if rows_first else reversed(calls):
            call()
    one, other = final(whole)["m"]["7"], final(pieces)["m"]["7"]
    for name in ("count", "labels", "accuracy", "macro_f1", "unlabeled", "missed", "waiting"):
        assert one[name] == other[name], name
    for name in ("log_loss", "brier", "information_coefficient"):
        assert one[name] == pytest.approx(other[name]), name


def test_a_report_before_the_end_is_that_of_a_recent_block() -> None:
    quality = PredictionQuality({"m": bundle(horizon=3)})
    meta, outputs = market(60, 1)
    counts = []
    for first in range(0, 60, 20):
        quality.predictions(answers(meta["number"][first : first + 20], outputs[first : first + 20]))
        quality.rows(block(meta[first : first + 20]))
        counts.append(quality.report()["m"]["3"]["count"])
    assert counts == [0, 37, 57]
    assert final(quality)["m"]["3"]["count"] == 57


def test_no_label_crosses_an_invalid_row() -> None:
    info = bundle(horizon=3)
    meta, outputs = market(20, 1)
    meta["valid"][10] = 0
    quality = PredictionQuality({"m": info})
    quality.predictions(answers(meta["number"], outputs))
    quality.rows(block(meta))
    found = final(quality)["m"]["3"]
    # 17 rows have a horizon; rows 7, 8, 9 reach over row 10, and row 10 is itself invalid
    assert (found["count"], found["unlabeled"], found["waiting"], found["missed"]) == (13, 4, 3, 0)


def test_no_label_crosses_rows_that_were_lost() -> None:
    info = bundle(horizon=3)
    meta, outputs = market(30, 1)
    quality = PredictionQuality({"m": info})
    quality.predictions(answers(meta["number"][:10], outputs[:10]))
    quality.rows(block(meta[:10]))
    quality.predictions(answers(meta["number"][20:], outputs[20:]))
    quality.rows(block(meta[20:]))
    found = final(quality)["m"]["3"]
    assert (found["count"], found["missed"], found["waiting"]) == (7 + 7, 3, 3)
    inside = PredictionQuality({"m": info})
    inside.predictions(answers(meta["number"], outputs))
    inside.rows(block(np.concatenate([meta[:10], meta[20:]])))
    assert final(inside)["m"]["3"]["count"] == 7


def test_memory_stays_bounded_over_a_long_session() -> None:
    info = bundle(horizon=50)
    quality = PredictionQuality({"m": info})
    meta, outputs = market(1000, 5)
    for k in range(200):
        numbered = meta.copy()
        numbered["number"] += 1000 * k
        quality.predictions(answers(numbered["number"], outputs))
        quality.rows(block(numbered))
        assert len(quality._rows[0].mids) < 10_500
    found = final(quality)["m"]["50"]
    assert found["count"] == 200_000 - 50
    assert found["information_coefficient"] is not None


def test_a_prediction_that_comes_long_after_its_row_is_counted_as_missed() -> None:
    quality = PredictionQuality({"m": bundle(horizon=5)})
    meta, outputs = market(30_000, 5)
    for first in range(0, 30_000, 1000):
        quality.rows(block(meta[first : first + 1000]))
    quality.predictions(answers(meta["number"][:10], outputs[:10]))
    quality.predictions(answers(meta["number"][-100:-50], outputs[-100:-50]))
    found = final(quality)["m"]["5"]
    assert (found["missed"], found["count"]) == (10, 50)


def test_a_model_without_a_single_label_reports_none() -> None:
    quality = PredictionQuality({"m": bundle()})
    found = final(quality)["m"]["5"]
    assert found["count"] == 0
    assert found["log_loss"] is None
    assert found["baseline"]["macro_f1"] is None


def test_models_that_do_not_predict_a_direction_are_not_scored() -> None:
    quality = PredictionQuality({"m": bundle(classes=("cat", "dog"))})
    meta, outputs = market(100, 1)
    quality.rows(block(meta))
    quality.predictions(answers(meta["number"], outputs[:, :2]))
    assert final(quality) == {}


def test_a_model_of_two_classes_is_not_scored_on_flat_rows() -> None:
    scores = Scores(("up", "down"), (1.0, -1.0))
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], np.float32)
    scores.add(p, np.array([1, -1, 0], np.int8), np.array([2.0, -3.0, 0.0]))
    found = scores.report()
    assert (found["count"], found["accuracy"]) == (2, 1.0)
    assert found["labels"] == {"up": 1, "down": 1}
    assert found["information_coefficient"] == pytest.approx(1.0)


def test_certainty_that_is_wrong_costs_a_bounded_log_loss() -> None:
    scores = Scores(CLASSES, (-1.0, 0.0, 1.0))
    scores.add(np.array([[1.0, 0.0, 0.0]], np.float32), np.array([1], np.int8), np.array([2.0]))
    found = scores.report()
    assert found["log_loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps))
    assert found["brier"] == pytest.approx(2.0)
    assert found["information_coefficient"] is None


def test_the_direction_of_exactly_the_threshold_is_flat() -> None:
    assert direction(np.array([-0.6, -0.5, 0.0, 0.5, 0.6]), 0.5).tolist() == [-1, 0, 0, 0, 1]
    assert move_bps(np.array([100.0, 200.0]), np.array([101.0, 199.0])) == pytest.approx([100.0, -50.0])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=60))
def test_rank_correlation_is_pandas_with_ties(pairs) -> None:
    x, y = np.array(pairs, np.float64).T
    found = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(pd.Series(x).corr(pd.Series(y), method="spearman"), abs=1e-12)


def test_the_rank_correlation_of_a_long_session_is_that_of_a_uniform_sample() -> None:
    rng = np.random.default_rng(2)
    n = 300_000
    moves = rng.normal(size=n) * np.linspace(0.1, 5, n)  # later pairs differ: a biased sample would show
    p_up = 1 / (1 + np.exp(-(moves + 2 * rng.normal(size=n))))
    p = np.column_stack([1 - p_up, np.zeros(n), p_up]).astype(np.float32)
    scores = Scores(CLASSES, (-1.0, 0.0, 1.0))
    for part in np.array_split(np.arange(n), 61):
        scores.add(p[part], direction(moves[part], 0.5), moves[part])
    exact = pd.Series(p_up).corr(pd.Series(moves), method="spearman")
    assert scores.report()["information_coefficient"] == pytest.approx(exact, abs=0.01)
    assert len(scores._sample.rows) == 65_536


def test_a_class_that_never_occurs_counts_zero_in_macro_f1() -> None:
    assert macro_f1(np.array([[5, 0, 0], [0, 5, 0], [0, 0, 0]])) == pytest.approx(2 / 3)
