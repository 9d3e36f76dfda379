"""What a step costs when one process has more instruments: the same events, given to 1, 10, 100 and 1,000 books.

    python benchmarks/instruments.py [--recording FILE]... [--instruments N]... [--repeats N] [--json]

One long stream is cut into as many pieces as there are instruments; each instrument starts (untimed) on a snapshot of the
stream's book where its piece begins, and then plays it. So every run has the same events and the same changes of books, and
differs only in how many books, feature states and rings they fall on. Round-robin takes a frame of each instrument in turn, the
worst case for caches; bursts take 32 of one, as venues send them.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from vtframe.cli.bench.feature_sets import six_features
from vtframe.cli.bench.material import Material
from vtframe.cli.bench.rows import Row, time_row
from vtframe.cli.bench.spread import WAYS, Order, pipeline_of, spread
from vtframe.domain import FrameKind, Instrument, Records, SequenceRule, Side
from vtframe.errors import InputError
from vtframe.features.pipeline import RING_ROWS, Pipeline


def bytes_per_instrument(
    instrument: Instrument, rule: SequenceRule, *, levels: int = 2000, ring_rows: int = RING_ROWS
) -> dict[str, int]:
    """What one instrument's arrays take with ``levels`` on each side."""
    pipeline = Pipeline(six_features(), [instrument], [rule], ring_rows=ring_rows)
    sides = {}
    for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
        sides[side] = np.column_stack((1_000_000 + sign * np.arange(1, levels + 1), np.full(levels, 5))).astype(np.int64)
    records = Records(frames=1, events=2 * levels + 1)
    records.append_levels(
        kind=FrameKind.SNAPSHOT, instrument=0, ts_event=1, bids=sides[Side.BUY], asks=sides[Side.SELL], clear=True, last_id=1
    )
    pipeline.process(records)
    return {
        "book": pipeline.books.nbytes,
        "features": pipeline._floats.nbytes,  # noqa: SLF001 - memory is what is asked for here
        "ring": pipeline.ring.values.nbytes + pipeline.ring.meta.nbytes,
    }


@click.command()
@click.option("--recording", "recordings", multiple=True, type=click.Path(path_type=Path), help="Default: the embedded market.")
@click.option(
    "--instruments", "counts", multiple=True, type=click.IntRange(min=1), default=(1, 10, 100, 1000), show_default=True
)
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--ring-rows", default=RING_ROWS, show_default=True, type=click.IntRange(min=1))
@click.option("--cold", is_flag=True, help="Leave the rings untouched: their first lap, which also pays for fresh pages.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON list, as vtframe bench does.")
def main(
    recordings: tuple[Path, ...], *, counts: tuple[int, ...], repeats: int, ring_rows: int, cold: bool, as_json: bool
) -> None:
    """Per-event cost with more and more instruments, each beside the first number of them named."""
    notes = Console(stderr=True, soft_wrap=True)
    try:
        material = Material(recordings, market_seconds=1_200.0)
    except InputError as e:
        raise click.ClickException(str(e)) from None
    if len(material.frames) < 2 * max(counts):
        raise click.ClickException(
            f"{material.name} has {len(material.frames):,} frames, too few for {max(counts):,} instruments"
        )
    cases: list[tuple[Order, int]] = [(order, count) for order in ("round-robin", "bursts") for count in counts]
    laid = {case: spread(material, case[1], case[0]) for case in cases}
    one = laid[cases[0]]
    notes.print(
        f"[dim]{material.name}: {len(one.frames):,} frames, {len(one.events):,} events, {repeats} times each, in turn[/]"
    )
    sizes = bytes_per_instrument(material.instruments[0], material.rules[0], ring_rows=ring_rows)
    notes.print("[dim]bytes an instrument at 2,000 levels a side: " + ", ".join(f"{k} {v:,}" for k, v in sizes.items()) + "[/]")
    costs: dict[tuple[str, Order, int], list[float]] = {(way, *case): [] for way in WAYS for case in cases}
    for repeat in range(repeats + 1):  # the first one warms up
        for (way, order, count), found in costs.items():
            run = laid[order, count]
            spent = WAYS[way](pipeline_of(material, count, run, ring_rows=ring_rows, touch=not cold), run)
            if repeat:
                found.append(spent)
    rows = _rows(costs, counts)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    table = Table("figure", "ns/event", "p99", "beside", "its median", "growth", box=None, pad_edge=False)
    for row in rows:
        growth = f"{1 / row.ratio:.2f}x" if row.ratio else ""
        base = f"{row.baseline_median:,.1f}" if row.baseline_median is not None else ""
        table.add_row(row.name, f"{row.median:,.1f}", f"{row.p99:,.1f}", row.baseline, base, growth)
    Console(width=120).print(table)


def _rows(costs: dict[tuple[str, Order, int], list[float]], counts: tuple[int, ...]) -> list[Row]:
    first = counts[0]
    return [
        time_row(f"instruments: {way}, {order}, {count:,}", "ns/event", found, f"{first:,} of them", costs[way, order, first])
        for (way, order, count), found in costs.items()
    ]


if __name__ == "__main__":
    main()
