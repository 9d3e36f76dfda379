"""The sums, moments and orders under the rolling features: against brute force, and over a long run against math.fsum."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import numba
import numpy as np
import pytest
from hypothesis import given, settings

from vtframe.api import State
from vtframe.builtin.features import rolling_moments, rolling_sum, sorted_window, timed_sum
from vtframe.kernels.bind import Binder

LONG = 2_000_000
WINDOW = 997


def memory(states: dict[str, State]) -> list[Any]:
    return [np.full(s.length, s.fill, np.float64 if s.dtype == "f8" else np.int64) for s in states.values()]


finite = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


@given(st.lists(finite, max_size=80), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_rolling_sums_are_the_sums_of_the_last_values(values: list[float], window: int) -> None:
    now, ring, fresh, place = memory(rolling_sum.rolling_sums("x", window, 2))
    for count, value in enumerate(values, 1):
        now[:] = value, -2 * value
        assert rolling_sum.push_all(now, ring, fresh, place) == count
        expected = math.fsum(values[max(0, count - window) : count])
        assert rolling_sum.sum_of(0, ring, fresh, place) == pytest.approx(expected, abs=1e-6)
        assert rolling_sum.sum_of(1, ring, fresh, place) == pytest.approx(-2 * expected, abs=1e-6)
    rolling_sum.empty_all(ring, fresh, place)
    assert rolling_sum.sum_of(0, ring, fresh, place) == 0.0


@given(st.lists(st.tuples(st.integers(0, 7), st.floats(0.001, 1e6)), max_size=80), st.integers(1, 6), st.integers(1, 20))
@settings(max_examples=200, deadline=None)
def test_a_timed_sum_is_the_sum_over_its_span_or_nan(steps: list[tuple[int, float]], capacity: int, span: int) -> None:
    cells = memory(timed_sum.timed_sum("x", capacity))
    now = 100
    held: list[tuple[int, float]] = []
    for wait, value in steps:
        now += wait
        timed_sum.add(value, now, span, *cells)
        held.append((now, value))
        for later in (now, now + 1):
            inside = [x for at, x in held if at > later - span]
            total = timed_sum.total(later, span, *cells) if later == now else math.nan
            if len(inside) > capacity:
                assert math.isnan(total)
            elif later == now:
                assert total == pytest.approx(math.fsum(inside), rel=1e-12)
    assert timed_sum.total(now + span, span, *cells) == 0.0


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=60), st.integers(2, 8), st.sampled_from([0.0, 1e6]))
@settings(max_examples=100, deadline=None)
def test_rolling_moments_are_those_of_the_last_values(values: list[float], window: int, offset: float) -> None:
    mean, square, fresh, place = memory(rolling_moments.rolling_moments("x", window))
    for count, value in enumerate(values, 1):
        assert rolling_moments.take(offset + value, mean, square, fresh, place) == count
        if count >= window:
            held = offset + np.array(values[count - window : count])
            assert rolling_moments.mean_of(mean, fresh, place) == pytest.approx(held.mean(), rel=1e-12, abs=1e-12)
            deviation = rolling_moments.deviation_of(mean, square, fresh, place)
            assert deviation == pytest.approx(held.std(), rel=1e-6, abs=1e-8)


@given(st.lists(st.integers(-4, 4) | st.floats(-9, 9), max_size=120), st.integers(2, 30))
@settings(max_examples=150, deadline=None)
def test_a_sorted_window_knows_every_rank(values: list[float], window: int) -> None:
    value, after, step, place = memory(sorted_window.sorted_window("x", window))
    for count, new in enumerate(values, 1):
        held = values[max(0, count - window) : count]
        assert sorted_window.replace(float(new), value, after, step, place) == len(held)
        for limit in (new, 0.5, values[count // 2]):
            below, not_above = (sorted_window.up_to(limit, value, after, step, equal) for equal in (False, True))
            assert (below, not_above) == (sum(x < limit for x in held), sum(x <= limit for x in held))


def walk(values, at, found, sums, moments):  # type: ignore[no-untyped-def]
    """Push all values, and note the state at the places in ``at``."""
    ring, fresh, place = sums
    mean, square, part, where = moments
    row = 0
    for k in range(len(values)):
        total = rolling_sum.push(values[k], ring, fresh, place)
        rolling_moments.take(values[k], mean, square, part, where)
        if row < len(at) and k == at[row]:
            found[row, 0] = total
            found[row, 1] = rolling_moments.mean_of(mean, part, where)
            found[row, 2] = rolling_moments.deviation_of(mean, square, part, where)
            row += 1


def test_a_long_run_leaves_no_error_behind() -> None:
    """1,000 windows of a run whose values now and then are a billion times as large as those that follow."""
    rng = np.random.default_rng(11)
    values = np.abs(rng.standard_normal(LONG)) * np.where(rng.random(LONG) < 1e-4, 1e12, 1.0) + 1e3
    at = np.sort(rng.choice(np.arange(WINDOW, LONG), 1000, replace=False))
    found = np.zeros((1000, 3))
    bound = Binder("long_run_of_rolling_memory").root(walk, "test")

    @numba.njit  # what the binder compiles can be called by compiled code only
    def run(values, at, found, sums, moments):  # type: ignore[no-untyped-def]
        bound(values, at, found, sums, moments)

    sums, moments = rolling_sum.rolling_sum("x", WINDOW), rolling_moments.rolling_moments("x", WINDOW)
    run(values, at, found, tuple(memory(sums)), tuple(memory(moments)))
    for (total, mean, deviation), last in zip(found, at.tolist(), strict=True):
        held = values[last - WINDOW + 1 : last + 1].tolist()
        exact = math.fsum(held)
        assert total == pytest.approx(exact, rel=1e-13)
        assert mean == pytest.approx(exact / WINDOW, rel=1e-12)
        middle = exact / WINDOW
        assert deviation == pytest.approx(math.sqrt(math.fsum((x - middle) ** 2 for x in held) / WINDOW), rel=1e-9)
