"""Bench of memory: does a pipeline that runs for long stay as large as it was."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

from vtframe.api import FeedContext
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.cli.bench.material import six_features
from vtframe.cli.bench.rows import Row, time_row
from vtframe.clock import EventClock
from vtframe.domain import Records
from vtframe.features.pipeline import Pipeline

_WARM_EVENTS = 2_000_000
_MEMORY_EVENTS = 20_000_000


def memory(say: Callable[[str], None]) -> Iterator[Row]:
    """Growth of the resident size's peak over 20 million events of the embedded market, after a warm-up of 2 million."""
    feed = EmbeddedMarket(duration_s=86_400.0)
    instruments = feed.open(FeedContext(codecs={}, folder=Path.cwd(), clock=EventClock()))
    rules = [feed.sequence_rule(index) for index in range(len(instruments))]
    sink = _Through(Pipeline(six_features(), instruments, rules))
    asyncio.run(feed.run(sink))
    say(f"{sink.events:,} events; resident {sink.sizes[0]:.1f} MB after warm-up, {sink.sizes[-1]:.1f} MB at the end")
    yield time_row("memory: growth over 20 M simulated events", "MB", [sink.sizes[-1] - sink.sizes[0]])


class _Through:
    """A sink that runs records through a pipeline until there were enough."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.events = 0
        self.sizes: list[float] = []

    @property
    def stopping(self) -> bool:
        return self.events >= _WARM_EVENTS + _MEMORY_EVENTS

    def on_records(self, records: Records) -> None:
        self._pipeline.process(records)
        self.events += records.n_events
        if self.events >= _WARM_EVENTS:
            self.sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        raise ValueError("the embedded market delivers records")

    def on_damage(self, where: str, problem: str) -> None:
        raise ValueError(f"{where}: {problem}")

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """Nothing to measure."""
