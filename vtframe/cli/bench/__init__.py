"""``vtframe bench``: how fast vtframe is on this machine, each figure beside a named alternative of the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from vtframe.cli.bench.rows import Row

GROUPS = ("data", "inference", "live", "load", "memory")


@click.command()
@click.argument("group", type=click.Choice(GROUPS), required=False)
@click.option("--config", type=click.Path(path_type=Path), default="market.toml", show_default=True)
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Measure on these recorded frames instead of the embedded market. Repeatable, played in order.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON list.")
def bench(group: str | None, *, config: Path, recordings: tuple[Path, ...], as_json: bool) -> None:
    """Measure how fast vtframe is on this machine.

    GROUP is data (records to rows), inference (a model call), live (transports, bytes to order, start-up), load (a minute:
    20,000 frames a second with a model far too slow for them) or memory (minutes: twenty million events through a whole
    session); the first three where none is named. Medians and ratios are of one run; a ratio above 1 is better than the
    baseline. The live step needs --recording.
    """
    notes = Console(stderr=True)
    rows = list(_rows(group, config, recordings, lambda text: notes.print(f"[dim]{text}[/]", highlight=False)))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    table = Table("figure", "unit", "median", "p99", "baseline", "its median", "ratio", box=None, pad_edge=False)
    for row in rows:
        base = f"{row.baseline_median:,.2f}" if row.baseline_median is not None else ""
        ratio = f"{row.ratio:,.1f}x" if row.ratio is not None else ""
        table.add_row(row.name, row.unit, f"{row.median:,.2f}", f"{row.p99:,.2f}", row.baseline, base, ratio)
    Console().print(table)


def _rows(group: str | None, config: Path, recordings: tuple[Path, ...], say: Callable[[str], None]) -> Iterator[Row]:
    if group in (None, "data"):
        from vtframe.cli.bench import data  # noqa: PLC0415 - each group imports what it measures

        yield from data.run(recordings, say)
    if group in (None, "inference"):
        from vtframe.cli.bench import inference  # noqa: PLC0415

        yield from inference.run(config, say)
    if group in (None, "live"):
        from vtframe.cli.bench import live, resync, socket, tick_to_order, transport  # noqa: PLC0415
        from vtframe.cli.bench.material import Material  # noqa: PLC0415

        yield from transport.run(say)
        if recordings:
            yield from socket.run(Material(recordings), say)
            yield from tick_to_order.run(recordings, say)
        if recordings or group == "live":
            yield from live.step(config, recordings, say)
            yield from resync.run(say)
        yield from live.start(config, say)
    if group == "load":
        from vtframe.cli.bench import load  # noqa: PLC0415

        yield from load.run(config, say)
    if group == "memory":
        from vtframe.cli.bench import memory  # noqa: PLC0415

        yield from memory.run(config, say)
