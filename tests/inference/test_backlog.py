"""The backlog against a reference that keeps every arrival."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtframe.inference.age import Backlog

MS = 1_000_000


def test_a_steady_delay_is_no_backlog_whatever_the_clocks_differ_by() -> None:
    for offset in (-1_270 * MS, 0, 40 * MS):
        backlog = Backlog()
        assert [backlog.observe(10**18 + k * MS, 10**18 + k * MS + offset) for k in range(1000)] == [0] * 1000


def test_frames_that_waited_in_a_buffer_show_what_they_waited() -> None:
    backlog = Backlog()
    for k in range(100):
        assert backlog.observe(10**18 + k * MS, 10**18 + k * MS + 5 * MS) == 0
    burst = 10**18 + 400 * MS  # read at once after the loop was blocked
    waits = [backlog.observe(10**18 + k * MS, burst) for k in range(100, 300)]
    assert waits == [(400 - k - 5) * MS for k in range(100, 300)]


def test_a_longer_way_is_taken_for_a_backlog_only_until_the_window_has_passed() -> None:
    backlog = Backlog(window_ns=1_000 * MS, buckets=10)
    start = 10**18
    for k in range(500):
        backlog.observe(start + k * MS, start + k * MS + 3 * MS)
    rerouted = [backlog.observe(start + k * MS, start + k * MS + 9 * MS) for k in range(500, 2_000)]
    assert rerouted[0] == 6 * MS
    assert rerouted[900] == 6 * MS
    assert set(rerouted[1_200:]) == {0}


def test_after_a_silence_longer_than_the_window_nothing_old_counts() -> None:
    backlog = Backlog(window_ns=1_000 * MS, buckets=10)
    assert backlog.observe(10**18, 10**18 + 1 * MS) == 0
    late = 10**18 + 3_600_000 * MS
    assert backlog.observe(late, late + 50 * MS) == 0


def test_a_source_without_times_has_no_backlog_and_leaves_the_minimum_alone() -> None:
    backlog = Backlog()
    assert backlog.observe(10**18, 10**18 + 2 * MS) == 0
    assert backlog.observe(0, 10**18 + 3 * MS) == 0
    assert backlog.observe(-1, 10**18 + 3 * MS) == 0
    assert backlog.observe(10**18, 10**18 + 7 * MS) == 5 * MS


def test_time_that_goes_back_forgets_nothing() -> None:
    backlog = Backlog(window_ns=100 * MS, buckets=10)
    backlog.observe(10**18, 10**18 + 2 * MS)
    earlier = 10**18 - 10_000 * MS
    assert backlog.observe(earlier, earlier + 6 * MS) == 4 * MS


@pytest.mark.parametrize(("window", "buckets"), [(0, 1), (10, 0), (3, 4)])
def test_a_window_that_cannot_be_kept_is_refused(window: int, buckets: int) -> None:
    with pytest.raises(ValueError, match="cannot be kept"):
        Backlog(window_ns=window, buckets=buckets)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(-50, 300)), min_size=1, max_size=120),
    st.integers(1, 12),
)
def test_it_lies_between_the_exact_minimum_over_the_window_and_over_one_bucket_more(
    steps: list[tuple[int, int]], buckets: int
) -> None:
    window = 60 * buckets
    backlog = Backlog(window_ns=window, buckets=buckets)
    now = 10**9
    past: list[tuple[int, int]] = []
    for gap, delay in steps:
        now += gap
        past.append((now, delay))
        found = backlog.observe(now - delay, now)
        exact = delay - min(d for t, d in past if t > now - window)
        widest = delay - min(d for t, d in past if t >= now - window - window // buckets)
        assert exact <= found <= widest
        assert found >= 0
