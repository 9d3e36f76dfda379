"""Reads recordings: text lines ``<ts_recv> <raw frame>``, plain, gzip or zstd, one after the other and in bounded memory.

Nothing is lost silently: whatever cannot be read is told to the caller with its line number, and reading goes on where it can.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from vtframe.errors import RecordingError
from vtframe.wire.compression import compression, unpacked
from vtframe.wire.marks import PREFIX, Heading, Mark, Message, decode_mark, heading_of
from vtframe.wire.time_unit import NANOS, TimeUnit, check_same_unit, check_stated_unit, unit_of, window

_LONGEST = 1 << 24  # bytes of one line; a full book of 5,000 levels a side is below one MiB
_LONGEST_RECORDED = 1 << 27  # of a recorder's: whatever was received, which may be meant to be too much


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a recording that could not be read as it should. The words before the first colon name its kind."""

    path: Path
    line: int
    problem: str

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a recording, with its timestamps as they stand in the file."""

    stamps: tuple[tuple[int, int], ...]  # line number, value
    messages: tuple[bytes, ...]  # beside each
    complete: bool  # the whole file is in it
    heading: Heading | None = None  # of a file that a recorder wrote; then there may be no message
    began: int = 0  # the first line's timestamp


class RecordingReader:
    """One file. Iterate once over ``(line number, ts_recv in ns, frame)``, or over ``inputs`` for its marks as well.

    A line without a timestamp or frame is skipped and told to ``on_damage``. A timestamp earlier than the line's before is
    raised to that one, since the clock never goes back; such lines are counted in ``went_back`` and told once, at the end.
    Equal timestamps are normal. A timestamp in another unit than the first raises RecordingError.

    A file with a heading is what a session took: its timestamps are as they were, whatever they are.
    """

    def __init__(self, path: Path, unit: TimeUnit, on_damage: Callable[[Damage], None]) -> None:
        self.path = path
        self.unit = unit
        self.heading: Heading | None = None
        self.went_back = 0
        self.lines = 0  # read so far, of any kind
        self._on_damage = on_damage
        self._first_back = (0, "")

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        for number, ts_recv, item in self.inputs():
            if isinstance(item, bytes):
                yield number, ts_recv, item

    def inputs(self) -> Iterator[tuple[int, int, bytes | Mark]]:
        """Frames and marks, in order. A frame that was written as a mark is a frame here."""
        lines = _parsed(self.path, self._damaged)
        first = next(lines, None)
        if first is None:
            return
        self.heading = heading_of(str(self.path), first[2])
        if self.heading is not None:
            yield from self._recorded(lines, first)
        else:
            yield from self._foreign(itertools.chain((first,), lines))

    def tell_went_back(self) -> None:
        """Tell ``on_damage`` how often time went back so far, if it did; called at the end, and by who stops before it."""
        if self.went_back and self.heading is None:
            line, how_far = self._first_back
            lines = "1 line" if self.went_back == 1 else f"{self.went_back} lines"
            self._damaged(line, f"time goes back: in {lines}, here for the first time, {how_far}; read as the time before")

    def _recorded(
        self, lines: Iterator[tuple[int, int, bytes]], first: tuple[int, int, bytes]
    ) -> Iterator[tuple[int, int, bytes | Mark]]:
        for number, ts_recv, data in itertools.chain((first,), lines):
            self.lines = number
            if not data.startswith(PREFIX):
                yield number, ts_recv, data
                continue
            try:
                mark = decode_mark(data)
            except ValueError as e:
                self._damaged(number, str(e))
                continue
            yield number, ts_recv, mark.data if isinstance(mark, Message) else mark

    def _foreign(self, lines: Iterator[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
        factor = NANOS[self.unit]
        low = high = first_line = last = 0
        for number, stamp, data in lines:
            self.lines = number
            if not low <= stamp < high:
                if not first_line:
                    check_stated_unit(str(self.path), [(number, stamp)], self.unit)
                    low, high = window(stamp, self.unit)
                if low <= stamp < high:
                    first_line = number
                else:
                    check_same_unit(str(self.path), number, stamp, self.unit, first_line)
                    self._damaged(number, f"impossible timestamp: {stamp} in {self.unit}")
                    continue
            ts_recv = stamp * factor
            if ts_recv < last:
                if not self.went_back:
                    self._first_back = (number, f"by {last - ts_recv} ns")
                self.went_back += 1
                ts_recv = last
            last = ts_recv
            yield number, ts_recv, data
        self.tell_went_back()

    def _damaged(self, line: int, problem: str) -> None:
        self._on_damage(Damage(path=self.path, line=line, problem=problem))


def read_sample(path: Path, count: int) -> Sample:
    """The first ``count`` readable lines.

    Raises RecordingError where the file is missing, empty, or holds no line that starts with a timestamp.
    """
    stamps: list[tuple[int, int]] = []
    messages: list[bytes] = []
    damage: list[tuple[int, str]] = []
    complete = True
    heading: Heading | None = None
    began = -1
    for number, stamp, data in _parsed(path, lambda line, problem: damage.append((line, problem))):
        if began < 0:
            began, heading = stamp, heading_of(str(path), data)
        if len(stamps) == count or (heading is not None and number > count):
            complete = False
            break
        if heading is None or not data.startswith(PREFIX):
            stamps.append((number, stamp))
            messages.append(data)
    if began < 0:
        packed = compression(path)
        named = path.suffix if path.suffix in {".gz", ".zst", ".zstd"} and packed == "none" else ""
        kind = f"named {named}, but neither gzip nor zstd by its first bytes; and " if named else ""
        reason = f"line {damage[0][0]}: {damage[0][1]}" if damage else "it holds no line"
        raise RecordingError(str(path), f"{kind}not a recording: {reason}", "its lines must be `<ts_recv> <raw frame>`")
    return Sample(stamps=tuple(stamps), messages=tuple(messages), complete=complete, heading=heading, began=began)


def _parsed(path: Path, on_damage: Callable[[int, str], None]) -> Iterator[tuple[int, int, bytes]]:
    """Line number, timestamp as it stands, frame."""
    number = 0
    waiting: list[bytes] = []  # pieces of a line whose end has not come
    held = 0
    longest = _LONGEST
    torn: list[str] = []
    for piece in unpacked(path, torn.append):
        if torn:  # a block was passed over
            on_damage(number + 1, "; ".join(torn))
            torn.clear()
            waiting, held = [], 0
        if b"\n" not in piece:
            waiting.append(piece)
            held += len(piece)
            if held > longest:
                raise RecordingError(str(path), f"line {number + 1} is longer than {longest} bytes: not a recording")
            continue
        waiting.append(piece)
        lines = b"".join(waiting).split(b"\n")
        waiting = [lines.pop()]
        held = len(waiting[0])
        for line in lines:
            number += 1
            stamp, _, data = line.partition(b" ")
            if number == 1 and data.startswith(PREFIX):
                longest = _LONGEST_RECORDED
            if stamp.isdigit() and data and len(stamp) < 20:
                yield number, int(stamp), data if data[-1] != 13 else data[:-1]
            elif line.strip():
                on_damage(number, _fault(stamp, data))
    rest = b"".join(waiting)
    if torn:
        on_damage(number + 1, torn[0] + ("; the last line is torn" if rest else ""))
    elif rest.strip():  # the last line has no end
        stamp, _, data = rest.partition(b" ")
        if stamp.isdigit() and len(stamp) < 20 and _whole(data):
            yield number + 1, int(stamp), data.rstrip(b"\r")
        else:
            on_damage(number + 1, "torn last line: the file ends inside it")


def _whole(data: bytes) -> bool:
    """Whether a frame that nothing ends may be taken as complete: JSON must parse, anything else must not be empty."""
    if data[:1] not in (b"{", b"["):
        return bool(data.strip())
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def _fault(stamp: bytes, data: bytes) -> str:
    shown = stamp[:40].decode("ascii", "backslashreplace")
    if stamp.isdigit() and len(stamp) < 20:
        return f"line without a frame: only {shown!r}"
    if data and unit_of(_whole_part(stamp)) is not None:
        return f"line without a timestamp: {shown!r} is not a whole number"
    return f"line without a timestamp: starts with {shown!r}"


def _whole_part(stamp: bytes) -> int:
    whole = stamp.partition(b".")[0]
    return int(whole) if whole.isdigit() and len(whole) < 20 else -1
