"""Bench of the data path: records to rows, beside the same in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from vtframe.cli.bench.decode import decode_rows
from vtframe.cli.bench.material import Material, six_features
from vtframe.cli.bench.plain import PlainPipeline, as_plain
from vtframe.cli.bench.rows import Row, rate_row, seconds
from vtframe.features.pipeline import Pipeline

_REPEATS = 7


def run(recordings: tuple[Path, ...], say: Callable[[str], None]) -> Iterator[Row]:
    """Rows of the data path."""
    material = Material(recordings)
    say(f"{material.name}: {len(material.frames):,} frames, {len(material.events):,} events")
    yield _batch(material)
    if material.recorded:
        yield from decode_rows(material, say)


def _batch(material: Material) -> Row:
    """Events a second through book and six features, one core, in interleaved repeats."""
    frames, events = material.frames, material.events
    plain = as_plain(frames, events)

    def compiled() -> None:
        for _ in pipeline.batch(frames, events):
            pass

    def interpreted() -> None:
        each = PlainPipeline(material.instruments[0]).frame
        for frame in plain:
            each(frame)

    rates, baseline = [], []
    for _ in range(_REPEATS):
        pipeline = Pipeline(six_features(), material.instruments, material.rules)
        rates.append(len(events) / seconds(compiled) / 1e6)
        baseline.append(len(events) / seconds(interpreted) / 1e6)
    return rate_row("batch: book and six features", "M events/s", rates, "the same in plain Python", baseline)
