"""Recordings read as they are, file after file, for whoever looks at them: nothing is refused that can be read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from vtframe.api import Codec, DecodeError, RecordingError
from vtframe.builtin.recorded.identity import Identity, identify
from vtframe.domain import ChecksumRule, EventKind, FrameKind, Instrument, Records, SequenceRule
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.wire import Damage, FrameRecords, Heading, Mark, OnConnection, RecordingReader

_FRAMES, _EVENTS = frozenset(FrameKind), frozenset(EventKind)


class Line(NamedTuple):
    """One line: a frame, or a mark of a recorder's file."""

    file: int  # position among the files
    number: int
    ts_recv: int
    item: bytes | Mark
    connection: int  # that a frame came on


class Recordings:
    """Files of one market: their instruments, their codec, their lines."""

    def __init__(self, paths: Sequence[Path], codecs: Mapping[str, type[Codec]]) -> None:
        """Raises RecordingError for files that cannot be told what they are, or that are of several codecs or units."""
        self.files = [identify(path, codecs) for path in expanded(paths)]
        names = sorted({file.codec for file in self.files})
        if len(names) > 1:
            told = ", ".join(name or "none (its feed decoded)" for name in names)
            raise RecordingError(str(self.files[0].path), f"and the files after it need {len(names)} codecs: {told}")
        self.instruments = _union(self.files)
        self.indexes = {instrument.instrument_id: index for index, instrument in enumerate(self.instruments)}
        self.codec: Codec | None = None
        if names[0]:
            settings = [file.sidecar.codec_settings for file in self.files if file.sidecar is not None]
            self.codec = msgspec.convert(next(filter(None, settings), {}), codecs[names[0]])
            self.codec.open(SessionInstruments(self.instruments))
        self.done = 0  # lines read, for progress

    @property
    def total(self) -> int | None:
        """Lines in all, where that is known."""
        counts = [file.lines for file in self.files]
        return sum(count for count in counts if count is not None) if None not in counts else None

    @property
    def rules(self) -> tuple[SequenceRule, ...]:
        """How each instrument's update ids follow each other."""
        if self.codec is not None:
            return tuple(self.codec.sequence_rule(index) for index in range(len(self.instruments)))
        found = {
            instrument.instrument_id: rule
            for file in self.files
            if file.sidecar is not None
            for instrument, rule in zip(file.instruments, file.sidecar.rules, strict=True)
        }
        return tuple(found[instrument.instrument_id] for instrument in self.instruments)

    @property
    def checksums(self) -> tuple[ChecksumRule | None, ...]:
        if self.codec is None:
            return ()
        return tuple(self.codec.checksum_rule(index) for index in range(len(self.instruments)))

    def where(self, line: Line) -> str:
        return f"{self.files[line.file].path}:{line.number}"

    def lines(self, on_damage: Callable[[Damage], None]) -> Iterator[Line]:
        """All lines, in order. Foreign files' times do not go back within a file, as they are played."""
        for position in range(len(self.files)):
            yield from self.lines_of(position, on_damage)

    def lines_of(self, position: int, on_damage: Callable[[Damage], None]) -> Iterator[Line]:
        """Those of one file."""
        file = self.files[position]
        connection = 0
        for number, ts_recv, item in RecordingReader(file.path, file.unit, on_damage).inputs():
            self.done += 1
            if isinstance(item, Heading | OnConnection):
                connection = item.connection
            yield Line(position, number, ts_recv, item, connection)

    def decode(self, line: Line, records: Records) -> str:
        """Append the line's frames, with time and connection; the name of the message's type, empty where it is none.

        Raises DecodeError for a broken message.
        """
        first = records.n_frames
        name = ""
        if isinstance(line.item, bytes):
            if self.codec is None:
                return "message without a codec"
            records.connection = line.connection
            name = self.codec.decode(line.item, records)
            records.stamp(number=0, ts_recv=line.ts_recv, connection=line.connection, first_frame=first)
        elif isinstance(line.item, FrameRecords):
            append_frame(records, line.item, line.ts_recv, self._indexes_of(line.file))
            name = "frame"
        return name

    def _indexes_of(self, position: int) -> list[int]:
        return [self.indexes[instrument.instrument_id] for instrument in self.files[position].instruments]


def append_frame(records: Records, item: FrameRecords, ts_recv: int, indexes: Sequence[int]) -> None:
    """A frame that a line holds, its instruments by their positions in the sidecar made those of ``indexes``.

    Raises DecodeError for one that no feed delivers (somebody edited the file), and then appends nothing.
    """
    first, last, previous = item.ids
    try:
        events = [
            (0, ts_event, price, quantity, order_id, indexes[instrument], flags, kind, side)
            for ts_event, price, quantity, order_id, instrument, flags, kind, side in item.events
            if _is_event(instrument, quantity, kind, side)
        ]
        if len(events) < len(item.events) or item.kind not in _FRAMES or item.instrument < 0:
            raise DecodeError("a frame of records breaks their contract")
        records.append(
            kind=item.kind,
            instrument=indexes[item.instrument],
            events=events,
            ts_recv=ts_recv,
            first_id=first,
            last_id=last,
            previous_id=previous,
            checksum=item.checksum,
            connection=item.connection,
        )
    except (IndexError, struct.error, OverflowError) as e:
        raise DecodeError(f"a frame of records cannot be held: {e}") from None


def _is_event(instrument: int, quantity: int, kind: int, side: int) -> bool:
    if instrument < 0 or quantity < 0 or kind not in _EVENTS:
        return False
    return side in {1, -1} if kind == EventKind.BOOK_DELTA else side in {0, 1, -1}


def expanded(paths: Sequence[Path]) -> list[Path]:
    """Folders replaced by the recordings in them: a recorder's folder, or a session's. Raises RecordingError for none."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        folder = path / "recording" if (path / "recording").is_dir() else path
        files = sorted(folder.glob("[0-9][0-9][0-9][0-9][0-9][0-9].zst"))
        if not files:
            raise RecordingError(str(path), "is a folder without a recorder's files", "name files, or a session's folder")
        found += files
    return found


def _union(files: Sequence[Identity]) -> tuple[Instrument, ...]:
    found: dict[str, Instrument] = {}
    for file in files:
        for instrument in file.instruments:
            if found.setdefault(instrument.instrument_id, instrument) != instrument:
                raise RecordingError(
                    str(file.path), f"{instrument.instrument_id} has other units here than in the files before", "split them"
                )
    return tuple(found.values())
