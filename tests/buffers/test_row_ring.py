"""The ring of rows against a plain list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtframe.buffers import RowRing
from vtframe.domain import ROW


@given(capacity=st.integers(1, 9), rows=st.lists(st.tuples(st.integers(0, 2), st.integers(-9, 9)), max_size=60))
def test_a_window_equals_the_last_rows_of_a_plain_list(capacity: int, rows: list[tuple[int, int]]) -> None:
    ring = RowRing(3, capacity, 2, dtype="float64")
    lists: list[list[int]] = [[], [], []]
    for instrument, value in rows:
        meta = np.zeros((), ROW)
        meta["bid"] = value
        number = ring.append(instrument, np.array([value, -value], float), meta)
        assert number == len(lists[instrument])
        lists[instrument].append(value)
        for count in range(1, min(capacity, len(lists[instrument])) + 1):
            expected = lists[instrument][-count:]
            window = ring.window(instrument, count)
            assert window[:, 0].tolist() == expected
            assert window.base is not None
            assert window.flags.c_contiguous
            beside = ring.window_meta(instrument, count)
            assert beside["bid"].tolist() == expected
            assert beside["number"].tolist() == list(range(len(lists[instrument]) - count, len(lists[instrument])))
    assert [ring.head(instrument) for instrument in range(3)] == [len(rows) for rows in lists]


def test_a_window_is_a_view_of_the_ring() -> None:
    ring = RowRing(1, 4, 1)
    for value in range(6):
        ring.append(0, np.array([value], np.float32), np.zeros((), ROW))
    assert np.shares_memory(ring.window(0, 4), ring.values)


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (5, ValueError), (-1, ValueError), (3, LookupError)])
def test_a_window_that_is_not_there_is_refused(count: int, error: type[Exception]) -> None:
    ring = RowRing(1, 4, 1)
    for _ in range(2):
        ring.append(0, np.zeros(1, np.float32), np.zeros((), ROW))
    with pytest.raises(error, match=str(count)):
        ring.window(0, count)


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        RowRing(1, 0, 1)
