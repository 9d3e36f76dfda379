"""How much a window of rows that resemble each other knows: measured in training, and kept to by markets nobody trained on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from drift_cases import block, bundle, monitor, rule

from vtframe.api import BundleInfo, RowBlock, Sampling
from vtframe.assemble.check import examine
from vtframe.assemble.trial import warnings
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.inference.bundle import load_bundle
from vtframe.inference.drift import training_columns
from vtframe.inference.drift.reference import by_chance, memory_of


def autoregressive(count: int, share: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=count)
    values = np.empty(count)
    level = 0.0
    for at, step in enumerate(noise.tolist()):
        level = share * level + step
        values[at] = level
    return values


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.98])
def test_memory_is_the_integrated_autocorrelation_time(share: float) -> None:
    """Of an AR(1): (1 + share) / (1 - share)."""
    values = autoregressive(200_000, share, 3)
    assert memory_of(values) == pytest.approx((1 + share) / (1 - share), rel=0.25)
    assert memory_of(np.random.default_rng(1).permutation(values)) < 1.35


def test_a_constant_column_remembers_nothing() -> None:
    assert memory_of(np.ones(1_000)) == 1.0
    assert training_columns(np.ones((50, 1), np.float32), ("x",))["x"].memory == 1.0


@pytest.mark.parametrize("measure", ["psi", "ks"])
def test_a_window_of_alike_rows_reaches_what_is_expected_by_chance(measure: str) -> None:
    """psi a fourth of it on average, and seldom all of it; ks once in a hundred judgements at most."""
    training = autoregressive(300_000, 0.95, 1).astype(np.float32)[:, None]
    info = bundle(training, columns=("x",))
    expected = by_chance(info.training["x"], measure, 2_000)
    found = []
    for seed in range(8):
        watched, _ = monitor([rule(measure=measure, window=2_000, every=2_000, warn=0.99)], info, columns=("x",))
        values = autoregressive(60_000, 0.95, seed + 10).astype(np.float32)[:, None]
        for first in range(0, 60_000, 2_000):
            part = np.arange(first, first + 2_000)
            watched.rows(block(values[part], first=first))
            found.append(float(watched._inputs[0, 0].values[0]))
    if measure == "psi":
        assert np.mean(found) == pytest.approx(expected / 4, rel=0.3)
        assert np.mean(found) > 3 * 21 / 2_000, "independent rows would be at 21 over the window"
        assert np.mean(np.array(found) > expected) <= 0.02
    else:
        assert np.mean(np.array(found) > expected) <= 0.02
        assert max(found) > expected / 3


@pytest.fixture(scope="module")
def embedded(root: Path) -> tuple[BundleInfo, list[str], list[RowBlock]]:
    """The bundle of the embedded market, and rows of markets with seeds of their own."""
    sys.path.insert(0, str(root / "models"))
    try:
        from dataset import collect
        from features import configured_features
    finally:
        sys.path.remove(str(root / "models"))
    blocks = []
    for seed in range(300, 305):
        rows = collect(EmbeddedMarket(seed=seed, duration_s=1e6), configured_features(), sampling=Sampling(), limit=60_000)
        blocks.append(RowBlock(meta=rows.meta, values=rows.values))
    return load_bundle(root / "models" / "embedded_direction"), [name for one in rows.schema for name in one.columns], blocks


@pytest.mark.parametrize("measure", ["psi", "ks", "adwin"])
def test_markets_of_the_kind_that_was_trained_on_give_no_alarm(embedded, measure: str) -> None:
    info, columns, blocks = embedded
    worst = max(info.training.values(), key=lambda column: column.memory)
    threshold = 0.01 if measure == "adwin" else by_chance(worst, measure, 20_000)
    told = []
    for rows in blocks:
        watched, verdicts = monitor([rule(measure=measure, window=20_000, every=1_000, warn=threshold)], info, columns=columns)
        watched.rows(rows)
        assert watched._inputs[0, 0].judged > 35
        told += verdicts
    assert told == []


@pytest.mark.parametrize("column", ["micro_spread", "rolling_volatility", "order_flow_imbalance", "book_imbalance_5"])
def test_a_shift_planted_into_such_a_market_is_found_and_in_that_column_alone(embedded, column: str) -> None:
    info, columns, blocks = embedded
    values = blocks[0].values.copy()
    place = columns.index(column)
    low, high = np.quantile(values[:, place], [0.1, 0.9])
    values[30_000:, place] += (high - low) / 1.5
    watched_columns = tuple(name for name in columns if name != "trade_imbalance")
    threshold = max(by_chance(info.training[name], "ks", 20_000) for name in watched_columns)
    rules = [rule(measure="ks", window=20_000, every=500, warn=threshold, columns=watched_columns)]
    watched, verdicts = monitor(rules, info, columns=columns)
    watched.rows(RowBlock(meta=blocks[0].meta, values=values))
    assert {verdict.subject for verdict in verdicts} == {column}
    assert 30_000 < verdicts[0].row < 30_000 + 20_000


def test_a_rule_that_would_speak_by_chance_is_warned_of(root: Path, tmp_path: Path) -> None:
    text = (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/")
    path = tmp_path / "vtframe.toml"

    def told(rules: str) -> list[str]:
        path.write_text(text + rules)
        examined = examine(path)
        assert examined.faults == ()
        return warnings(examined, ())

    head = '\n[[drift]]\nmodel = "btcusdt_direction"\n'
    assert told(head + "window = 20_000\nwarn = 0.25\n") == []
    warned = told(head + "window = 500\nwarn = 0.25\n")[0]
    assert warned == (
        "drift rule 1: rows of rolling_volatility resemble those 32 rows before, so psi over 500 rows may reach 5.3 by chance: "
        "0.25 is too low, or the window too short"
    )
    assert told(head + 'columns = ["order_flow_imbalance"]\nwindow = 5_000\nmeasure = "ks"\nwarn = 0.12\n') == []
    assert "order_flow_imbalance" in told(head + 'columns = ["order_flow_imbalance"]\nmeasure = "ks"\nwarn = 0.05\n')[0]
    assert "ADWIN may tell changes" in told(head + 'measure = "adwin"\nwindow = 1_000\nevery = 50\nwarn = 0.1\n')[0]
    assert told(head + 'watch = "scores"\nmeasure = "log_loss"\nwindow = 100\nevery = 10\nwarn = 0.001\n') == []
