"""A part of a recording as a recording of its own, its bounds exact to the input."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vtframe.api import DecodeError, RecordingError
from vtframe.book import meta as m
from vtframe.builtin.recorded.lines import Line, Recordings
from vtframe.builtin.recorded.new_recording import Made, NewRecording
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind, Records, Side
from vtframe.features.pipeline import Pipeline
from vtframe.wire import End, FrameRecords, Heading, Lost, OnConnection

_WHOLE = 1 << 62
_NO_INPUT = (Heading, End, Lost, OnConnection)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be kept: from the first input at or after ``from_ns``, ``skip`` inputs later, to before the first one at or
    after ``to_ns``, and ``count`` inputs at most."""

    from_ns: int = 0
    to_ns: int = _WHOLE
    skip: int = 0
    count: int = _WHOLE


def cut(recordings: Recordings, part: Part, out: Path, *, made_by: str, snapshot: bool = False) -> Made:
    """Write ``part`` to ``out``. With ``snapshot`` every book that is live where it begins stands at its beginning.

    Raises RecordingError where nothing is in it, or it cannot be written.
    """
    return _Cut(recordings, part, out, made_by=made_by, snapshot=snapshot).run()


class _Cut:
    def __init__(self, recordings: Recordings, part: Part, out: Path, *, made_by: str, snapshot: bool) -> None:
        self._recordings = recordings
        self._part = part
        self._output = NewRecording(recordings, out, made_by)
        self._snapshot = snapshot
        self._pipeline = Pipeline([], recordings.instruments, recordings.rules, checksums=recordings.checksums)
        self._records = Records()
        self._orders: set[int] = set()  # instruments with frames about single orders

    def run(self) -> Made:
        part = self._part
        began, seen = False, 0
        with self._output as output:
            for line in self._recordings.lines(output.on_damage):
                is_input = not isinstance(line.item, _NO_INPUT)
                if not began and line.ts_recv >= part.from_ns and is_input:
                    began = True
                if not began:
                    self._follow(line)
                    continue
                if line.ts_recv >= part.to_ns and is_input:
                    break
                if seen < part.skip:
                    seen += is_input
                    self._follow(line)
                    continue
                if seen >= part.skip + part.count:
                    break
                if is_input and self._snapshot and not output.made.inputs:
                    self._write_books(line.ts_recv)
                    self._snapshot = False
                output.write(line)
                seen += is_input
            if not output.made.inputs:
                raise RecordingError(str(output.path), "nothing is in it: no input is between these bounds")
        return output.made

    def _follow(self, line: Line) -> None:
        """The books as they are where the part begins."""
        records = self._records
        records.clear()
        if not self._snapshot or not isinstance(line.item, bytes | FrameRecords):
            return
        try:
            self._recordings.decode(line, records)
        except DecodeError:
            return
        frames = records.frames[: records.n_frames]
        self._orders.update(frames["instrument"][frames["kind"] == FrameKind.ORDERS].tolist())
        if records.n_frames:
            self._pipeline.process(records)

    def _write_books(self, ts_recv: int) -> None:
        books, made = self._pipeline.books, self._output.made
        for index, instrument in enumerate(self._recordings.instruments):
            name, state = instrument.instrument_id, books.state(index)
            if index in self._orders:
                made.without.append(f"{name}: it is of single orders, and a book's levels do not tell their queues")
            elif state is not BookState.LIVE:
                made.without.append(f"{name}: its book is {state.name} there")
            else:
                self._output.frame(_picture(self._pipeline, index), ts_recv)
                made.snapshots.append(name)


def _picture(pipeline: Pipeline, index: int) -> FrameRecords:
    """The book, every level, as a snapshot that stands between two updates."""
    books = pipeline.books
    ts_event, flags = books.ts_event(index), int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)
    depth = int(books.meta[index, m.DEPTH])
    events = [(ts_event, 0, depth, 0, index, flags, int(EventKind.BOOK_CLEAR), 0)]
    for side in (Side.BUY, Side.SELL):
        prices, quantities = books.levels(index, side, _WHOLE >> 32)
        for price, quantity in zip(prices.tolist(), quantities.tolist(), strict=True):
            events.append((ts_event, price, quantity, 0, index, flags, int(EventKind.BOOK_DELTA), int(side)))
    last = events[-1]
    events[-1] = (*last[:5], flags | int(EventFlag.LAST), *last[6:])
    update_id = books.update_id(index)
    return FrameRecords((update_id, update_id, -1), -1, 0, index, int(FrameKind.SNAPSHOT), events)
