"""The quality of a whole recorded session, against scikit-learn and scipy over the files that it left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics

from vtframe.assemble.session import Wishes, assemble
from vtframe.inference.bundle import load_bundle

CLASSES = ["down", "flat", "up"]
MODEL = "btcusdt_direction"


@pytest.fixture(scope="module")
def session(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], pd.DataFrame]:
    """The scores that the session reported, and its scored rows with what each was predicted and what happened."""
    folder = tmp_path_factory.mktemp("quality") / "session"
    wishes = Wishes(recordings=(data / "binance" / "usdm_btcusdt_20240808.gz",), folder=folder, deterministic=True)
    report = assemble(root / "btcusdt.toml", wishes).session.run().report
    rows = pd.read_parquet(folder / "rows").sort_values("number", ignore_index=True)
    answers = pd.read_parquet(folder / "predictions" / MODEL).sort_values("row", ignore_index=True)
    assert rows["number"].tolist() == answers["row"].tolist()
    horizon = load_bundle(root / "models" / MODEL).label.horizon_rows
    mid = (rows["bid"] + rows["ask"]) / 2
    table = answers[CLASSES].astype(float)
    table["move"] = (mid.shift(-horizon) / mid - 1) * 1e4
    table["y"] = np.sign(table["move"].fillna(0)).astype(int) + 1
    squares = ((mid / mid.shift(1) - 1) * 1e4) ** 2
    table["volatility"] = np.sqrt(squares.rolling(horizon).sum())
    table["spread"] = (rows["ask"] - rows["bid"]) / mid * 1e4
    valid = rows["valid"].astype(float)
    table.loc[valid.rolling(horizon + 1).min() != 1, "volatility"] = np.nan
    clean = valid[::-1].rolling(horizon + 1).min()[::-1] == 1
    answered = ~answers[CLASSES].isna().any(axis=1)
    return report["quality"][MODEL][str(horizon)], table[clean & answered].reset_index(drop=True)


def agree(found: dict[str, Any], table: pd.DataFrame, expected_move: tuple[float, ...]) -> None:
    p = table[CLASSES].to_numpy()
    p = p / p.sum(axis=1, keepdims=True)
    y, said = table["y"].to_numpy(), p.argmax(axis=1)
    assert found["count"] == len(y)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(y, p, labels=[0, 1, 2]), rel=1e-5)
    assert found["brier"] == pytest.approx(((p - np.eye(3)[y]) ** 2).sum(axis=1).mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, said))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(y, said, labels=[0, 1, 2], average="macro", zero_division=0))
    edge = p @ np.array(expected_move)
    assert found["pearson"] == pytest.approx(stats.pearsonr(edge, table["move"]).statistic, abs=1e-5)
    assert found["information_coefficient"] == pytest.approx(stats.spearmanr(edge, table["move"]).statistic, abs=1e-4)
    majority = np.full(len(y), np.bincount(y).argmax())
    assert found["baseline"]["accuracy"] == pytest.approx(metrics.accuracy_score(y, majority))
    shares = np.tile(np.bincount(y, minlength=3) / len(y), (len(y), 1))
    assert found["baseline"]["log_loss"] == pytest.approx(metrics.log_loss(y, shares, labels=[0, 1, 2]))


def test_all_predictions_have_the_scores_of_scikit_learn_and_scipy(session, root: Path) -> None:
    found, table = session
    assert len(table) > 6_000
    agree(found, table, load_bundle(root / "models" / MODEL).expected_move_bps)


def test_the_scores_stand_beside_those_that_the_bundle_states(session, root: Path) -> None:
    found, _ = session
    stated = load_bundle(root / "models" / MODEL).metrics
    assert found["out_of_sample"] == {name: stated[name] for name in ("accuracy", "macro_f1", "log_loss")}


@pytest.mark.parametrize("kind", ["volatility", "spread"])
def test_each_regime_has_the_scores_of_its_rows_alone(session, root: Path, kind: str) -> None:
    found, table = session
    regimes = found["regimes"][kind]
    known = table[table[kind].notna()]
    assert sum(regime["count"] for regime in regimes.values()) == len(known) > 6_000
    low = -np.inf
    for name in ("low", "medium", "high"):
        if not regimes[name]["count"]:
            continue
        high = regimes[name]["up_to_bps"]
        last = name == "high"
        part = known[(known[kind] >= low) & (known[kind] < (np.inf if last else high))]
        agree(regimes[name], part, load_bundle(root / "models" / MODEL).expected_move_bps)
        low = high


def test_regimes_of_volatility_are_terciles_and_the_model_is_not_equally_right_in_all(session) -> None:
    found, table = session
    regimes = found["regimes"]["volatility"]
    known = table["volatility"].dropna()
    calm = int((known < 1e-9).sum())  # the mid did not move at all: one bucket, more than a third of the rows
    assert regimes["low"]["count"] == calm > len(known) / 3
    assert regimes["medium"]["up_to_bps"] == pytest.approx(known.quantile(2 / 3), rel=0.1)
    accuracies = [regime["accuracy"] for regime in regimes.values()]
    assert max(accuracies) - min(accuracies) > 0.02
