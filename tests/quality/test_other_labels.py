"""Labels other than the direction over rows: over time, beyond the spread, the move itself; and regimes that cannot be told."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from scipy import stats
from test_quality import CLASSES, answers, block, bundle, final, market

from vtframe.api import Head, Label
from vtframe.dataset.labels import LabelRule, label_path, path_of
from vtframe.inference.quality import PredictionQuality
from vtframe.inference.regimes import Regimes
from vtframe.inference.value_scores import ValueScores


def labeled(label: Label, **more: Any) -> Any:
    return msgspec.structs.replace(bundle(), label=label, **more)


def timed(count: int, seed: int, *, invalid: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """A market whose rows come at uneven times, with quantities on both sides."""
    meta, outputs = market(count, seed, invalid=invalid)
    meta["ts_recv"] = np.cumsum(np.random.default_rng(seed).integers(1, 40, count)) * 1_000_000
    meta["bid_quantity"] = meta["ask_quantity"] = 1
    return meta, outputs


@pytest.mark.parametrize(
    ("label", "rule"),
    [
        (
            Label(kind="mid_direction", horizon_rows=0, horizon_ms=300, threshold_bps=0.5),
            LabelRule(kind="mid_direction", horizon_ms=300, threshold_bps=0.5),
        ),
        (
            Label(kind="spread_direction", horizon_rows=7, threshold_bps=0.2),
            LabelRule(kind="spread_direction", horizon_rows=7, threshold_bps=0.2),
        ),
        (
            Label(kind="spread_direction", horizon_rows=0, horizon_ms=120),
            LabelRule(kind="spread_direction", horizon_ms=120),
        ),
    ],
    ids=["time", "spread", "spread-time"],
)
@pytest.mark.parametrize("cuts", [1, 23])
def test_labels_are_those_that_data_sets_have(label: Label, rule: LabelRule, cuts: int) -> None:
    meta, outputs = timed(4_000, 4)
    quality = PredictionQuality({"m": labeled(label)})
    for part in np.array_split(np.arange(4_000), cuts):
        quality.predictions(answers(meta["number"][part], outputs[part]))
        quality.rows(block(meta[part]))
    horizon = "300 ms" if label.horizon_ms == 300 else "120 ms" if label.horizon_ms == 120 else "7"
    found = final(quality)["m"][horizon]
    known = label_path(rule, path_of(meta), ended=False)
    signs = known.label[known.there]
    assert found["count"] == len(signs) > 2_000
    assert found["labels"] == {name: int((signs == sign).sum()) for name, sign in zip(CLASSES, (-1, 0, 1), strict=True)}
    said = outputs[: known.decided][known.there].argmax(axis=1) - 1
    assert found["accuracy"] == pytest.approx((said == signs).mean())
    assert found["waiting"] == 4_000 - known.decided


@pytest.mark.parametrize("kind", ["mid_direction", "mid_move"])
def test_of_several_heads_the_one_that_the_label_speaks_of_is_scored_as_if_it_were_alone(kind: Any) -> None:
    meta, outputs = timed(2_000, 5)
    values = np.random.default_rng(1).normal(size=(2_000, 2)).astype(np.float32)
    heads = (
        Head(name="level", kind="regression", outputs=("low", "high")),
        Head(name="side", outputs=CLASSES),
        Head(name="move", kind="regression", outputs=("move_bps",)),
    )
    label = Label(kind=kind, horizon_rows=5, threshold_bps=0.5 if kind == "mid_direction" else 0.0)
    moves = (9.0, 9.0, -1.5, 0.0, 1.5, 0.7)
    names = ("low", "high", *CLASSES, "move_bps")
    several = labeled(label, classes=names, heads=heads, expected_move_bps=moves, metrics={"accuracy": 0.4, "mae": 2.0})
    place = slice(2, 5) if kind == "mid_direction" else slice(5, 6)
    alone = msgspec.structs.replace(several, classes=names[place], heads=(), expected_move_bps=moves[place])
    everything = np.hstack([values, outputs, values[:, :1]])
    found = []
    for info, given in ((several, everything), (alone, everything[:, place])):
        quality = PredictionQuality({"m": info})
        quality.predictions(answers(meta["number"], np.ascontiguousarray(given)))
        quality.rows(block(meta))
        found.append(final(quality)["m"]["5"])
    assert found[0] == found[1]
    assert found[0]["count"] > 1_000
    assert found[0]["out_of_sample"] == ({"accuracy": 0.4} if kind == "mid_direction" else {"mae": 2.0})


def test_a_model_of_moves_has_errors_beside_those_of_answering_zero() -> None:
    meta, _ = timed(3_000, 6)
    mids = (meta["bid"] + meta["ask"]) / 2
    moves = (mids[5:] / mids[:-5] - 1) * 1e4
    values = np.zeros((3_000, 1), np.float32)
    values[:-5, 0] = 0.6 * moves + np.random.default_rng(1).normal(size=len(moves))
    info = labeled(Label(kind="mid_move", horizon_rows=5), classes=("move",), expected_move_bps=(0.9,), metrics={"rmse": 1.5})
    quality = PredictionQuality({"m": info})
    quality.predictions(answers(meta["number"], values))
    quality.rows(block(meta))
    found = final(quality)["m"]["5"]
    valid = meta["valid"] != 0
    clean = np.array([valid[i : i + 6].all() for i in range(len(moves))])
    said, real = values[:-5, 0][clean].astype(float), moves[clean]
    assert found["count"] == clean.sum()
    assert found["mae"] == pytest.approx(np.abs(said - real).mean())
    assert found["rmse"] == pytest.approx(np.sqrt(((said - real) ** 2).mean()))
    assert found["baseline"] == {
        "mae": pytest.approx(np.abs(real).mean()),
        "rmse": pytest.approx(np.sqrt((real**2).mean())),
    }
    assert found["information_coefficient"] == pytest.approx(stats.spearmanr(said, real).statistic, abs=1e-4)
    assert found["pearson"] == pytest.approx(stats.pearsonr(said, real).statistic)
    assert found["out_of_sample"] == {"rmse": 1.5}


def test_values_without_a_single_move_report_none() -> None:
    assert ValueScores(1.0).report() == {
        "count": 0,
        "mae": None,
        "rmse": None,
        "information_coefficient": None,
        "pearson": None,
        "baseline": {"mae": None, "rmse": None},
    }


def test_a_triple_barrier_is_not_scored_as_something_else() -> None:
    meta, outputs = timed(500, 6)
    quality = PredictionQuality({"m": labeled(Label(kind="triple_barrier", horizon_rows=5))})
    quality.predictions(answers(meta["number"], outputs))
    quality.rows(block(meta))
    assert final(quality) == {}


def test_a_prediction_whose_past_is_broken_is_scored_and_in_no_regime_of_volatility() -> None:
    meta, outputs = market(60, 1)
    meta["valid"][20] = 0
    quality = PredictionQuality({"m": bundle(horizon=4)})
    quality.predictions(answers(meta["number"], outputs))
    quality.rows(block(meta))
    found = final(quality)["m"]["4"]
    assert found["count"] == 56 - 5
    regimes = found["regimes"]
    assert sum(part["count"] for part in regimes["spread"].values()) == found["count"]
    # the first four rows have no past, and rows 21 to 24 look back over row 20
    assert sum(part["count"] for part in regimes["volatility"].values()) == found["count"] - 4 - 4


def test_rows_of_one_spread_are_one_regime() -> None:
    regimes = Regimes(CLASSES, (-1.0, 0.0, 1.0))
    p = np.full((90, 3), 1 / 3, np.float32)
    spreads = np.where(np.arange(90) < 80, 0.5, 5.0)
    regimes.add(p, np.ones(90, np.int8), np.ones(90), volatilities=np.zeros(90), spreads=spreads)
    counts = {kind: [part["count"] for part in found.values()] for kind, found in regimes.report().items()}
    assert counts == {"volatility": [0, 90, 0], "spread": [0, 80, 10]}
