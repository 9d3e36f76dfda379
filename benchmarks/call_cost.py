"""What a call of compiled code costs from Python, by what it is given: the figures of docs/decisions/0002 and 0003.

    python benchmarks/call_cost.py [--repeats N] [--json]

Every function does nothing, so the time is the call's, the loop around it included. ``least`` is the figure to quote: on a
shared core the median holds what other processes took.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click
import msgspec
import numba
import numpy as np
from rich.console import Console
from rich.table import Table

from vtframe.buffers.native import table
from vtframe.cli.bench.rows import Row, time_row
from vtframe.domain import EVENT, FRAME

_CALLS = 2_000


def cases() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """A compiled function that does nothing, and its arguments, by what they are."""
    plain = [np.zeros(8, np.int64) for _ in range(8)]
    structured = [np.zeros(8, FRAME), np.zeros(8, EVENT)]
    arguments: dict[str, tuple[Any, ...]] = {"no argument": (), "two integers": (1, 2)}
    for count in (1, 2, 4, 8):
        arguments[f"{count} plain array{'s' * (count > 1)}"] = tuple(plain[:count])
    arguments["1 structured array"] = tuple(structured[:1])
    arguments["2 structured arrays"] = tuple(structured)
    arguments["table of 8 arrays, two integers (as a pipeline calls)"] = (table(plain), 1, 2)
    made = {}
    for name, given in arguments.items():
        function = numba.njit(_taking(len(given)))
        function(*given)
        function.disable_compile()
        made[name] = (function, given)
    return made


def _taking(count: int) -> Callable[..., int]:
    """A function of so many positional arguments."""
    names = ", ".join(f"a{k}" for k in range(count))
    module: dict[str, Any] = {}
    exec(f"def nothing({names}):\n    return 0\n", module)  # noqa: S102 - our own text
    function: Callable[..., int] = module["nothing"]
    return function


def cost(function: Callable[..., Any], given: tuple[Any, ...]) -> float:
    """Nanoseconds a call, over a run of calls written out as one expression a turn."""
    module: dict[str, Any] = {"call": function, **{f"a{k}": value for k, value in enumerate(given)}}
    names = ", ".join(f"a{k}" for k in range(len(given)))
    bound = ", ".join(f"{name}={name}" for name in ("call", *(f"a{k}" for k in range(len(given)))))
    exec(f"def run(turns, {bound}):\n    for _ in range(turns):\n        call({names})\n", module)  # noqa: S102
    before = time.perf_counter_ns()
    module["run"](_CALLS)
    return (time.perf_counter_ns() - before) / _CALLS


@click.command()
@click.option("--repeats", default=200, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON list, as vtframe bench does.")
def main(*, repeats: int, as_json: bool) -> None:
    """Nanoseconds a call from Python, each kind of argument in turn."""
    made = cases()
    times: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(repeats):
        for name, (function, given) in made.items():
            times[name].append(cost(function, given))
    base = times["no argument"]
    rows: list[Row] = [time_row(f"call: {name}", "ns", found, "no argument", base) for name, found in times.items()]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    shown = Table("figure", "ns, median", "least", "p99", box=None, pad_edge=False)
    for row, found in zip(rows, times.values(), strict=True):
        shown.add_row(row.name, f"{row.median:,.0f}", f"{min(found):,.0f}", f"{row.p99:,.0f}")
    Console(width=120).print(shown)


if __name__ == "__main__":
    main()
