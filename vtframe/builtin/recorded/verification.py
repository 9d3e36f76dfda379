"""Whether recordings are whole: every block, every line, every count, the order of time, and every book's chain of updates."""

from __future__ import annotations

import msgspec

from vtframe.api import DecodeError
from vtframe.builtin.recorded.lines import Line, Recordings
from vtframe.domain import Records
from vtframe.features.pipeline import Pipeline
from vtframe.wire import Damage, End, FrameRecords, Heading, Lost, Mark, OnConnection
from vtframe.wire.blocks import BlockCheck, check_blocks

_KEPT = 50  # places that are told; all are counted
_FOLLOWS = (Heading, End, Lost, OnConnection)  # marks that are no input


class Verification(msgspec.Struct):
    """What was found. ``sound`` where the files are as they were written and nothing is missing in them."""

    files: int = 0
    blocks: int = 0  # packed ones that hold together
    lines: int = 0
    inputs: int = 0
    lost: int = 0  # inputs that the recorder lost
    torn: list[str] = []  # files that end inside a block or line, or are corrupt, with the byte up to which they are whole
    unfinished: list[str] = []  # recorder's files that were not closed in order
    damaged: int = 0  # lines that cannot be read
    broken: int = 0  # messages that cannot be decoded
    doubtful: int = 0  # of them, those in foreign files: in a recorder's they came like that
    miscounted: list[str] = []  # files that have more or fewer inputs than they say, or do not follow each other
    went_back: int = 0  # inputs whose time is before that of the one before
    frames: int = 0
    gaps: int = 0  # breaks in a chain of updates
    crossed: int = 0  # times that a book crossed
    mismatches: int = 0  # checksums that the book does not have
    verified: int = 0  # that it has
    resyncs: int = 0
    places: list[str] = []  # the first of all of these

    @property
    def sound(self) -> bool:
        return not (self.torn or self.unfinished or self.miscounted or self.lost or self.damaged or self.doubtful)

    @property
    def chained(self) -> bool:
        """Whether every message was read and every book followed without a break. A break may be the market's: a disconnect."""
        return not (self.gaps or self.crossed or self.mismatches or self.broken)


def verify(recordings: Recordings) -> Verification:
    """Read everything twice: the blocks, then the lines."""
    check = _Check(recordings)
    for position, file in enumerate(recordings.files):
        check.blocks(check_blocks(file.path), str(file.path))
        check.begin_file()
        for line in recordings.lines_of(position, check.on_damage):
            check.at(line)
        check.end_file(position)
    return check.finish()


class _Check:
    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self._found = Verification(files=len(recordings.files))
        self._pipeline = Pipeline([], recordings.instruments, recordings.rules, checksums=recordings.checksums)
        self._breaks = [(0, 0, 0)] * len(recordings.instruments)  # counts of each book so far
        self._records = Records()
        self._latest = 0
        self._heading: Heading | None = None
        self._end: End | None = None
        self._before: tuple[str, int, int] | None = None  # recording, file and inputs at the end of the file before
        self._inputs = 0  # of this file

    def blocks(self, checked: BlockCheck, path: str) -> None:
        self._found.blocks += checked.blocks
        if checked.problem:
            self._found.torn.append(f"{path}: {checked.problem}; whole up to byte {checked.whole:,} of {checked.size:,}")

    def begin_file(self) -> None:
        self._heading = self._end = None
        self._inputs = 0

    def on_damage(self, damage: Damage) -> None:
        self._found.damaged += 1
        self._note(damage.where, damage.problem)

    def at(self, line: Line) -> None:
        found = self._found
        found.lines += 1
        if isinstance(line.item, _FOLLOWS):
            self._mark(line, line.item)
            return
        found.inputs += 1
        self._inputs += 1
        if line.ts_recv < self._latest:
            found.went_back += 1
            if found.went_back == 1:
                self._note(self._recordings.where(line), f"time goes back by {self._latest - line.ts_recv} ns")
        self._latest = max(self._latest, line.ts_recv)
        if isinstance(line.item, bytes | FrameRecords):
            self._follow(line)

    def end_file(self, position: int) -> None:
        """Compare what a recorder's file says of itself with what it holds."""
        heading, end, path = self._heading, self._end, str(self._recordings.files[position].path)
        if heading is None:
            self._before = None
            return
        reached = heading.first + self._inputs
        if end is None:
            self._found.unfinished.append(f"{path}: was not closed in order: the process ended, or the disk was full")
        elif end.inputs != reached:
            self._found.miscounted.append(f"{path}: ends with input {end.inputs:,}, and holds {reached:,}")
        if self._before is not None and self._before[:2] == (heading.recording, heading.file - 1):
            if self._before[2] != heading.first:
                problem = f"begins after input {heading.first:,}, the file before ended with {self._before[2]:,}"
                self._found.miscounted.append(f"{path}: {problem}")
        elif heading.file > 1:
            self._found.miscounted.append(f"{path}: is file {heading.file} of its recording, and the one before is not here")
        self._before = (heading.recording, heading.file, reached)

    def finish(self) -> Verification:
        found, counts = self._found, self._pipeline.counts()
        found.frames, found.gaps, found.crossed = counts.frames, counts.gaps, counts.crossed
        found.mismatches, found.verified, found.resyncs = counts.mismatches, counts.verified, counts.resyncs
        return found

    def _mark(self, line: Line, item: Mark) -> None:
        if isinstance(item, Heading):
            if self._heading is not None:  # files were put one behind the other
                self.end_file(line.file)
                self.begin_file()
            self._heading = item
        elif isinstance(item, End):
            self._end = item
        elif isinstance(item, Lost):
            self._found.lost += item.inputs
            self._inputs += item.inputs
            self._note(self._recordings.where(line), f"{item.inputs} inputs were lost by the recorder")

    def _follow(self, line: Line) -> None:
        records, pipeline = self._records, self._pipeline
        records.clear()
        try:
            self._recordings.decode(line, records)
        except DecodeError as e:
            self._found.broken += 1
            self._found.doubtful += self._heading is None
            self._note(self._recordings.where(line), str(e))
            return
        if not records.n_frames:
            return
        pipeline.process(records)
        told: list[str] = []
        for instrument in set(records.frames["instrument"][: records.n_frames].tolist()):
            told += self._new_breaks(instrument)
        if told:
            self._note(self._recordings.where(line), f"the chain of updates breaks: {', '.join(told)}")

    def _new_breaks(self, instrument: int) -> list[str]:
        """What broke in one book since the last look, in words."""
        counts = self._pipeline.books.counts(instrument)
        now = (counts.gaps, counts.crossed, counts.mismatches)
        before, self._breaks[instrument] = self._breaks[instrument], now
        if now == before:
            return []
        gap, crossed, mismatch = (one - other for one, other in zip(now, before, strict=True))
        name = self._recordings.instruments[instrument].instrument_id
        words = [f"a wrong checksum of {name}"] * mismatch + [f"a crossed book of {name}"] * crossed
        return words or [f"a gap in {name}"] * gap

    def _note(self, where: str, problem: str) -> None:
        if len(self._found.places) < _KEPT:
            self._found.places.append(f"{where}: {problem}")
