"""Bench of the live step: a recorded message's bytes in hand to its row of twelve features written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from vtframe.cli.bench.feature_sets import twelve_features
from vtframe.cli.bench.material import Material
from vtframe.cli.bench.rows import Row, time_row
from vtframe.cli.bench.twelve import PlainTwelve
from vtframe.domain import BookState, FrameKind, Records
from vtframe.features.pipeline import Pipeline

_FRAMES = 20_000  # depth frames measured, at most


def step_row(material: Material, say: Callable[[str], None]) -> Iterator[Row]:
    """One row, of recorded frames of one instrument; every message goes through both in turn, depth messages are timed."""
    if material.codec is None or len(material.instruments) != 1:
        return
    now = time.perf_counter_ns
    decode, records = material.codec.decode, Records()
    pipeline = Pipeline(twelve_features(), material.instruments, material.rules)
    by_hand = PlainTwelve(material.instruments[0])
    ours: list[float] = []
    theirs: list[float] = []
    for number, (stored, ts_recv) in enumerate(material.messages):
        data = b"%b" % stored  # just written, as a socket leaves it: neither pays for fetching it
        before = now()
        records.clear()
        decode(data, records)
        made = 0
        if records.n_frames:
            records.stamp(number=number, ts_recv=ts_recv)
            made = pipeline.process(records, 0, records.n_frames)
        middle = now()
        row = by_hand.message(data)
        after = now()
        if (
            made
            and row is not None
            and records.frames["kind"][0] == FrameKind.DEPTH
            and pipeline.books.state(0) == BookState.LIVE
        ):
            ours.append((middle - before) / 1e3)
            theirs.append((after - middle) / 1e3)
            if len(ours) == _FRAMES:
                break
    if not ours:
        return
    say(f"{len(ours):,} depth frames of {material.instruments[0].instrument_id} to rows of {len(pipeline.columns)} features")
    what = "live step: bytes to a row of 12 features, 10 levels"
    yield time_row(what, "us", ours, "msgspec, sorted lists, plain Python features", theirs)
