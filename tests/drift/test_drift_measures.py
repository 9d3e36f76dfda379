"""PSI and KS of a sliding window: against a plain histogram, scipy, and themselves however the rows are cut into blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from drift_cases import COLUMNS, block, bundle, draw, monitor, rule
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vtframe.inference.drift import training_columns
from vtframe.inference.drift.reference import count_bins
from vtframe.inference.drift.window import BinWindow


def plain_psi(training: np.ndarray, window: np.ndarray, edges: np.ndarray) -> float:
    """As one would explain it: two histograms with right-closed bins, empty bins at 1e-4."""
    borders = [-np.inf, *edges, np.inf]
    total = 0.0
    for low, high in itertools.pairwise(borders):
        t = max(np.mean((training > low) & (training <= high)), 1e-4)
        w = max(np.mean((window > low) & (window <= high)), 1e-4)
        total += (w - t) * np.log(w / t)
    return total


def windows_of(training: np.ndarray, rows: np.ndarray, size: int) -> BinWindow:
    described = training_columns(training, COLUMNS)
    window = BinWindow([described[name] for name in COLUMNS], size)
    bins = np.column_stack([count_bins(described[name], rows[:, k]) for k, name in enumerate(COLUMNS)])
    for part in np.array_split(bins, 7):
        window.add(part)
    return window


@pytest.mark.parametrize("shift", [0.0, 0.4, 3.0])
def test_psi_is_that_of_two_plain_histograms(shift: float) -> None:
    training, rows = draw(30_000, 1), draw(9_000, 2) + np.float32(shift)
    found = windows_of(training, rows, 3_000).psi()
    described = training_columns(training, COLUMNS)
    for k, name in enumerate(COLUMNS):
        edges = np.array(described[name].edges, np.float32)
        assert found[k] == pytest.approx(plain_psi(training[:, k], rows[-3_000:, k], edges), rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("shift", [0.0, 0.4, 3.0])
def test_ks_is_scipys_to_within_the_largest_bin(shift: float) -> None:
    training, rows = draw(30_000, 3), draw(9_000, 4) + np.float32(shift)
    found = windows_of(training, rows, 3_000).ks()
    described = training_columns(training, COLUMNS)
    for k, name in enumerate(COLUMNS):
        exact = stats.ks_2samp(training[:, k], rows[-3_000:, k]).statistic
        assert exact - max(described[name].shares) - 1e-6 <= found[k] <= exact + 1e-6, name
        at_edges = max(
            abs(np.mean(training[:, k] <= np.float32(e)) - np.mean(rows[-3_000:, k] <= np.float32(e)))
            for e in described[name].edges
        )
        assert found[k] == pytest.approx(at_edges, abs=1e-6)


def test_training_columns_have_bins_of_equal_share_and_outer_bins_that_training_never_saw() -> None:
    values = draw(10_000, 5)
    described = training_columns(values, COLUMNS)
    for k, name in enumerate(COLUMNS):
        column = described[name]
        assert column.rows == 10_000
        assert len(column.shares) == len(column.edges) + 1
        assert column.shares[0] == column.shares[-1] == 0.0
        assert sum(column.shares) == pytest.approx(1, abs=1e-7)
        counts = np.bincount(count_bins(column, values[:, k]), minlength=len(column.shares))
        np.testing.assert_allclose(counts / 10_000, column.shares, atol=1e-8)
    assert max(described["calm"].shares) <= 0.0502
    assert [round(share, 1) for share in described["tied"].shares] == [0.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.0]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60))
def test_edges_survive_their_text_and_every_training_row_lies_in_its_bin(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32)[:, None]
    column = training_columns(values, ("x",))["x"]
    assert [float(str(np.float32(edge))) for edge in column.edges] == list(column.edges)
    counts = np.bincount(count_bins(column, values[:, 0]), minlength=len(column.shares))
    np.testing.assert_allclose(counts / len(values), column.shares, atol=1e-8)


def test_a_constant_column_tells_less_from_equal_from_more() -> None:
    column = training_columns(np.full((100, 1), 3.0, np.float32), ("x",))["x"]
    assert count_bins(column, np.array([2.9, 3.0, 3.1], np.float32)).tolist() == [0, 1, 2]
    assert column.shares == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (np.zeros((0, 1), np.float32), "shape"),
        (np.zeros((5, 2), np.float32), "shape"),
        (np.array([[1.0], [np.nan]], np.float32), "not finite"),
        (np.array([[1.0], [np.inf]], np.float32), "not finite"),
    ],
)
def test_training_rows_that_say_nothing_are_refused(values: np.ndarray, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        training_columns(values, ("x",))


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 4_000), max_size=9), seed=st.integers(0, 50), measure=st.sampled_from(["psi", "ks", "adwin"])
)
def test_verdicts_and_values_do_not_depend_on_blocks(cuts: list[int], seed: int, measure: str) -> None:
    info = bundle(draw(5_000, 99))
    rows = draw(4_000, seed)
    rows[1_500:, 1] += 2
    valid = np.random.default_rng(seed).random(4_000) > 0.05
    watched = [rule(measure=measure, window=500, every=20, warn=0.05, shrink=0.2)]
    whole, verdicts = monitor(watched, info)
    whole.rows(block(rows, valid=valid))
    pieces, again = monitor(watched, info)
    for first, last in itertools.pairwise(sorted({0, 4_000, *cuts})):
        pieces.rows(block(rows[first:last], first=first, valid=valid[first:last]))
    whole.close()
    pieces.close()
    assert verdicts
    assert again == verdicts
    assert pieces.report() == whole.report()


def test_rows_that_are_not_valid_are_not_looked_at() -> None:
    info = bundle(draw(5_000, 1))
    rows = draw(6_000, 2)
    wild = np.zeros(6_000, bool)
    wild[::2] = True
    rows[wild] = np.nan
    watched, verdicts = monitor([rule(window=1_000, warn=0.2)], info)
    watched.rows(block(rows, valid=~wild))
    assert watched._inputs[0, 0].judged == 21
    assert verdicts == []


def test_instruments_have_windows_of_their_own() -> None:
    info = bundle(draw(5_000, 1))
    watched, verdicts = monitor([rule(window=1_000, warn=0.2)], info)
    other = draw(3_000, 3)
    other[:, 0] += 2
    watched.rows(block(draw(3_000, 2), instrument=0))
    watched.rows(block(other, instrument=1))
    assert {(verdict.instrument, verdict.instrument_id, verdict.subject) for verdict in verdicts} == {(1, "B@x", "calm")}
    watched.close()
    answers = {name: found["answer"] for name, found in watched.report()["rules"][0]["instruments"].items()}
    assert answers == {"A@x": "none", "B@x": "warn"}


def test_memory_stays_flat_over_a_long_session() -> None:
    info = bundle(draw(5_000, 1))
    watched, _ = monitor([rule(measure=measure, number=k) for k, measure in enumerate(("psi", "ks", "adwin"))], info)
    rows = draw(10_000, 2)
    sizes = []
    for turn in range(40):
        watched.rows(block(rows, first=turn * 10_000))
        window = watched._inputs[0, 0]._window
        sizes.append((window._ring.nbytes, window._counts.nbytes, len(watched._newest), len(watched._inputs[2, 0]._gathered)))
        assert window._counts.sum() == 2_000 * len(COLUMNS)
    assert len(set(sizes)) == 1
