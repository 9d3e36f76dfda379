"""Frames in, rows out: the books, the fused kernel and the ring of one session. The hot call is ``process``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import Feature, InputFeature, Sampling
from vtframe.book import Books
from vtframe.book import meta as m
from vtframe.book.books import MAX_CAPACITY
from vtframe.book.checksum import code_of
from vtframe.book.pending import PendingFrames
from vtframe.book.sequence import mark_gap
from vtframe.book.watch import BookWatch
from vtframe.buffers import RowRing
from vtframe.buffers.entry import Entry
from vtframe.buffers.native import retarget, table
from vtframe.buffers.ring import RowType
from vtframe.domain import BookState, ChecksumRule, Instrument, Records, SequenceRule, Side
from vtframe.errors import InvariantError
from vtframe.features import checkpoint
from vtframe.features import layout as at
from vtframe.features.fuse import fuse
from vtframe.features.gather import Gather
from vtframe.features.generate import ARRAYS
from vtframe.features.leaders import lead
from vtframe.features.plan import plan
from vtframe.features.python_calls import PythonCalls, slow
from vtframe.features.schema import input_features, schema_hash
from vtframe.kernels.bind import settings
from vtframe.kernels.cache import KernelCache
from vtframe.kernels.fingerprint import fingerprint

RING_ROWS = 4096
_FRAMES, _EVENTS, _NEAR, _FAR, _CONTROL, _FOLLOWERS = (
    ARRAYS.index(name) for name in ("frames", "events", "near", "far", "control", "followers")
)


class PipelineCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened, over all instruments."""

    frames: int
    events: int
    gaps: int
    resyncs: int
    crossed: int
    rows: int
    dropped_pending: int
    old_snapshots: int
    old_frames: int
    verified: int  # frames whose checksum agreed with the book
    mismatches: int  # and did not: each made a gap


RowMemory = Callable[[int, int, int, RowType], tuple[NDArray[Any], NDArray[Any]]]
"""(instruments, ring rows, columns, type) to the ring's (values, meta)."""


class RowBatch(msgspec.Struct, frozen=True):
    """Rows in the order in which they were made: ``meta`` (n,) of domain.ROW and ``values`` (n, columns), both copies."""

    meta: NDArray[Any]
    values: NDArray[Any]


