"""What a person is shown of quality and drift."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from vtframe.cli.quality_table import drift_table, quality_tables
from vtframe.inference.regimes import Regimes
from vtframe.inference.scores import Scores
from vtframe.inference.value_scores import ValueScores


def shown(*tables: Any) -> str:
    console = Console(file=io.StringIO(), width=110)
    for table in tables:
        console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_classes_stand_beside_the_majority_and_what_the_bundle_says_by_regime(small_market) -> None:
    outputs, labels, moves, spreads = small_market
    scores, regimes = Scores(("down", "flat", "up"), (-1.0, 0.0, 1.0)), Regimes(("down", "flat", "up"), (-1.0, 0.0, 1.0))
    scores.add(outputs, labels, moves)
    regimes.add(outputs, labels, moves, volatilities=spreads * 0 + 3.0, spreads=spreads)
    found = scores.report() | {"out_of_sample": {"accuracy": 0.789}, "regimes": regimes.report()}
    lines = shown(*quality_tables({"m": {"200": found}})).splitlines()
    assert lines[2].split()[:4] == ["m,", "200", "rows", "900"]
    assert lines[3].split()[:2] == ["majority", "class"]
    assert lines[4].split()[-3:] == ["0.789", "-", "-"]
    assert [" ".join(line.split()[:3]) for line in lines[5:] if line.strip()] == [
        "low spread 300",
        "medium spread 300",
        "high spread 300",
    ], "one volatility for all is no regime worth a line"


def test_versions_of_a_swapped_model_stand_each_beside_what_their_own_bundle_says(small_market) -> None:
    outputs, labels, moves, _ = small_market
    parts = [Scores(("down", "flat", "up"), (-1.0, 0.0, 1.0)) for _ in range(3)]
    for scores, part in zip(parts, (slice(None), slice(0, 300), slice(300, None)), strict=True):
        scores.add(outputs[part], labels[part], moves[part])
    everything, one, two = (scores.report() for scores in parts)
    versions = {
        "1" * 64: one | {"out_of_sample": {"accuracy": 0.111}},
        "2" * 64: two | {"out_of_sample": {"accuracy": 0.222}},
    }
    found = everything | {"out_of_sample": {"accuracy": 0.222}, "versions": versions}
    lines = [line.split() for line in shown(*quality_tables({"m": {"200": found}})).splitlines()[2:] if line.strip()]
    assert lines[0][3] == "900"
    assert [line[:3] for line in lines[2:]] == [
        ["version", "1" * 12, "300"],
        ["out", "of", "sample,"],
        ["version", "2" * 12, "600"],
        ["out", "of", "sample,"],
    ]
    assert [line[-3] for line in lines[3::2]] == ["0.111", "0.222"]


def test_moves_have_a_table_of_their_own_and_time_horizons_their_unit(small_market) -> None:
    _, _, moves, _ = small_market
    scores = ValueScores(1.0)
    scores.add(moves * 0.5, moves)
    text = shown(*quality_tables({"v": {"500 ms": scores.report() | {"out_of_sample": {}}}}))
    assert "Predicted moves, bps" in text
    assert "v, 500 ms " in text
    assert "always 0" in text
    assert "accuracy" not in text


def test_drift_shows_the_worst_columns_first() -> None:
    columns = {"a": 0.1, "b": 0.9, "c": 0.5, "d": 0.05, "e": 0.01}
    found = {"answer": "shrink", "judged": 12, "now": {name: value / 2 for name, value in columns.items()}, "most": columns}
    rules = [
        {"model": "m", "watch": "inputs", "measure": "psi", "instruments": {"A@x": found}},
        {"model": "m", "watch": "scores", "measure": "log_loss", "instruments": {"A@x": found | {"now": 0.25, "most": 0.75}}},
        {"model": "m", "watch": "inputs", "measure": "ks", "instruments": {"A@x": found | {"now": None, "most": None}}},
    ]
    lines = [line.split() for line in shown(drift_table({"rules": rules})).splitlines()[2:] if line.strip()]
    assert lines[0] == ["psi", "of", "inputs,", "m,", "A@x", "12", "shrink"]
    assert [line[0] for line in lines[1:5]] == ["b", "c", "a", "d"]
    assert lines[1] == ["b", "0.450", "0.900"]
    assert lines[5] == ["log_loss", "of", "scores,", "m,", "A@x", "0.250", "0.750", "12", "shrink"]
    assert lines[6] == ["ks", "of", "inputs,", "m,", "A@x", "-", "-", "12", "shrink"]


def test_rules_that_judged_nothing_say_so() -> None:
    rules = [{"model": "m", "watch": "inputs", "measure": "psi", "instruments": {}}]
    assert "nothing was judged" in shown(drift_table({"rules": rules}))
