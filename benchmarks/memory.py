"""Does a pipeline that runs for long stay as large as it was: 100 million events of the embedded market, resident size watched.

    python benchmarks/memory.py [--events N] [--json]

`vtframe bench data` does the same over 20 million; this one takes some minutes.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from pathlib import Path

import click
import msgspec
from rich.console import Console

from vtframe.api import FeedContext
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.cli.bench.feature_sets import six_features
from vtframe.cli.bench.rows import time_row
from vtframe.clock import EventClock
from vtframe.domain import Records
from vtframe.features.pipeline import Pipeline

_WARM_EVENTS = 2_000_000
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Through:
    """A sink that runs records through a pipeline until there were enough, and notes sizes in MB on the way."""

    def __init__(self, pipeline: Pipeline, events: int, console: Console) -> None:
        self._pipeline = pipeline
        self._limit = _WARM_EVENTS + events
        self._step = max(events // 20, 1)
        self._console = console
        self._next = _WARM_EVENTS
        self.events = 0
        self.sizes: list[float] = []  # resident now
        self.peaks: list[float] = []

    @property
    def stopping(self) -> bool:
        return self.events >= self._limit

    def on_records(self, records: Records) -> None:
        self._pipeline.process(records)
        self.events += records.n_events
        if self.events >= self._next:
            self._next += self._step
            self.note()

    def note(self) -> None:
        self.sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 2**20)
        self.peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        self._console.print(f"[dim]{self.events:>13,} events, {self.sizes[-1]:.2f} MB[/]", highlight=False)

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        raise ValueError("the embedded market delivers records")

    def on_damage(self, where: str, problem: str) -> None:
        raise ValueError(f"{where}: {problem}")

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """Nothing to measure."""


@click.command()
@click.option("--events", default=100_000_000, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON list, as vtframe bench does.")
def main(*, events: int, as_json: bool) -> None:
    """Growth of the resident size over many events, after a warm-up of two million."""
    notes = Console(stderr=True)
    feed = EmbeddedMarket(duration_s=10.0**8)  # it ends when the sink has had enough
    instruments = feed.open(FeedContext(codecs={}, folder=Path.cwd(), clock=EventClock()))
    rules = [feed.sequence_rule(index) for index in range(len(instruments))]
    sink = Through(Pipeline(six_features(), instruments, rules), events, notes)
    before = time.perf_counter()
    asyncio.run(feed.run(sink))
    sink.note()
    spent = time.perf_counter() - before
    notes.print(f"[dim]{sink.events:,} events in {spent:,.0f} s[/]", highlight=False)
    rows = [
        time_row(f"memory: growth over {events:,} simulated events", "MB", [sink.sizes[-1] - sink.sizes[0]]),
        time_row(f"memory: growth of the peak over {events:,} simulated events", "MB", [sink.peaks[-1] - sink.peaks[0]]),
    ]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    for row in rows:
        click.echo(f"{row.name}: {row.median:.2f} {row.unit}")


if __name__ == "__main__":
    main()
