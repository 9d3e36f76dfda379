"""Top-of-book imbalance with vtframe: the compiled batch over records in memory, one feature, a row for every frame."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from replay_events import Replay

from vtframe.builtin.features.book_imbalance import BookImbalance
from vtframe.domain import BookState, Instrument, SequenceRule
from vtframe.features.pipeline import Pipeline


class VtframeRun:
    """``seconds`` replays once, books built anew; ``series`` is what the replay before computed."""

    name = "vtframe batch"

    def __init__(self, replay: Replay, instrument: Instrument, rule: SequenceRule) -> None:
        self._replay = replay
        self._instrument = instrument
        self._rule = rule

    def seconds(self) -> float:
        pipeline = Pipeline([BookImbalance(levels=1)], [self._instrument], [self._rule], dtype="float64")
        before = time.perf_counter_ns()
        self._batches = list(pipeline.batch(self._replay.frames, self._replay.events))
        return (time.perf_counter_ns() - before) / 1e9

    def series(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Arrival time and imbalance of every row."""
        meta = np.concatenate([batch.meta for batch in self._batches])
        if not (meta["state"] == BookState.LIVE).all():
            raise ValueError("a recording with a gap: the peers, which check no update ids, would compute something else")
        return meta["ts_recv"], np.concatenate([batch.values[:, 0] for batch in self._batches])
