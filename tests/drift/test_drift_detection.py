"""A planted shift is found, in its column and soon; without one there is silence, at the level that the thresholds promise."""

from __future__ import annotations

import numpy as np
import pytest
from drift_cases import COLUMNS, block, bundle, draw, monitor, rule

from vtframe.domain import Answer

SHIFTS = {"calm": 0.6, "skewed": 0.4, "tied": 1.0, "wide": 9_000.0}
SEEDS = range(20)
TRAINING = draw(50_000, 999)
WINDOW = 2_000


def quiet_ks(alarms: float, judgements: int) -> float:
    """The threshold that independent rows pass with probability ``alarms`` at most, in so many judgements of four columns."""
    return float(np.sqrt(np.log(2 * judgements * len(COLUMNS) / alarms) / (2 * WINDOW)))


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(("measure", "threshold", "within"), [("psi", 0.1, 1_500), ("ks", 0.09, 1_200), ("adwin", 0.05, 1_800)])
def test_a_shift_of_one_column_is_found_within_rows_and_in_no_other(column, measure, threshold, within) -> None:
    rows = draw(12_000, 5)
    place = COLUMNS.index(column)
    rows[6_000:, place] += SHIFTS[column]
    every = 25 if measure == "adwin" else 100  # ADWIN wants some fifty means before it is sure
    watched, verdicts = monitor([rule(measure=measure, window=WINDOW, every=every, warn=threshold)], bundle(TRAINING))
    watched.rows(block(rows))
    assert [verdict.answer for verdict in verdicts] == [Answer.WARN]
    assert verdicts[0].subject == column
    assert 6_000 < verdicts[0].row <= 6_000 + within
    assert verdicts[0].input == verdicts[0].row * 10
    watched.close()
    most = watched.report()["rules"][0]["instruments"]["A@x"]["most"]
    assert [name for name, value in most.items() if value >= threshold] == [column]


@pytest.mark.parametrize("measure", ["psi", "ks", "adwin"])
def test_twenty_seeds_without_a_shift_give_no_alarm(measure: str) -> None:
    """ks at the threshold that lets 5% of these 20 sessions alarm by chance, together; psi at 0.1; ADWIN at its delta."""
    judgements = (10_000 - WINDOW) // 100 + 1
    threshold = {"psi": 0.1, "ks": quiet_ks(0.05 / len(SEEDS), judgements), "adwin": 0.02}[measure]
    told = []
    for seed in SEEDS:
        watched, verdicts = monitor([rule(measure=measure, window=WINDOW, warn=threshold, delta=0.002)], bundle(TRAINING))
        watched.rows(block(draw(10_000, seed)))
        assert watched._inputs[0, 0].judged >= judgements
        told += verdicts
    assert told == []


def test_a_threshold_for_fewer_rows_than_the_window_has_does_alarm() -> None:
    """The test above can fail: at half its threshold there are alarms."""
    threshold = quiet_ks(0.05 / len(SEEDS), (10_000 - WINDOW) // 100 + 1) / 2
    told = []
    for seed in SEEDS:
        watched, verdicts = monitor([rule(measure="ks", window=WINDOW, warn=threshold)], bundle(TRAINING))
        watched.rows(block(draw(10_000, seed)))
        told += verdicts
    assert len(told) > 3


def test_the_answer_becomes_stricter_at_once_and_milder_after_a_calm_window() -> None:
    rows = draw(20_000, 8)
    rows[4_000:8_000, 0] += 3.0
    watched, verdicts = monitor([rule(window=1_000, warn=0.2, shrink=0.6, reduce_only=2.0)], bundle(TRAINING))
    watched.rows(block(rows))
    answers = [verdict.answer for verdict in verdicts]
    assert answers[: answers.index(Answer.REDUCE_ONLY) + 1] == sorted(set(answers) - {Answer.NONE})
    assert answers[-1] is Answer.NONE
    strict = next(verdict for verdict in verdicts if verdict.answer is Answer.REDUCE_ONLY)
    assert 4_000 < strict.row < 5_000
    milder = verdicts[answers.index(Answer.REDUCE_ONLY) + 1]
    assert milder.answer < Answer.REDUCE_ONLY
    assert milder.threshold == 2.0
    assert milder.row >= 9_000, "the shifted rows leave the window at 9,000 only, and calm is to last for a window"


def test_a_shift_beyond_every_threshold_is_one_verdict_of_the_strictest() -> None:
    rows = draw(4_000, 8)
    rows[:, 3] += 1e6
    rules = [rule(window=1_000, warn=0.2, shrink=0.6, factor=0.25), rule(1, window=1_000, warn=0.2, shrink=0.3, halt=1.0)]
    watched, verdicts = monitor(rules, bundle(TRAINING))
    watched.rows(block(rows))
    assert [(v.rule, v.answer, v.factor) for v in verdicts] == [(0, Answer.SHRINK, 0.25), (1, Answer.HALT, 1.0)]
    assert verdicts[0].row == 999, "the first full window"
    watched.rows(block(draw(9_000, 8), first=4_000))
    assert {v.rule for v in verdicts[2:]} == {0}, "a halt stays"


def test_a_session_that_starts_again_knows_nothing_and_finds_the_same() -> None:
    rows = draw(4_000, 8)
    rows[2_500:, 1] += 3
    found = []
    for _ in range(2):
        watched, verdicts = monitor([rule(window=1_000, warn=0.2, reduce_only=0.5)], bundle(TRAINING))
        watched.rows(block(rows))
        found.append(verdicts)
    assert found[0] == found[1]
    assert found[0][0].row > 2_500


def test_only_the_columns_that_a_rule_names_are_watched() -> None:
    rows = draw(5_000, 8)
    rows[:, 0] += 3
    watched, verdicts = monitor([rule(window=1_000, columns=("wide", "tied"), warn=0.2)], bundle(TRAINING))
    watched.rows(block(rows))
    assert verdicts == []
    watched.close()
    assert set(watched.report()["rules"][0]["instruments"]["A@x"]["now"]) == {"wide", "tied"}


def test_columns_are_found_by_name_where_rows_hold_more_in_another_order() -> None:
    rows = draw(5_000, 8)
    rows[2_000:, 0] += 3
    order = ("other", "wide", "calm", "skewed", "tied")
    wider = np.column_stack([np.full(5_000, 7.0), rows[:, [3, 0, 1, 2]]]).astype(np.float32)
    watched, verdicts = monitor([rule(window=1_000, warn=0.2)], bundle(TRAINING), columns=order)
    watched.rows(block(wider))
    assert {verdict.subject for verdict in verdicts} == {"calm"}


def test_rows_that_resemble_their_neighbors_give_adwin_no_alarm_over_blocks_longer_than_their_memory() -> None:
    """An AR(1) of 20 rows' memory: means of 400 rows know nothing of each other, and ADWIN keeps its promise for them."""
    told = []
    for seed in SEEDS:
        noise = np.random.default_rng(seed).normal(size=60_000) * np.sqrt(1 - 0.95**2)
        values = np.empty(60_000)
        level = 0.0
        for at, step in enumerate(noise.tolist()):
            level = 0.95 * level + step
            values[at] = level
        info = bundle(np.random.default_rng(7).normal(size=(20_000, 1)).astype(np.float32), columns=("x",))
        watched, verdicts = monitor([rule(measure="adwin", window=4_000, every=400, warn=1e-6)], info, columns=("x",))
        watched.rows(block(values.astype(np.float32)[:, None]))
        assert watched._inputs[0, 0].judged == 150
        told += verdicts
    assert told == []
