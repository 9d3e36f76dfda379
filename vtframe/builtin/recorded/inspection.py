"""What recordings hold, read once from end to end: spans, counts by type and instrument, connections, silences, rates."""

from __future__ import annotations

from collections import Counter

import msgspec

from vtframe.api import DecodeError
from vtframe.builtin.recorded.lines import Line, Recordings
from vtframe.domain import FrameKind, Records
from vtframe.wire import ConnectionChange, Damage, DamageSeen, End, FrameRecords, Heading, Lost

_KEPT = 20  # places that are kept; all are counted
_SECOND = 1_000_000_000
_KINDS = {kind: kind.name.lower() for kind in FrameKind}


class FileFound(msgspec.Struct):
    """One file."""

    path: str
    size: int
    codec: str
    recording: str = ""  # of a recorder's file: which one it belongs to, and
    number: int = 0  # which of its files it is
    complete: bool | None = None  # it was closed in order; None for a foreign file, which does not say


class InstrumentFound(msgspec.Struct):
    """One instrument's frames by kind, and breaks in the chain of its update ids."""

    instrument: str
    frames: Counter[str] = msgspec.field(default_factory=Counter)
    events: int = 0


class ConnectionFound(msgspec.Struct):
    """One connection."""

    connection: int
    messages: int = 0
    up: int = 0  # how often it came up, went down
    down: int = 0


class Inspection(msgspec.Struct):
    """All of it. Times are ns UTC."""

    files: list[FileFound]
    inputs: int = 0
    lost: int = 0  # by the recorder
    first_ns: int = 0
    last_ns: int = 0
    bytes: int = 0  # of frames, unpacked
    messages: Counter[str] = msgspec.field(default_factory=Counter)  # by the name of their type
    instruments: list[InstrumentFound] = []
    connections: list[ConnectionFound] = []
    silence_ns: int = 0  # the longest time between two inputs
    silence_at: str = ""  # where the input after it stands
    busiest_second: int = 0  # inputs in the second that had most
    busiest_ns: int = 0  # when it began
    went_back: int = 0  # inputs that came, by their time, before the one before
    broken: int = 0  # messages that cannot be decoded
    damaged: int = 0  # places that cannot be read, here or when it was received
    places: list[str] = []  # the first of broken, damaged and lost

    @property
    def rate(self) -> float:
        """Inputs a second, on average."""
        span = self.last_ns - self.first_ns
        return self.inputs * _SECOND / span if span > 0 else 0.0


def inspect(recordings: Recordings) -> Inspection:
    """Read everything once."""
    found = Inspection(
        files=[FileFound(str(file.path), file.path.stat().st_size, file.codec) for file in recordings.files],
        instruments=[InstrumentFound(instrument.instrument_id) for instrument in recordings.instruments],
    )
    look = _Look(recordings, found)
    for line in recordings.lines(look.on_damage):
        look.at(line)
    found.connections = [look.connections[key] for key in sorted(look.connections)]
    return found


class _Look:
    def __init__(self, recordings: Recordings, found: Inspection) -> None:
        self.connections: dict[int, ConnectionFound] = {}
        self._recordings = recordings
        self._found = found
        self._records = Records()
        self._second = 0  # the one that is counted, and how many it has
        self._in_second = 0

    def on_damage(self, damage: Damage) -> None:
        self._found.damaged += 1
        self._note(damage.where, damage.problem)

    def at(self, line: Line) -> None:
        found, item = self._found, line.item
        file = found.files[line.file]
        match item:
            case Heading():
                file.recording, file.number, file.complete = item.recording, item.file, False
                return
            case End():
                file.complete = True
                return
            case Lost():
                found.lost += item.inputs
                self._note(self._recordings.where(line), f"{item.inputs} inputs were lost by the recorder")
                return
            case ConnectionChange():
                connection = self._connection(item.connection)
                connection.up += item.up
                connection.down += not item.up
            case DamageSeen():
                found.damaged += 1
                self._note(self._recordings.where(line), f"received: {item.where}: {item.problem}")
            case bytes():
                found.bytes += len(item)
                self._connection(line.connection).messages += 1
                self._decode(line)
            case FrameRecords():
                self._connection(item.connection).messages += 1
                self._decode(line)
            case _:
                return
        self._count(line)

    def _decode(self, line: Line) -> None:
        found, records = self._found, self._records
        records.clear()
        try:
            found.messages[self._recordings.decode(line, records)] += 1
        except DecodeError as e:
            found.broken += 1
            self._note(self._recordings.where(line), str(e))
            return
        for frame in records.frames[: records.n_frames].tolist():
            part = found.instruments[frame[7]]
            part.frames[_KINDS[FrameKind(frame[8])]] += 1
            part.events += frame[9]

    def _count(self, line: Line) -> None:
        found, ts = self._found, line.ts_recv
        if not found.inputs:
            found.first_ns = found.last_ns = ts
        elif ts < found.last_ns:
            found.went_back += 1
        elif ts - found.last_ns > found.silence_ns:
            found.silence_ns, found.silence_at = ts - found.last_ns, self._recordings.where(line)
        found.inputs += 1
        found.last_ns = max(found.last_ns, ts)
        second = ts // _SECOND
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second > found.busiest_second:
            found.busiest_second, found.busiest_ns = self._in_second, second * _SECOND

    def _connection(self, number: int) -> ConnectionFound:
        return self.connections.setdefault(number, ConnectionFound(number))

    def _note(self, where: str, problem: str) -> None:
        if len(self._found.places) < _KEPT:
            self._found.places.append(f"{where}: {problem}")
