"""A recording made of others' lines. It is removed again where making it fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from vtframe.api import DecodeError, RecordingError
from vtframe.builtin.recorded.lines import Line, Recordings
from vtframe.domain import FrameKind, Records
from vtframe.wire import ConnectionChange, Damage, DamageSeen, FrameRecords, Lost, Sidecar
from vtframe.wire.recording_writer import RecordingWriter


class Made(msgspec.Struct):
    """What was written."""

    path: str
    inputs: int = 0
    first_ns: int = 0
    last_ns: int = 0
    bytes: int = 0
    damaged: int = 0  # places of the sources that could not be read, and are not in it
    headless: list[str] = []  # instruments with depth updates and no snapshot
    waits: dict[str, int] = {}  # instruments with depth updates before their first snapshot: which input, from 0, that one is
    snapshots: list[str] = []  # instruments that a snapshot was made of, from the book as it was there
    without: list[str] = []  # instruments that none could be made of, and why
    connections: list[str] = []  # what became of which


class NewRecording:
    """Write lines while it is entered; then ``made`` says what it holds."""

    def __init__(self, recordings: Recordings, path: Path, made_by: str) -> None:
        if path.exists():
            raise RecordingError(str(path), "is there already", "name a file that does not exist")
        self.path = path
        self.made = Made(str(path))
        self._recordings = recordings
        self._indexes = [
            [recordings.indexes[instrument.instrument_id] for instrument in file.instruments] for file in recordings.files
        ]
        self._names = [instrument.instrument_id for instrument in recordings.instruments]
        self._records = Records()
        self._diffs: set[int] = set()
        self._full: set[int] = set()
        sidecars = [file.sidecar for file in recordings.files if file.sidecar is not None]
        self._sidecar = Sidecar(
            codec=recordings.files[0].codec,
            codec_settings=next((one.codec_settings for one in sidecars if one.codec_settings), {}),
            rules=() if recordings.codec is not None else recordings.rules,
            time_unit="ns",
            instruments=recordings.instruments,
            made_by=made_by,
        )
        self._writer = RecordingWriter(lambda _: path, self._sidecar, recording=path.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        writer = self._writer
        try:
            if error is None:
                self.made.headless = [self._names[index] for index in sorted(self._diffs - self._full)]
                writer.close()
                self.made.bytes = writer.bytes
                return
        except OSError as e:
            self._remove()
            raise RecordingError(str(self.path), f"cannot be written: {e.strerror or e}") from None
        self._remove()
        if isinstance(error, OSError):
            raise RecordingError(str(self.path), f"cannot be written: {error.strerror or error}") from None

    def describe(self, *, connections: tuple[str, ...]) -> None:
        """What the sidecar says besides."""
        self._writer.sidecar = msgspec.structs.replace(self._sidecar, connections=connections)

    def on_damage(self, damage: Damage) -> None:
        self.made.damaged += 1

    def write(self, line: Line, connection_of: Callable[[int], int] = int) -> None:
        """One line of the source, on the connection that ``connection_of`` makes of its own."""
        writer, ts, item = self._writer, line.ts_recv, line.item
        match item:
            case bytes():
                writer.frame(ts, item, connection_of(line.connection))
                self._look(line)
            case FrameRecords():
                if not self._can_be_held(line):
                    self.made.damaged += 1
                    return
                indexes = self._indexes[line.file]
                events = [(*event[:4], indexes[event[4]], *event[5:]) for event in item.events]
                connection = connection_of(item.connection)
                self.frame(
                    msgspec.structs.replace(item, connection=connection, instrument=indexes[item.instrument], events=events),
                    ts,
                )
                return
            case ConnectionChange():
                writer.mark(ts, ConnectionChange(connection_of(item.connection), item.up, item.reason), inputs=1)
            case DamageSeen():
                writer.mark(ts, item, inputs=1)
            case Lost():
                writer.lost(ts, item.inputs)
                return
            case _:
                return
        self._count(ts)

    def frame(self, frame: FrameRecords, ts_recv: int) -> None:
        """A frame with the new recording's own instruments."""
        self._writer.mark(ts_recv, frame, inputs=1)
        self._saw(frame.kind, frame.instrument)
        self._count(ts_recv)

    def _count(self, ts: int) -> None:
        made = self.made
        made.first_ns = made.first_ns if made.inputs else ts
        made.last_ns = max(made.last_ns, ts)
        made.inputs += 1

    def _can_be_held(self, line: Line) -> bool:
        """Whether a mark with records is as a recorder wrote it."""
        self._records.clear()
        try:
            self._recordings.decode(line, self._records)
        except DecodeError:
            return False
        return True

    def _look(self, line: Line) -> None:
        """Whether depth comes before a snapshot: only where that is not known yet."""
        if len(self._full) == len(self._recordings.instruments):
            return
        records = self._records
        records.clear()
        try:
            self._recordings.decode(line, records)
        except DecodeError:
            return
        frames = records.frames[: records.n_frames]
        for kind, instrument in zip(frames["kind"].tolist(), frames["instrument"].tolist(), strict=True):
            self._saw(kind, instrument)

    def _saw(self, kind: int, instrument: int) -> None:
        if instrument in self._full:
            return
        if kind == FrameKind.SNAPSHOT:
            self._full.add(instrument)
            if instrument in self._diffs:
                self.made.waits[self._names[instrument]] = self.made.inputs
        elif kind == FrameKind.DEPTH:
            self._diffs.add(instrument)

    def _remove(self) -> None:
        self._writer.abandon()
        for path in (self.path, self.path.with_name(self.path.name + ".toml")):
            path.unlink(missing_ok=True)
