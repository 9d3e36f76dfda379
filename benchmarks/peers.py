"""vtframe beside its peers: top-of-book imbalance on the same recorded events, in one run, engine after engine in turn.

    pip install -r benchmarks/requirements-peers.txt
    python benchmarks/peers.py [--recording FILE]... [--repeats N] [--json]

docs/peers.md says what is timed and what is not.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import click
import msgspec
import numpy as np
from numpy.typing import NDArray
from replay_events import Replay, book_replay, by_arrival
from rich.console import Console
from rich.table import Table

from vtframe.cli.bench.material import Material
from vtframe.cli.bench.rows import Row, rate_row
from vtframe.domain import Instrument, SequenceRule
from vtframe.errors import InputError

DATA = Path(os.environ.get("VTFRAME_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
DEFAULT = DATA / "binance" / "usdm_btcusdt_20240808.gz"
PEERS = {"hftbacktest": "hftbacktest", "nautilus_trader": "NautilusTrader"}
GOALS = {"hftbacktest": 1.0, "NautilusTrader": 50.0}  # vtframe's rate by theirs


class Run(Protocol):
    name: str

    def seconds(self) -> float: ...
    def series(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...


@click.command()
@click.option("--recording", "recordings", multiple=True, type=click.Path(path_type=Path), help=f"Default: {DEFAULT.name}.")
@click.option("--repeats", default=7, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON list, as vtframe bench does.")
def main(recordings: tuple[Path, ...], *, repeats: int, as_json: bool) -> None:
    """Replay recorded depth through vtframe, hftbacktest and NautilusTrader."""
    missing = [name for name in PEERS if importlib.util.find_spec(name) is None]
    if missing:
        wanted = Path(__file__).with_name("requirements-peers.txt").name
        raise click.ClickException(f"{' and '.join(missing)} not installed; pip install -r benchmarks/{wanted}")
    try:
        material = Material(recordings or (DEFAULT,))
        replay = book_replay(material.frames, material.events, material.rules[0])
    except (InputError, ValueError) as e:
        raise click.ClickException(str(e)) from None
    notes = Console(stderr=True, soft_wrap=True)
    say = lambda text: notes.print(f"[dim]{text}[/]", highlight=False)  # noqa: E731
    say(f"{material.name}: {len(replay.frames):,} depth frames, {len(replay.events):,} events; {repeats} times each, in turn")
    say(f"Python {sys.version.split()[0]}, " + ", ".join(f"{name} {version(name)}" for name in ("vtframe", *PEERS, "numba")))
    runs = _runs(replay, material.instruments[0], material.rules[0])
    for run in runs:  # compile, and compare before anything is timed
        run.seconds()
    shared = _check(runs)
    say(f"the imbalance of all engines is the same at {shared:,} frame ends")
    rates: dict[str, list[float]] = {run.name: [] for run in runs}
    for _ in range(repeats):
        for run in runs:
            rates[run.name].append(len(replay.events) / run.seconds() / 1e6)
    rows = _rows(rates)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    _print(rates, rows)


def _runs(replay: Replay, instrument: Instrument, rule: SequenceRule) -> list[Run]:
    from run_hftbacktest import HftbacktestRun  # noqa: PLC0415 - after the check that they are installed
    from run_nautilus import NautilusRun  # noqa: PLC0415
    from run_vtframe import VtframeRun  # noqa: PLC0415

    return [
        VtframeRun(replay, instrument, rule),
        HftbacktestRun(replay, instrument, "ROI vector"),
        HftbacktestRun(replay, instrument, "hash map"),
        NautilusRun(replay, instrument, "one delta an event"),
        NautilusRun(replay, instrument, "one batch a frame"),
    ]


def _check(runs: list[Run]) -> int:
    """Refuse to compare engines that computed different things; how many frame ends agreed, bit for bit."""
    times, values = by_arrival(*runs[0].series())
    for run in runs[1:]:
        theirs, found = by_arrival(*run.series())
        count = len(theirs)
        if count < len(times) - 1 or not np.array_equal(theirs, times[:count]):  # hftbacktest's last feed wakes nobody
            raise click.ClickException(f"{run.name} woke at other times: {count:,} frame ends, {len(times):,} with vtframe")
        wrong = np.flatnonzero(~((found == values[:count]) | (np.isnan(found) & np.isnan(values[:count]))))
        if len(wrong):
            at = int(wrong[0])
            problem = f"{found[at]!r} at {int(times[at])}, {values[at]!r} with vtframe ({len(wrong):,} of {count:,} differ)"
            raise click.ClickException(f"{run.name} computed another imbalance: {problem}")
    return len(times) - 1


def _rows(rates: dict[str, list[float]]) -> list[Row]:
    """One row for each way of each peer."""
    (name, ours), *peers = rates.items()
    what = f"peers: top-of-book imbalance, {name}"
    return [rate_row(what, "M events/s", ours, peer, theirs) for peer, theirs in peers]


def _print(rates: dict[str, list[float]], rows: list[Row]) -> None:
    table = Table("engine", "M events/s", "slowest", "fastest", "vtframe is", box=None, pad_edge=False)
    ratios: dict[str, Any] = {row.baseline: row.ratio for row in rows}
    for name, values in rates.items():
        ratio = f"{ratios[name]:,.2f}x" if name in ratios else ""
        table.add_row(name, f"{np.median(values):,.3f}", f"{min(values):,.3f}", f"{max(values):,.3f}", ratio)
    Console().print(table)
    for peer, goal in GOALS.items():
        reached = min(ratio for name, ratio in ratios.items() if name.startswith(peer))
        click.echo(f"{peer}: {reached:,.2f} times its faster way; the goal is {goal:g}")


if __name__ == "__main__":
    main()
