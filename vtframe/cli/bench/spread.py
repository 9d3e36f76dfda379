"""One stream of events laid out over any number of instruments, and three ways to hand it to a pipeline.

The stream is cut into as many pieces as there are instruments; each starts (untimed) on a snapshot of the stream's book where
its piece begins. So every number of instruments has the same events and the same changes of books.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.cli.bench.feature_sets import six_features
from vtframe.cli.bench.material import Material
from vtframe.cli.bench.rows import Row, seconds, time_row
from vtframe.domain import EventFlag, FrameKind, Records, Side
from vtframe.features.pipeline import RING_ROWS, Pipeline

Order = Literal["round-robin", "bursts"]
BURST = 32
_KINDS = (FrameKind.DEPTH, FrameKind.TRADE)


class Spread(msgspec.Struct, frozen=True):
    """One stream on many instruments: ``snapshots`` first, then ``frames``, whose events lie in ``events`` in that order."""

    snapshots: Records
    frames: NDArray[Any]
    events: NDArray[Any]


def spread(material: Material, count: int, order: Order) -> Spread:
    """Cut the stream into ``count`` pieces of equal numbers of frames, and lay them out in the order of arrival."""
    frames, events = material.frames, material.events
    start = int(np.flatnonzero(frames["kind"] == FrameKind.SNAPSHOT)[0]) + 1
    found = start + np.flatnonzero(np.isin(frames["kind"][start:], _KINDS))
    each = len(found) // count
    chosen = found[: each * count].reshape(count, each)  # row i: the frames of instrument i
    snapshots = _snapshots(material, start, chosen[:, 0])
    instrument, place = np.divmod(np.arange(chosen.size), each)
    turn = place // (BURST if order == "bursts" else 1)
    arrival = np.lexsort((place, instrument, turn))
    laid = frames[chosen.reshape(-1)[arrival]]
    first = laid["first_event"].copy()
    laid["instrument"] = instrument[arrival]
    laid["ts_recv"] = np.sort(laid["ts_recv"])
    laid["first_event"] = np.cumsum(laid["n_events"]) - laid["n_events"]
    source = np.repeat(first - laid["first_event"], laid["n_events"]) + np.arange(int(laid["n_events"].sum()))
    moved = events[source]
    moved["instrument"] = np.repeat(laid["instrument"], laid["n_events"])
    return Spread(snapshots, laid, moved)


def _snapshots(material: Material, start: int, cuts: NDArray[np.int64]) -> Records:
    """The stream's book before each of the frames ``cuts``, as that instrument's snapshot."""
    pipeline = Pipeline([], material.instruments, material.rules)
    records = as_records(material.frames, material.events)
    made = Records(frames=len(cuts), events=1 << 20)
    position = 0
    for instrument, cut in enumerate(cuts.tolist()):
        pipeline.process(records, position, cut)
        position = cut
        books = pipeline.books
        sides = {side: np.column_stack(books.levels(0, side, books.capacity)) for side in Side}
        made.append_levels(
            kind=FrameKind.SNAPSHOT,
            instrument=instrument,
            ts_event=int(material.frames["ts_recv"][start]),
            bids=sides[Side.BUY],
            asks=sides[Side.SELL],
            flags=EventFlag.SNAPSHOT,
            clear=True,
            last_id=books.update_id(0),
        )
    return made


def as_records(frames: NDArray[Any], events: NDArray[Any]) -> Records:
    """Arrays as what ``Pipeline.process`` reads."""
    records = Records(frames=1, events=1)
    records.frames, records.events = frames, events
    records.n_frames, records.n_events = len(frames), len(events)
    return records


def pipeline_of(material: Material, count: int, laid: Spread, *, ring_rows: int = RING_ROWS, touch: bool = True) -> Pipeline:
    """A pipeline whose books are synced; with ``touch`` every page of its rings is in memory, as after the first lap."""
    instrument, rule = material.instruments[0], material.rules[0]
    names = [msgspec.structs.replace(instrument, symbol=f"{instrument.symbol}{index}") for index in range(count)]
    pipeline = Pipeline(six_features(), names, [rule] * count, ring_rows=ring_rows)
    if touch:
        pipeline.ring.values.fill(0)
        pipeline.ring.meta.view(np.uint8).fill(0)
    pipeline.process(laid.snapshots)
    return pipeline


def by_frame(pipeline: Pipeline, laid: Spread) -> float:
    """Nanoseconds an event, one call a frame: a live session's way."""
    records = as_records(laid.frames, laid.events)
    process = pipeline.process

    def run() -> None:
        for index in range(len(laid.frames)):
            process(records, index, index + 1)

    return seconds(run) / len(laid.events) * 1e9


def by_batch(pipeline: Pipeline, laid: Spread) -> float:
    """Nanoseconds an event in ``Pipeline.batch``: research's way."""

    def run() -> None:
        for _ in pipeline.batch(laid.frames, laid.events):
            pass

    return seconds(run) / len(laid.events) * 1e9


def in_kernel(pipeline: Pipeline, laid: Spread) -> float:
    """Nanoseconds an event with one call for the frames of every 1,024: the kernel, without Python's part of either way."""
    records = as_records(laid.frames, laid.events)

    def run() -> None:
        for first in range(0, len(laid.frames), 1024):
            pipeline.process(records, first, min(first + 1024, len(laid.frames)))

    return seconds(run) / len(laid.events) * 1e9


WAYS = {"frame by frame": by_frame, "batch": by_batch, "kernel": in_kernel}

_MANY = 1_000
_REPEATS = 5
_RING = 256  # rows an instrument: its size has no say in the cost, a thousand long rings fill a gigabyte


def instrument_rows(material: Material, say: Callable[[str], None]) -> Iterator[Row]:
    """Cost of an event with 1,000 instruments in turn beside one, by frame and in batch. Of a stream of one instrument."""
    if len(material.instruments) != 1 or len(material.frames) < 4 * _MANY:
        return
    laid = {count: spread(material, count, "round-robin") for count in (1, _MANY)}
    say(f"{len(laid[_MANY].frames):,} frames, {len(laid[_MANY].events):,} events on 1 and on {_MANY:,} instruments in turn")
    for name, way in (("frame by frame", by_frame), ("batch", by_batch)):
        costs: dict[int, list[float]] = {count: [] for count in laid}
        for _ in range(_REPEATS):
            for count, found in costs.items():
                found.append(way(pipeline_of(material, count, laid[count], ring_rows=_RING), laid[count]))
        yield time_row(f"instruments: {name}, {_MANY:,} in turn", "ns/event", costs[_MANY], "one instrument", costs[1])