class Pipeline:
    """Everything between decoded records and models, for one set of features, instruments and sampling.

    ``rules[i]`` is how instrument ``i``'s update ids follow each other, ``checksums[i]`` how its venue's checksum is made.
    ``ring_rows`` is the longest window that a model may ask for; memory is about 200 bytes a row and instrument.
    ``on_compile`` is told, in words, of anything slow or unusual. ``memory`` makes the ring's arrays, where others see them.
    Raises KernelError for a feature that cannot be compiled.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        instruments: Sequence[Instrument],
        rules: Sequence[SequenceRule],
        *,
        checksums: Sequence[ChecksumRule | None] = (),
        sampling: Sampling | None = None,
        dtype: RowType = "float32",
        ring_rows: int = RING_ROWS,
        cache_dir: Path | None = None,
        on_compile: Callable[[str], None] | None = None,
        memory: RowMemory | None = None,
    ) -> None:
        if len(instruments) != len(rules) or not instruments:
            raise ValueError(f"one sequence rule per instrument: found {len(rules)} for {len(instruments)}")
        self.sampling = sampling or Sampling()
        layout = plan(features)
        if self.sampling.leaders and all(placed.leader is None for placed in layout.placed):
            raise ValueError("rows at leaders' events are asked for, and no feature has a leader: instrument is empty in all")
        self._placed = {placed.label: placed for placed in layout.placed}
        self.columns = layout.columns
        self.depth = layout.depth
        self.warmup = layout.warmup
        self.dtype: RowType = dtype
        self.schema: list[InputFeature] = input_features(layout)
        self.schema_hash = schema_hash(self.schema, self.sampling, dtype)
        self.fingerprint = fingerprint()
        cache = KernelCache(cache_dir, on_compile)
        fused = fuse(layout, self.sampling, dtype, cache)
        self.source, self.digest = fused.source, fused.digest
        self._run: Callable[[Any, int, int], int] = _quietly(fused.run) if settings.DISABLE_JIT else fused.run
        tell = on_compile or str
        for placed in layout.placed:
            if told := slow(placed.feature, placed.kernel):
                tell(told)

        count = len(instruments)
        ticks = [instrument.tick_size for instrument in instruments]
        self.books = Books(rules, ticks=ticks, extra=layout.ints - m.COLUMNS)
        self._ints = self.books.meta
        self._ints[:, m.PRICE_DECIMALS] = [instrument.price_decimals for instrument in instruments]
        self._ints[:, m.QUANTITY_DECIMALS] = [instrument.quantity_decimals for instrument in instruments]
        if checksums:
            self._ints[:, m.CHECK] = [code_of(rule) for rule in checksums]
        lead(self._ints, layout, instruments)
        self._floats = np.zeros((count, layout.floats))
        for row, instrument in zip(self._floats, instruments, strict=True):
            row[at.PRICE_SCALE] = 10.0**instrument.price_decimals
            row[at.QUANTITY_SCALE] = 10.0**instrument.quantity_decimals
            row[at.TICK_SIZE] = instrument.tick_size / row[at.PRICE_SCALE]
        self._python = None if settings.DISABLE_JIT else PythonCalls(layout, self._ints, self._floats)
        if self._python:
            self._run = _checking(self._run, self._python)
        self.ring = RowRing(
            count,
            ring_rows,
            len(self.columns),
            dtype=dtype,
            heads=self._ints[:, at.HEAD],
            memory=memory(count, ring_rows, len(self.columns), dtype) if memory else None,
        )
        self._gather = Gather(self.ring, cache)
        self._pending = [PendingFrames() for _ in instruments]
        self.watch = BookWatch(self.books, self._pending)
        self._identity = checkpoint.Identity(
            schema_hash=self.schema_hash,
            fingerprint=self.fingerprint,
            instruments=tuple(map(checkpoint.unit, instruments)),
            ring_rows=ring_rows,
            kernel=checkpoint.code(layout, self.digest),
        )
        empty = Records(frames=1, events=1)
        self._frames, self._events = empty.frames, empty.events
        self._limit = 1  # rows that one input may need room for
        if self.sampling.every == "clock":
            self._limit = count + 1
        elif self.sampling.leaders:
            self._limit = count
        self._limit = max(self._limit, ring_rows // 2)
        self.on_full: Callable[[], None] | None = None
        self._control = np.zeros(at.NEW + self._limit, np.int64)
        self._control[at.LIMIT] = self._limit
        self._control[at.INTERVAL] = (self.sampling.interval_ms or 0) * 1_000_000
        self._cells = memoryview(self._control.data)
        self._joined: tuple[Entry, ...] = ()
        self._followers = np.zeros((0, 2), np.int64)
        self._handles = table(
            (
                self._frames,
                self._events,
                self.books.near,
                self.books.far,
                self._ints,
                self._floats,
                self.ring.values,
                self.ring.meta,
                self._control,
                self._followers,
            )
        )

    @property
    def new_rows(self) -> NDArray[np.int64]:
        """The instrument of each row that the last ``process`` made, in order: a view, overwritten by the next call."""
        return self._control[at.NEW : at.NEW + self._cells[at.COUNT]]

    def process(self, records: Records, first: int = 0, last: int | None = None) -> int:
        """Handle frames ``first`` to ``last`` (numbers and arrival times stamped); returns how many rows ``new_rows`` has.

        A call that makes more rows than half the ring (a clock after a long silence) stops on the way for ``on_full``, which
        sees ``new_rows`` and the ring as they are then; the answer counts what came after it. Raises InvariantError for a
        frame that breaks the contract of records.
        """
        if records.frames is not self._frames or records.events is not self._events:
            self._aim(records.frames, records.events)
        if last is None:
            last = records.n_frames
        self._cells[at.COUNT] = 0
        code = self._run(self._handles, first, last)
        while code:
            if code == at.FULL and self.on_full is not None:
                self.on_full()
                self._cells[at.COUNT] = 0
            elif code == at.FULL:
                self._make_room()
            code = self._run(self._handles, self._answer(code), last)
        return self._cells[at.COUNT]

    def join(self, entries: Sequence[Entry]) -> None:
        """From the next call of ``process`` on, these are called inside it (and those of before no more): for the newest row of
        every instrument that has a new one, where that is valid, with ``(table, instrument, instrument + 1, its place)``."""
        followers = np.array([[entry.address, entry.table] for entry in entries], np.int64).reshape(-1, 2)
        retarget(self._handles, _FOLLOWERS, followers)
        self._followers, self._joined = followers, tuple(entries)

    def batch(self, frames: NDArray[Any], events: NDArray[Any]) -> Iterator[RowBatch]:
        """Handle all frames, and yield every row that they make, however many, block by block.

        The blocks hold copies. Leave no iteration unfinished: what it did not reach was not handled.
        """
        frames, events = (np.require(array, requirements=("C", "A", "W")) for array in (frames, events))
        self._cells[at.COUNT] = 0
        self._cells[at.LIMIT] = self._limit  # a block's rows must all be in the ring still; process may have gone beyond
        position = 0
        while position < len(frames):
            self._aim(frames, events)
            code = self._run(self._handles, position, len(frames))
            if code == at.DONE:
                break
            position = self._answer(code)
            if code == at.FULL:
                yield self._drain()
        yield self._drain()

    def state(self, label: str, instrument: int = 0) -> dict[str, NDArray[Any]]:
        """What a feature remembers of an instrument now, by name: copies."""
        memory = {"f8": self._floats[instrument], "i8": self._ints[instrument]}
        return {name: memory[one.dtype][at_ : at_ + one.length].copy() for name, one, at_ in self._placed[label].state}

    def lose(self, instrument: int, state: BookState = BookState.STALE) -> None:
        """A live book is not to be trusted any more (its connection is down, or silent): it waits for a snapshot."""
        if self.books.state(instrument) == BookState.LIVE:
            self._ints[instrument, m.STATE] = int(state)

    def counts(self) -> PipelineCounts:
        books = [self.books.counts(instrument) for instrument in range(len(self.books))]
        return PipelineCounts(
            frames=sum(book.frames for book in books),
            events=sum(book.events for book in books),
            gaps=sum(book.gaps for book in books),
            resyncs=sum(book.resyncs for book in books),
            crossed=sum(book.crossed for book in books),
            rows=self._cells[at.ROWS],
            dropped_pending=sum(pending.dropped for pending in self._pending),
            old_snapshots=sum(book.old_snapshots for book in books),
            old_frames=sum(book.old_frames for book in books),
            verified=sum(book.verified for book in books),
            mismatches=sum(book.mismatches for book in books),
        )

    def state_digest(self) -> str:
        """A hash of all that the next frame's outcome depends on, and of the rows in the ring."""
        ints = self._ints.copy()
        ints[:, at.CALLBACK] = 0  # an address of this process
        digest = hashlib.sha256(ints.tobytes() + self._floats.tobytes())
        for instrument in range(len(self.books)):
            for side in Side:
                for array in self.books.levels(instrument, side, self.books.capacity):
                    digest.update(array.tobytes())
            frames, events = self._pending[instrument].arrays()
            digest.update(frames.tobytes() + events.tobytes())
        digest.update(self.ring.values.tobytes() + self.ring.meta.tobytes())
        digest.update(self._control[at.NEXT_CLOCK].tobytes())
        return digest.hexdigest()

    def snapshot(self) -> bytes:
        """All that the next frame's outcome depends on, and the rows in the ring. Between calls of ``process``."""
        return checkpoint.write(self._identity, **self._memory())

    def restore(self, data: bytes) -> None:
        """Go on where ``snapshot`` was taken, here or in another process: the same frames then make the same bits.

        Raises SessionError where the bytes are damaged, or where features, code, instruments, ring or fingerprint differ; the
        pipeline is then as it was.
        """
        checkpoint.restore(checkpoint.read(data, self._identity), **self._memory())
        retarget(self._handles, _NEAR, self.books.near)
        retarget(self._handles, _FAR, self.books.far)

    def _memory(self) -> dict[str, Any]:
        return {
            "books": self.books,
            "floats": self._floats,
            "ring": self.ring,
            "pending": self._pending,
            "control": self._control,
        }

    def _answer(self, code: int) -> int:
        """Do what the kernel stopped for; returns the frame to continue at."""
        position = self._cells[at.POSITION]
        if code == at.FULL:
            return position
        if code == at.GROW and self._cells[at.NEED] > MAX_CAPACITY:
            self._refuse(position)
            return position + 1
        if code == at.GROW:
            self.books.grow(self._cells[at.NEED])
            retarget(self._handles, _FAR, self.books.far)
            return position
        frame = self._frames[position]
        if code == at.BAD:
            raise InvariantError(f"frame {position} of input {frame['input']} is not a valid record: {frame}")
        instrument = int(frame["instrument"])
        if code == at.PEND:
            self.watch.alarms += 1
            start = int(frame["first_event"])
            self._pending[instrument].keep(frame, self._events[start : start + int(frame["n_events"])])
            self._ints[instrument, m.PENDING] = len(self._pending[instrument])
        else:
            self._resync(instrument, int(frame["input"]), int(frame["ts_recv"]))
        return position + 1

    def _refuse(self, position: int) -> None:
        """A frame would make a book larger than any is: it is left out, and the book waits for a snapshot."""
        meta = self._ints[int(self._frames[position]["instrument"])]
        if meta[m.STATE] == BookState.LIVE:
            mark_gap(meta)
        self.watch.alarms += 1

    def _resync(self, instrument: int, number: int, ts_recv: int) -> None:
        """A snapshot is in the book: apply the frames that waited for it, and let the features start."""
        pending, cells = self._pending[instrument], self._cells
        before = self._frames, self._events
        self._aim(*pending.arrays())
        try:
            cells[at.MODE] = at.REPLAY
            code = self._run(self._handles, 0, len(pending))
            while code:
                code = self._run(self._handles, self._answer(code), len(pending))
            pending.drop(cells[at.POSITION])
            self._ints[instrument, m.PENDING] = len(pending)
            cells[at.MODE], cells[at.INPUT], cells[at.TS_RECV] = at.FINISH, number, ts_recv
            self._run(self._handles, instrument, 0)
        finally:
            cells[at.MODE] = at.RUN
            self._aim(*before)

    def _aim(self, frames: NDArray[Any], events: NDArray[Any]) -> None:
        """Let the kernel read these arrays; they are kept alive until others take their place."""
        retarget(self._handles, _FRAMES, frames)
        retarget(self._handles, _EVENTS, events)
        self._frames, self._events = frames, events

    def _make_room(self) -> None:
        """Let one call make more rows than the ring holds: the caller sees the newest of them."""
        control = np.zeros(at.NEW + 2 * (len(self._control) - at.NEW), np.int64)
        control[: len(self._control)] = self._control
        control[at.LIMIT] = len(control) - at.NEW
        self._control, self._cells = control, memoryview(control.data)
        retarget(self._handles, _CONTROL, control)

    def _drain(self) -> RowBatch:
        """Copy the rows made since the last look, and forget that they are new."""
        meta, values = self._gather.newest(self.new_rows, self._ints[:, at.HEAD])
        self._cells[at.COUNT] = 0
        return RowBatch(meta, values)


def _checking(run: Callable[[Any, int, int], int], python: PythonCalls) -> Callable[[Any, int, int], int]:
    """Raises what a feature raised while it ran as Python."""

    def checked(handles: Any, first: int, last: int) -> int:
        code = run(handles, first, last)
        python.raise_error()
        return code

    return checked


def _quietly(run: Callable[[Any, int, int], int]) -> Callable[[Any, int, int], int]:
    """Plain Python warns where compiled code answers nan or infinity."""

    def quiet(handles: Any, first: int, last: int) -> int:
        with np.errstate(all="ignore"):
            return int(run(handles, first, last))

    return quiet
