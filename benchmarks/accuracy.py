"""Do rolling sums and moments stay exact for long: 100 million values, 1,000 windows on the way against math.fsum.

    python benchmarks/accuracy.py [--values N]

Every rolling feature in the box keeps its window in one of these four memories, or counts in integers. Now and then a value
is a billion times as large as those that follow: what subtraction would leave behind, shows. Exits 1 above the bounds.
"""

from __future__ import annotations

import math
from typing import Any

import click
import numba
import numpy as np

from vtframe.api import State
from vtframe.builtin.features import rolling_moments, rolling_sum, timed_sum
from vtframe.kernels.bind import Binder

WINDOW = 997
SAMPLES = 1000
BLOCK = 1_000_000
BOUNDS = {"rolling_sum": 1e-13, "rolling_sums": 1e-13, "timed_sum": 1e-13, "mean": 1e-12, "deviation": 1e-9}  # relative


def walk(values, first, at, found, one, two, moments, timed):  # type: ignore[no-untyped-def]  # noqa: PLR0917 - compiled
    """Take a block of values in, and note what the memories hold at the places in ``at``; value ``i`` happened at ``i`` ns."""
    row = 0
    for k in range(len(values)):
        total = rolling_sum.push(values[k], *one)
        two[0][0], two[0][1] = values[k], 3.0 * values[k]
        rolling_sum.push_all(*two)
        rolling_moments.take(values[k], *moments)
        timed_sum.add(values[k], first + k, WINDOW, *timed)
        if row < len(at) and k == at[row]:
            found[row, 0] = total
            found[row, 1] = rolling_sum.sum_of(1, two[1], two[2], two[3]) / 3.0
            found[row, 2] = timed_sum.total(first + k, WINDOW, *timed)
            found[row, 3] = rolling_moments.mean_of(moments[0], moments[2], moments[3])
            found[row, 4] = rolling_moments.deviation_of(*moments)
            row += 1


def memory(states: dict[str, State]) -> tuple[Any, ...]:
    return tuple(np.full(s.length, s.fill, np.float64 if s.dtype == "f8" else np.int64) for s in states.values())


def largest_errors(values: int) -> dict[str, float]:
    """The largest relative error of each memory over the sampled windows."""
    rng = np.random.default_rng(11)
    bound = Binder("accuracy_of_rolling_memory").root(walk, "benchmark")

    @numba.njit  # what the binder compiles can be called by compiled code only
    def run(block, first, at, found, one, two, moments, timed):  # type: ignore[no-untyped-def]  # noqa: PLR0917
        bound(block, first, at, found, one, two, moments, timed)

    one, two = memory(rolling_sum.rolling_sum("x", WINDOW)), memory(rolling_sum.rolling_sums("x", WINDOW, 2))
    moments, timed = memory(rolling_moments.rolling_moments("x", WINDOW)), memory(timed_sum.timed_sum("x", WINDOW))
    samples = np.sort(rng.choice(np.arange(WINDOW, values), SAMPLES, replace=False))
    worst = dict.fromkeys(BOUNDS, 0.0)
    before = np.zeros(0)
    for first in range(0, values, BLOCK):
        size = min(BLOCK, values - first)
        block = np.abs(rng.standard_normal(size)) * np.where(rng.random(size) < 1e-4, 1e12, 1.0) + 1e3
        at = samples[(samples >= first) & (samples < first + size)] - first
        found = np.zeros((len(at), len(BOUNDS)))
        run(block, first, at, found, one, two, moments, timed)
        known = np.concatenate([before, block])
        for last, row in zip((at + len(before)).tolist(), found.tolist(), strict=True):
            held = known[last - WINDOW + 1 : last + 1].tolist()
            mean = math.fsum(held) / WINDOW
            deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in held) / WINDOW)
            exact = (math.fsum(held), math.fsum(held), math.fsum(held), mean, deviation)
            for name, ours, theirs in zip(BOUNDS, row, exact, strict=True):
                worst[name] = max(worst[name], abs(ours - theirs) / abs(theirs))
        before = block[-WINDOW:]
    return worst


@click.command()
@click.option("--values", type=click.IntRange(10_000), default=100_000_000, show_default=True)
def main(*, values: int) -> None:
    """Print the largest relative error of each memory, and its bound."""
    errors = largest_errors(values)
    for name, error in errors.items():
        click.echo(f"{name:14} {error:.1e} of at most {BOUNDS[name]:.0e}")
    if any(not error <= BOUNDS[name] for name, error in errors.items()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
