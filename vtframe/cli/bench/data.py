"""Bench of the data path: records to rows, beside the same in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vtframe.cli.bench.material import Material, six_features
from vtframe.cli.bench.plain import PlainPipeline, as_plain
from vtframe.cli.bench.rows import Row, rate_row, seconds, time_row
from vtframe.domain import FrameKind
from vtframe.features.pipeline import Pipeline

_REPEATS = 7


def run(recordings: tuple[Path, ...], say: Callable[[str], None]) -> Iterator[Row]:
    """Rows of the data path."""
    material = Material(recordings)
    say(f"{material.name}: {len(material.frames):,} frames, {len(material.events):,} events")
    yield _batch(material)
    if material.recorded:
        yield _decode(material)


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


def _decode(material: Material) -> Row:
    """Microseconds to decode one depth frame with the reference codec, beside json.loads of the same bytes."""
    import json  # noqa: PLC0415 - only the baseline needs it
    import time  # noqa: PLC0415

    codec, records = material.codec, material.records
    if codec is None:
        raise ValueError("a recording has a codec")
    depth = np.flatnonzero(material.frames["kind"] == FrameKind.DEPTH)
    chosen = [material.messages[number][0] for number in material.frames["input"][depth][:3000].tolist()]
    times, baseline = [], []
    for data in chosen:
        records.clear()
        before = time.perf_counter_ns()
        codec.decode(data, records)
        middle = time.perf_counter_ns()
        json.loads(data)
        times.append((middle - before) / 1e3)
        baseline.append((time.perf_counter_ns() - middle) / 1e3)
    return time_row("decode: one depth frame to records", "us", times, "json.loads alone", baseline)
