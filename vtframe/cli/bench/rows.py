"""What a bench measures and how: interleaved repeats, medians, and the ratio to a named baseline of the same run."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure beside its baseline. ``ratio`` above 1 means better than the baseline, whatever the unit."""

    name: str
    unit: str
    median: float
    p99: float
    baseline: str = ""
    baseline_median: float | None = None
    ratio: float | None = None


def rate_row(name: str, unit: str, rates: list[float], baseline: str = "", baseline_rates: list[float] | None = None) -> Row:
    """A row of a rate (more is better). p99 is the slowest repeat: there are few of them."""
    median = statistics.median(rates)
    base = statistics.median(baseline_rates) if baseline_rates else None
    return Row(
        name=name,
        unit=unit,
        median=median,
        p99=min(rates),
        baseline=baseline,
        baseline_median=base,
        ratio=median / base if base else None,
    )


def time_row(name: str, unit: str, times: list[float], baseline: str = "", baseline_times: list[float] | None = None) -> Row:
    """A row of a time (less is better)."""
    median = statistics.median(times)
    base = statistics.median(baseline_times) if baseline_times else None
    return Row(
        name=name,
        unit=unit,
        median=median,
        p99=percentile(times, 0.99),
        baseline=baseline,
        baseline_median=base,
        ratio=base / median if base and median else None,
    )


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes, with the collector quiet."""
    gc.collect()
    gc.disable()
    try:
        before = time.perf_counter_ns()
        work()
        return (time.perf_counter_ns() - before) / 1e9
    finally:
        gc.enable()
