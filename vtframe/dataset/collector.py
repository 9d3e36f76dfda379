"""A feed's sink that makes every row, in blocks: inputs are numbered, decoded and computed as the engine does it live.

What the engine numbers besides frames (damage, commands) has its number here too, so that rows name the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

import numpy as np

from vtframe.api import BookWatch, Codec, DecodeError
from vtframe.dataset.work_checkpoint import Place
from vtframe.domain import Records
from vtframe.errors import InvariantError
from vtframe.features.pipeline import Pipeline, RowBatch

BLOCK = 4096  # frames handed to the pipeline at once
_PLACES = 100  # of damage that are kept; all are counted


class Collector:
    """Hands every block of rows to ``receive``, in the order in which they were made.

    ``taken`` are numbers of inputs that a journal holds and the feed does not bring; no message gets one of them. ``enough``
    is asked between blocks of ``block`` frames: the feed stops once it says so. Call ``flush`` when the feed has returned.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        codec: Codec | None,
        receive: Callable[[RowBatch], None],
        *,
        taken: Collection[int] = (),
        enough: Callable[[], bool] = bool,
        block: int = BLOCK,
    ) -> None:
        self.number = 0  # of the next input
        self.inputs = 0  # messages and frames taken, for progress
        self.damage: list[str] = []
        self.damaged = 0
        self._pipeline = pipeline
        self._decode = codec.decode if codec is not None else _no_codec
        self._receive = receive
        self._taken = frozenset(taken)
        self._last_taken = max(self._taken, default=-1)
        self._enough = enough
        self._stopping = False
        self._block = block
        self._deliveries = 0  # calls of the feed, all in all
        self._known = 0  # of them, those that an earlier run has taken
        self._records = Records(frames=2 * BLOCK)

    @property
    def stopping(self) -> bool:
        return self._stopping

    @property
    def books(self) -> BookWatch:
        """As of the last block."""
        return self._pipeline.watch

    @property
    def place(self) -> Place:
        """Between blocks: what ``go_on`` takes in another run."""
        return Place(
            deliveries=self._deliveries,
            number=self.number,
            inputs=self.inputs,
            damaged=self.damaged,
            damage=list(self.damage),
        )

    def go_on(self, place: Place) -> None:
        """Take up where another run's collector was; its pipeline is as it was there. The feed must deliver the same from its
        beginning: up to there messages are only decoded, for codecs remember."""
        self._known = place.deliveries
        self.number, self.inputs = place.number, place.inputs
        self.damaged, self.damage = place.damaged, list(place.damage)

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        records = self._records
        self._deliveries += 1
        if self._deliveries <= self._known:
            self._pass(data, connection)
            return
        first = records.n_frames
        number = self.number
        if number in self._taken:
            number = self._free(number)
        self.number = number + 1
        self.inputs += 1
        records.connection = connection
        try:
            self._decode(data, records)
        except DecodeError as e:
            self._damaged(f"input {number}", str(e))
            return
        if records.n_frames > first:
            records.stamp(number=number, ts_recv=ts_recv, connection=connection, first_frame=first)
            if records.n_frames >= self._block:
                self.flush()

    def on_records(self, records: Records) -> None:
        if self._deliveries < self._known:
            self._deliveries += 1
            return
        self.flush()
        self._deliveries += 1
        count = records.n_frames
        self.inputs += count
        numbers = np.arange(self.number, self.number + count)
        if self._last_taken >= self.number:
            numbers = np.array([self._next() for _ in range(count)], np.int64)
        else:
            self.number += count
        records.frames["input"][:count] = numbers
        self._take(records)

    def on_damage(self, where: str, problem: str) -> None:
        self._deliveries += 1
        if self._deliveries <= self._known:
            return
        self._next()
        self._damaged(where, problem)

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self._deliveries += 1
        if self._deliveries <= self._known:
            return
        if self.number not in self._taken:  # else the journal says that it was this number
            self.number += 1

    def flush(self) -> None:
        """Compute what has gathered."""
        if self._records.n_frames:
            self._take(self._records)
            self._records.clear()

    def _take(self, records: Records) -> None:
        for batch in self._pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events]):
            if len(batch.meta):
                self._receive(batch)
        self._stopping = self._stopping or self._enough()

    def _pass(self, data: bytes, connection: int) -> None:
        """A message that an earlier run has taken: the codec sees it, and what it makes is dropped."""
        self._records.connection = connection
        with suppress(DecodeError):  # counted then
            self._decode(data, self._records)
        self._records.clear()

    def _damaged(self, where: str, problem: str) -> None:
        self.damaged += 1
        if len(self.damage) < _PLACES:
            self.damage.append(f"{where}: {problem}")

    def _next(self) -> int:
        number = self._free(self.number)
        self.number = number + 1
        return number

    def _free(self, number: int) -> int:
        while number in self._taken:
            number += 1
        return number


def _no_codec(data: bytes, records: Records) -> str:  # noqa: ARG001 - stands in for a codec
    raise InvariantError("a feed without a codec delivered a message; it must deliver records")
