"""Bench of the data path: bytes and records to rows, beside the same in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from vtframe.cli.bench.decode import decode_rows
from vtframe.cli.bench.feature_sets import six_features, twenty_four_features
from vtframe.cli.bench.kernel_start import start_row
from vtframe.cli.bench.material import Material
from vtframe.cli.bench.plain import PlainPipeline, as_plain
from vtframe.cli.bench.rows import Row, rate_row, seconds
from vtframe.cli.bench.spread import instrument_rows
from vtframe.cli.bench.step import step_row
from vtframe.features.pipeline import Pipeline

_REPEATS = 7


def run(recordings: tuple[Path, ...], say: Callable[[str], None]) -> Iterator[Row]:
    """Rows of the data path; those that start from bytes need a recording."""
    material = Material(recordings)
    say(f"{material.name}: {len(material.frames):,} frames, {len(material.events):,} events")
    yield from _batch(material)
    yield from instrument_rows(material, say)
    if material.recorded:
        yield from decode_rows(material, say)
        yield from step_row(material, say)
    yield from start_row(say)


def _batch(material: Material) -> Iterator[Row]:
    """Events a second through book and features, one core, in interleaved repeats. Plain Python computes six features."""
    frames, events = material.frames, material.events
    plain = as_plain(frames, events)

    def compiled() -> None:
        for _ in pipeline.batch(frames, events):
            pass

    def interpreted() -> None:
        each = PlainPipeline(material.instruments[0]).frame
        for frame in plain:
            each(frame)

    sets = {"six features": six_features, "24 features": twenty_four_features}
    rates: dict[str, list[float]] = {name: [] for name in sets}
    baseline = []
    for _ in range(_REPEATS):
        for name, features in sets.items():
            pipeline = Pipeline(features(), material.instruments, material.rules)
            rates[name].append(len(events) / seconds(compiled) / 1e6)
        baseline.append(len(events) / seconds(interpreted) / 1e6)
    for name, found in rates.items():
        yield rate_row(f"batch: book and {name}", "M events/s", found, "book and six features in plain Python", baseline)
