"""Training sets: rows as the running pipeline makes them (the very kernel that runs live), labels, and splits by time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.api import Codec, Feature, Feed, FeedContext, InputFeature, Label, Sampling
from vtframe.clock import EventClock
from vtframe.dataset.collector import Collector
from vtframe.domain import Instrument
from vtframe.domain.label import count_invalid, direction, move_bps, unbroken
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import Pipeline, RowBatch

CLASSES = ("down", "flat", "up")


class Rows(NamedTuple):
    """What a pipeline made of one feed, and what it was."""

    meta: NDArray[Any]  # domain.ROW
    values: NDArray[np.float32]  # (n, columns)
    schema: tuple[InputFeature, ...]
    instruments: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True)
class Examples:
    """Rows with a label, oldest first. ``classes`` are indexes into CLASSES, ``moves`` in bps."""

    inputs: NDArray[np.float32]
    classes: NDArray[np.int64]
    moves: NDArray[np.float64]
    starts: NDArray[np.int64]  # ts_recv of the row, ns
    ends: NDArray[np.int64]  # ts_recv of the row at the horizon
    rows: NDArray[np.int64]  # row numbers

    def take(self, chosen: slice) -> Examples:
        return Examples(**{name: part[chosen] for name, part in vars(self).items()})

    def __len__(self) -> int:
        return len(self.classes)


def collect(
    feed: Feed,
    features: Sequence[Feature],
    *,
    sampling: Sampling,
    codecs: Mapping[str, type[Codec]] | None = None,
    limit: int | None = None,
) -> Rows:
    """Run ``feed`` through a pipeline of ``features`` and keep every row, valid or not; stops after ``limit`` rows or so."""
    instruments: Sequence[Instrument] = feed.open(FeedContext(codecs=codecs or {}, folder=Path(), clock=EventClock()))
    codec = feed.codec()
    if codec is not None:
        codec.open(SessionInstruments(instruments))
    source = feed if codec is None else codec
    rules = [source.sequence_rule(index) for index in range(len(instruments))]
    pipeline = Pipeline(features, instruments, rules, sampling=sampling)
    meta: list[NDArray[Any]] = []
    values: list[NDArray[Any]] = []

    def keep(batch: RowBatch) -> None:
        meta.append(batch.meta)
        values.append(batch.values)

    sink = Collector(pipeline, codec, keep, enough=lambda: limit is not None and sum(map(len, meta)) >= limit)
    asyncio.run(feed.run(sink))
    sink.flush()
    for problem in sink.damage:
        print(f"  note: {problem}")
    return Rows(
        np.concatenate(meta),
        np.concatenate(values),
        tuple(pipeline.schema),
        tuple(instrument.instrument_id for instrument in instruments),
        str(pipeline.fingerprint),
    )


def label_rows(rows: Rows, label: Label) -> Examples:
    """Every row of which the class is known: it and all rows up to the horizon are valid. One instrument."""
    meta, horizon = rows.meta, label.horizon_rows
    invalid_before = count_invalid(meta["valid"] != 0)
    begins = np.arange(max(0, len(meta) - horizon))
    now = begins[unbroken(invalid_before, begins, begins + horizon)]
    then = now + horizon
    mids = meta["bid"] + meta["ask"]
    moves = move_bps(mids[now], mids[then])
    return Examples(
        rows.values[now],
        direction(moves, label.threshold_bps).astype(np.int64) + 1,
        moves,
        meta["ts_recv"][now],
        meta["ts_recv"][then],
        meta["number"][now],
    )


def split_by_time(examples: Examples, fractions: Sequence[float], *, embargo: int) -> list[Examples]:
    """Consecutive parts of the span; the last ``embargo`` rows of each are left out, so that no label reaches into the next."""
    if abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"fractions add up to {sum(fractions)}, expected 1")
    cuts = [round(len(examples) * part) for part in np.cumsum([0.0, *fractions])]
    parts = []
    for begin, end in itertools.pairwise(cuts):
        last = end == cuts[-1]
        parts.append(examples.take(slice(begin, end if last else max(begin, end - embargo))))
    return parts


def join(*parts: Examples) -> Examples:
    """Examples of several markets or times as one set."""
    return Examples(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def mirror(examples: Examples, signs: NDArray[np.float32]) -> Examples:
    """The examples and their mirror images: what bids were, asks are, and up is down. ``signs`` is -1 for columns that change
    sign. So no model takes the trend of a few minutes for a law."""
    image = Examples(
        examples.inputs * signs,
        len(CLASSES) - 1 - examples.classes,
        -examples.moves,
        examples.starts,
        examples.ends,
        examples.rows,
    )
    return join(examples, image)


def even_threshold_bps(rows: Rows, horizon: int, *, flat: float = 1 / 3) -> float:
    """The threshold (two significant digits) at which about ``flat`` of the rows count as flat."""
    moves = label_rows(rows, Label(horizon_rows=horizon)).moves
    return float(f"{np.quantile(np.abs(moves), flat):.2g}")
