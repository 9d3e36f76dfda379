"""Drift of scores: a model that becomes worse is found, one that stays as it is or becomes better is not."""

from __future__ import annotations

import numpy as np
import pytest
from drift_cases import block, bundle, monitor, rule

from vtframe.api import PredictionBlock
from vtframe.domain import PREDICTION, Answer
from vtframe.inference.quality import PredictionQuality
from vtframe.inference.scored import Scored


def losses(count: int, seed: int, *, mean: float = 1.0, first: int = 0) -> Scored:
    """Log losses around a mean, and Brier scores that rise with them."""
    log_losses = np.random.default_rng(seed).gamma(4.0, mean / 4.0, count)
    rows = np.arange(first, first + count)
    return Scored(rows, rows * 10 + 50, log_losses, 2 * (1 - np.exp(-log_losses)))


def joined(*parts: Scored) -> Scored:
    return Scored(*(np.concatenate(arrays) for arrays in zip(*(part[:4] for part in parts), strict=True)))


@pytest.mark.parametrize("measure", ["log_loss", "adwin"])
def test_a_model_that_becomes_worse_is_found(measure: str) -> None:
    settings = {"watch": "scores", "measure": measure, "window": 1_000, "every": 25, "warn": 0.1, "reduce_only": 0.2}
    watched, verdicts = monitor([rule(**settings)], bundle(log_loss=1.0))
    watched.scored("m", 0, joined(losses(5_000, 1), losses(4_000, 2, mean=1.6, first=5_000)))
    assert [verdict.subject for verdict in verdicts] == ["scores"] * len(verdicts)
    strictest = verdicts[-1]
    assert strictest.answer is (Answer.REDUCE_ONLY if measure == "log_loss" else Answer.WARN)
    assert 5_000 < verdicts[0].row < 7_000
    assert verdicts[0].input == verdicts[0].row * 10 + 50


@pytest.mark.parametrize("measure", ["log_loss", "adwin"])
@pytest.mark.parametrize("later", [1.0, 0.5])
def test_a_model_that_stays_or_becomes_better_is_no_drift_on_twenty_seeds(measure: str, later: float) -> None:
    told = []
    for seed in range(20):
        settings = {"watch": "scores", "measure": measure, "window": 2_000, "every": 50, "warn": 0.06}
        watched, verdicts = monitor([rule(**settings)], bundle(log_loss=1.0))
        watched.scored("m", 0, joined(losses(5_000, seed), losses(5_000, seed + 100, mean=later, first=5_000)))
        assert watched._scores[0, 0].judged > 100
        told += verdicts
    assert told == []


def test_the_value_is_the_mean_of_the_window_less_what_the_bundle_states() -> None:
    watched, _ = monitor([rule(watch="scores", measure="log_loss", window=500, every=50, warn=9.0)], bundle(log_loss=0.7))
    scored = losses(2_030, 4)
    for part in np.array_split(np.arange(2_030), 13):
        watched.scored("m", 0, Scored(*(array[part] for array in scored[:4])))
    watched.close()
    found = watched.report()["rules"][0]["instruments"]["A@x"]
    assert found["judged"] == (2_000 - 500) // 50 + 1
    assert found["now"] == pytest.approx(scored.log_losses[1_500:2_000].mean() - 0.7)


def test_scores_reach_the_monitor_through_quality_row_by_row_however_blocks_fall() -> None:
    """From rows and predictions to verdicts: the model knows the move, then a shuffled one."""
    rng = np.random.default_rng(3)
    count = 6_000
    mids = 600_000 + np.cumsum(rng.integers(-60, 61, count)) * 2
    ahead = np.roll(mids, -5) / mids - 1
    ahead[3_000:] = rng.permutation(ahead[3_000:])
    logits = np.stack([-ahead, np.zeros(count), ahead], axis=1) * 3e4
    outputs = np.exp(np.clip(logits, -2, 2))
    outputs = (outputs / outputs.sum(axis=1, keepdims=True)).astype(np.float32)
    info = bundle(log_loss=0.6)
    found = []
    for cuts in (2, 37):
        watched, verdicts = monitor(
            [rule(watch="scores", measure="log_loss", window=1_000, every=50, warn=0.3, halt=3.0)], info, columns=()
        )
        quality = PredictionQuality({"m": info}, tell=watched.scored)
        for part in np.array_split(np.arange(count), cuts):
            meta = np.zeros(len(part), PREDICTION)
            meta["row"] = part
            quality.predictions(PredictionBlock(model="m", meta=meta, outputs=outputs[part]))
            rows = block(np.zeros((len(part), 0), np.float32), first=int(part[0]))
            rows.meta["bid"], rows.meta["ask"] = mids[part] - 1, mids[part] + 1
            quality.rows(rows)
        found.append(verdicts)
    assert found[0] == found[1]
    assert [verdict.answer for verdict in found[0]] == [Answer.WARN]
    assert found[0][0].row > 3_000
    assert found[0][0].input == (found[0][0].row + 5) * 10, "the input that reached the horizon"
