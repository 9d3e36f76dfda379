"""The sums, moments and orders under the rolling features: against brute force, and over a long run against math.fsum."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from vtframe.api import State
from vtframe.builtin.features import rolling_moments, rolling_sum, sorted_window, timed_sum


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


def test_a_long_run_leaves_no_error_behind(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """benchmarks/accuracy.py over 2 million values; by itself it takes 100 million."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    accuracy = importlib.import_module("accuracy")
    errors = accuracy.largest_errors(2_000_000)
    assert set(errors) == set(accuracy.BOUNDS)
    for name, error in errors.items():
        assert error <= accuracy.BOUNDS[name], name


def test_a_sum_that_subtracts_what_leaves_would_not_pass(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    accuracy = importlib.import_module("accuracy")

    def subtracting(value, ring, fresh, place):  # type: ignore[no-untyped-def]
        fresh[0] += value - ring[place[0]]
        ring[place[0]] = value
        place[0] = (place[0] + 1) % len(ring)
        return fresh[0]

    monkeypatch.setattr(rolling_sum, "push", subtracting)
    assert accuracy.largest_errors(100_000)["rolling_sum"] > accuracy.BOUNDS["rolling_sum"]
