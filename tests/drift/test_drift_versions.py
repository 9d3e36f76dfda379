"""After a swap each version is held against its own bundle: training rows, figures out of sample, and a window of its own."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from drift_cases import COLUMNS, block, bundle, draw, monitor, rule
from scipy import stats

from vtframe.api import BundleInfo, PredictionBlock
from vtframe.domain import PREDICTION, Answer
from vtframe.inference.drift import training_columns
from vtframe.inference.quality import PredictionQuality
from vtframe.inference.scored import Scored


def version(info: BundleInfo, name: str, **changes: object) -> BundleInfo:
    return msgspec.structs.replace(info, hash=name, **changes)


def moved(count: int, seed: int) -> np.ndarray:
    return draw(count, seed) * 3 + 5


@pytest.mark.parametrize("cuts", [1, 7, 61])
@pytest.mark.parametrize("measure", ["psi", "ks"])
def test_rows_after_the_switch_are_held_against_the_new_version_s_training_rows(measure: str, cuts: int) -> None:
    first = bundle(draw(20_000, 1))
    second = version(first, "second", training=training_columns(moved(20_000, 2), COLUMNS))
    watched, verdicts = monitor([rule(measure=measure, window=1_000, every=100, reduce_only=0.5)], first)
    rows = np.concatenate([draw(3_000, 3), moved(6_000, 4)])
    switched = 5_000  # drifted for 2,000 rows by then
    for part in np.array_split(np.arange(len(rows)), cuts):
        if part[0] <= switched + 1:  # told before any of its rows is handed on, as the row log does
            told = watched._changes or watched._earlier
            if not told and part[-1] >= switched:
                watched.on_version("m", second, switched * 10 - 5)
        watched.rows(block(rows[part], first=int(part[0])))
    watched.close()
    assert [(one.answer, one.row) for one in verdicts] == [(Answer.REDUCE_ONLY, verdicts[0].row), (Answer.NONE, 5_999)]
    assert 3_000 < verdicts[0].row < 4_100
    found = watched.report()["rules"][0]["instruments"]["A@x"]
    assert found["version"] == "second"
    assert found["judged"] == (len(rows) - switched - 1_000) // 100 + 1
    assert max(found["most"].values()) < 0.5
    (earlier,) = found["earlier"]
    assert (earlier["version"], earlier["judged"]) == ("h", (switched - 1_000) // 100 + 1)
    assert max(earlier["most"].values()) > 0.5


def test_what_was_said_of_the_version_before_stands_until_the_new_one_s_window_is_full_and_may_become_stricter() -> None:
    first = bundle(draw(20_000, 1))
    other = version(first, "other", training=training_columns(draw(20_000, 2) - 50, COLUMNS))
    watched, verdicts = monitor([rule(measure="ks", window=1_000, every=100, warn=0.2, halt=0.99)], first)
    watched.rows(block(draw(2_000, 3) + np.float32(0.6)))
    assert [one.answer for one in verdicts] == [Answer.WARN]
    watched.on_version("m", other, 20_000)
    watched.rows(block(draw(999, 4), first=2_001))
    assert len(verdicts) == 1
    watched.rows(block(draw(1, 5), first=3_000))
    assert [one.answer for one in verdicts] == [Answer.WARN, Answer.HALT]
    watched.on_version("m", first, 30_005)
    watched.rows(block(draw(5_000, 6), first=3_001))
    assert len(verdicts) == 2, "a halt stays"


def test_a_version_that_reads_other_columns_has_those_watched_and_named_ones_stay() -> None:
    first = bundle(draw(5_000, 1))
    fewer = bundle(draw(5_000, 2)[:, :2], columns=COLUMNS[:2])
    second = version(fewer, "second")
    watched, _ = monitor([rule(window=500), rule(1, window=500, columns=("skewed",))], first)
    watched.rows(block(draw(600, 3)))
    watched.on_version("m", second, 6_000)
    watched.rows(block(draw(900, 4), first=601))
    watched.close()
    one, named = (found["instruments"]["A@x"] for found in watched.report()["rules"])
    assert list(one["now"]) == ["calm", "skewed"]
    assert list(one["earlier"][0]["now"]) == list(COLUMNS)
    assert list(named["now"]) == ["skewed"]


def test_a_swap_of_another_model_changes_nothing_for_this_one() -> None:
    rows = draw(3_000, 3)
    found = []
    for swapped in (False, True):
        watched, _ = monitor([rule(window=500)], bundle(draw(5_000, 1)))
        if swapped:
            watched._versions["other"] = {}
            watched.on_version("other", version(bundle(draw(5_000, 9)), "x"), 15_000)
        watched.rows(block(rows))
        watched.close()
        found.append(watched.report())
    assert found[0] == found[1]


def scored(rows: range, loss: float, digest: str) -> Scored:
    numbers = np.arange(rows.start, rows.stop)
    losses = np.full(len(numbers), loss)
    return Scored(numbers, numbers * 10, losses, losses / 2, digest)


def test_losses_are_held_against_the_figure_of_the_version_that_answered() -> None:
    first = bundle(log_loss=1.0)
    second = version(first, "second", metrics={"log_loss": 0.5})
    watched, verdicts = monitor(
        [rule(watch="scores", measure="log_loss", window=100, every=10, reduce_only=0.3)], first, columns=()
    )
    watched.scored("m", 0, scored(range(200), 1.5, "h"))
    assert [(one.answer, one.value) for one in verdicts] == [(Answer.REDUCE_ONLY, pytest.approx(0.5))]
    watched.on_version("m", second, 2_000)
    watched.scored("m", 0, scored(range(200, 299), 0.6, "second"))
    watched.scored("m", 0, scored(range(150, 190), 9.0, "h"))  # answered late, before the switch
    assert len(verdicts) == 1
    watched.scored("m", 0, scored(range(299, 400), 0.6, "second"))
    assert [one.answer for one in verdicts] == [Answer.REDUCE_ONLY, Answer.NONE]
    assert verdicts[1].value == pytest.approx(0.1)
    watched.on_version("m", first, 4_000)  # rolled back
    watched.scored("m", 0, scored(range(400, 500), 1.5, "h"))
    assert [one.answer for one in verdicts][2:] == [Answer.REDUCE_ONLY]
    watched.close()
    found = watched.report()["rules"][0]["instruments"]["A@x"]
    assert [one["version"] for one in found["earlier"]] == ["h", "second"]
    assert found["version"] == "h"


def test_quality_keeps_versions_apart_and_weighs_moves_as_the_one_that_answered_does() -> None:
    rng = np.random.default_rng(5)
    count, switched = 4_000, 1_700
    mids = 600_000 + np.cumsum(rng.integers(-60, 61, count)) * 2
    outputs = rng.dirichlet((1, 1, 1), count).astype(np.float32)
    first = bundle(log_loss=1.1)
    second = version(first, "second", metrics={"log_loss": 0.9, "accuracy": 0.5}, expected_move_bps=(4.0, 0.5, -2.0))

    def quality_of(part: np.ndarray, info: BundleInfo, *, swap: bool) -> dict[str, object]:
        found: list[str] = []
        quality = PredictionQuality({"m": info}, tell=lambda *told: found.append(told[2].version))
        for block_of in np.array_split(part, 9):
            if swap and block_of[-1] >= switched:
                quality.on_version("m", second, switched * 10 - 5)
            meta = np.zeros(len(block_of), PREDICTION)
            meta["row"] = block_of
            meta["version"] = (block_of >= switched) & swap
            versions = ("h", "second") if swap else ()
            quality.predictions(PredictionBlock(model="m", meta=meta, outputs=outputs[block_of], versions=versions))
            rows = block(np.zeros((len(block_of), 0), np.float32), first=int(block_of[0]))
            rows.meta["bid"], rows.meta["ask"] = mids[block_of] - 1, mids[block_of] + 1
            quality.rows(rows)
        quality.close()
        (scores,) = quality.report()["m"].values()
        assert set(found) == {info.hash, *({"second"} if swap else ())}
        return scores

    both = quality_of(np.arange(count), first, swap=True)
    versions = both["versions"]
    assert list(versions) == ["h", "second"]
    assert versions["h"]["out_of_sample"] == {"log_loss": 1.1}
    assert versions["second"]["out_of_sample"] == both["out_of_sample"] == {"log_loss": 0.9, "accuracy": 0.5}
    assert versions["h"]["count"] == switched
    assert versions["h"]["count"] + versions["second"]["count"] == both["count"] == count - 5
    alone = quality_of(np.arange(switched, count), second, swap=False)
    for key in ("count", "log_loss", "brier", "accuracy", "information_coefficient", "pearson"):
        assert versions["second"][key] == pytest.approx(alone[key], abs=1e-12), key
    plain = quality_of(np.arange(count), first, swap=False)
    assert both["log_loss"] == pytest.approx(plain["log_loss"])
    at = np.arange(count - 5)
    moves = (mids[at + 5] / mids[at] - 1) * 1e4
    edges = np.concatenate([outputs[:switched] @ first.expected_move_bps, outputs[switched:] @ second.expected_move_bps])[at]
    assert both["information_coefficient"] == pytest.approx(stats.spearmanr(edges, moves).statistic, abs=1e-4)
    assert both["information_coefficient"] != plain["information_coefficient"]
    assert "versions" not in plain
