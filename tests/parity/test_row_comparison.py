"""Rows matched by instrument and number, whatever the order and the blocks in which the two sides come."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vtframe.dataset.comparison import RowComparison
from vtframe.domain import ROW
from vtframe.features.pipeline import RowBatch

NAMES = ("x", "y", "z")


def rows_of(counts: tuple[int, ...], seed: int = 1) -> RowBatch:
    """So many rows of each instrument, inputs rising, some inputs shared as by a clock."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    meta = np.zeros(len(order), ROW)
    meta["instrument"] = order
    for instrument in range(len(counts)):
        meta["number"][order == instrument] = np.arange(counts[instrument])
    meta["input"] = np.arange(len(order)) // 3
    meta["bid"] = rng.integers(0, 100, len(order))
    values = rng.random((len(order), 2)).astype(np.float32)
    values[rng.random(len(order)) < 0.1] = np.nan
    return RowBatch(meta, values)


def blocks(rows: RowBatch, size: int) -> list[RowBatch]:
    return [RowBatch(rows.meta[k : k + size], rows.values[k : k + size]) for k in range(0, len(rows.meta), size)]


def compare(
    logged: RowBatch, made: RowBatch, *, expected: int | None, complete: bool = False, sizes: tuple[int, int] = (5, 4)
) -> RowComparison:
    comparison = RowComparison(
        iter(blocks(logged, sizes[0])),
        instruments=NAMES,
        columns=("a", "b"),
        dtype="float32",
        expected=expected,
        complete=complete,
    )
    for batch in blocks(made, sizes[1]):
        comparison.add(batch)
        if comparison.enough():
            break
    comparison.finish()
    return comparison


counts = st.tuples(*[st.integers(0, 25)] * 3)
sizes = st.tuples(st.integers(1, 30), st.integers(1, 30))


@settings(deadline=None)
@given(counts, sizes, st.integers(0, 10**6))
def test_the_order_of_instruments_in_the_log_does_not_matter(
    counts: tuple[int, int, int], sizes: tuple[int, int], seed: int
) -> None:
    made = rows_of(counts, seed)
    order = np.argsort(made.meta["input"] // 4 * 3 + made.meta["instrument"], kind="stable")  # as blocks of a row log
    logged = RowBatch(made.meta[order], made.values[order])
    found = compare(logged, made, expected=len(made.meta), complete=True, sizes=sizes)
    assert found.rows == found.compared == found.identical == len(made.meta)
    assert found.first is None


@settings(deadline=None)
@given(counts.filter(any), sizes, st.data())
def test_any_changed_cell_is_the_first_difference(
    counts: tuple[int, int, int], sizes: tuple[int, int], data: st.DataObject
) -> None:
    made = rows_of(counts)
    at = data.draw(st.integers(0, len(made.meta) - 1))
    column = data.draw(st.integers(0, 1))
    logged = RowBatch(made.meta, made.values.copy())
    logged.values.view(np.uint32)[at, column] ^= np.uint32(1 << data.draw(st.integers(0, 31)))
    found = compare(logged, made, expected=len(made.meta), complete=True, sizes=sizes)
    assert (found.compared, found.identical) == (len(made.meta), len(made.meta) - 1)
    assert found.first is not None
    assert found.first.feature == ("a", "b")[column]
    assert found.first.row == made.meta["number"][at]
    assert found.first.instrument == NAMES[made.meta["instrument"][at]]


@settings(deadline=None)
@given(counts.filter(any), sizes, st.data())
def test_rows_that_are_not_in_the_log_are_counted_and_the_first_is_named(
    counts: tuple[int, int, int], sizes: tuple[int, int], data: st.DataObject
) -> None:
    made = rows_of(counts)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(made.meta), max_size=len(made.meta))))
    logged = RowBatch(made.meta[kept], made.values[kept])
    found = compare(logged, made, expected=len(made.meta), complete=True, sizes=sizes)
    assert found.identical == found.compared == kept.sum()
    assert found.missing == (~kept).sum()
    assert found.rows == len(made.meta)
    if not kept.all():
        assert found.first is not None
        assert found.first.input == made.meta["input"][~kept][0]
        assert found.first.logged is None


def test_rows_beyond_a_stop_are_not_looked_at_and_beyond_the_end_they_are() -> None:
    made = rows_of((20, 10, 10))
    logged = RowBatch(made.meta[:25], made.values[:25])
    stopped = compare(logged, made, expected=25)
    assert stopped.rows == stopped.identical == 25
    assert stopped.missing == 0
    ended = compare(logged, made, expected=25, complete=True)
    assert ended.missing == 15
    assert ended.first is not None


def test_a_killed_session_is_compared_as_far_as_its_log_goes() -> None:
    made = rows_of((20, 10, 10))
    found = compare(RowBatch(made.meta[:17], made.values[:17]), made, expected=None)
    assert found.rows == found.compared == found.identical == 17


def test_logged_rows_that_are_not_made_again_are_told() -> None:
    made = rows_of((20, 10, 10))
    found = compare(made, RowBatch(made.meta[:30], made.values[:30]), expected=40, complete=True)
    assert (found.compared, found.unmatched, found.rows) == (30, 10, 40)
    assert found.first is not None
    assert found.first.recomputed is None


def test_a_row_that_is_logged_twice_is_told() -> None:
    made = rows_of((12, 0, 0))
    twice = np.sort(np.append(np.arange(12), 5))
    found = compare(RowBatch(made.meta[twice], made.values[twice]), made, expected=12, complete=True, sizes=(20, 20))
    assert (found.compared, found.unmatched) == (12, 1)
    assert found.first is not None
    assert found.first.row == 5


def test_zeros_of_other_signs_differ_and_equal_nans_do_not() -> None:
    made = rows_of((4, 0, 0))
    made.values[:] = [[0.0, np.nan]] * 4
    logged = RowBatch(made.meta, made.values.copy())
    assert compare(logged, made, expected=4).identical == 4
    logged.values[2, 0] = -0.0
    found = compare(logged, made, expected=4)
    assert found.identical == 3
    assert found.first is not None
    assert (found.first.logged_bits, found.first.recomputed_bits) == ("0x80000000", "0x00000000")
    assert found.largest == {"a": 0.0}


def test_the_largest_difference_is_measured_by_column() -> None:
    made = rows_of((30, 0, 0))
    made.values[:] = 1.0
    logged = RowBatch(made.meta, made.values.copy())
    logged.values[3, 1] += 0.25
    logged.values[20, 1] -= 0.5
    assert compare(logged, made, expected=30).largest == {"b": 0.5}
    logged.values[7, 0] = np.nan
    assert compare(logged, made, expected=30).largest == {"a": float("inf"), "b": 0.5}
