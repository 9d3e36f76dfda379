"""Reads recordings ahead, in one pass, so that what cannot be played is refused before a session starts: time units that
change, files that overlap, and depth updates without any snapshot, of which no book can ever be built."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from vtframe.api import Codec, DecodeError, RecordingError
from vtframe.builtin.recorded.identity import Identity
from vtframe.domain import FrameKind, Instrument, Records, SequenceRule
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.wire import NANOS, FrameRecords, RecordingReader, readable

AHEAD = 500_000  # messages in all, one or two seconds; what stands behind them is found while it is played
_LOOK = 200_000  # messages that are decoded; a snapshot stands among the first few hundred
_OVERLAP_NS = 1_000_000_000  # a clock that was set back between two files by less than this is told, not refused


def look_ahead(files: Sequence[Identity], cls: type[Codec], instruments: Sequence[Instrument]) -> str:
    """Raise RecordingError for what the first 500,000 messages show: mixed time units, a file that begins more than a second
    before the one before it ends, an instrument with depth updates and no snapshot in any file.

    A warning is returned where the first 200,000 messages were not enough to tell of snapshots.
    """
    snapshots = _Snapshots(files, cls, instruments)
    looked = 0
    for file, data in _messages(files):
        looked += 1
        if looked > AHEAD:
            break
        if snapshots.waiting and looked <= _LOOK:
            snapshots.look(file, data)
    return snapshots.warning() if looked > _LOOK else snapshots.settle()


def snapshots_missing(files: Sequence[Identity], codec: Codec | None, instruments: Sequence[Instrument]) -> str:
    """Which instruments have depth updates and no snapshot among the first 200,000 inputs of recorders' files, in words."""
    snapshots = _Snapshots(files, None if codec is None else type(codec), instruments)
    lines = ((file, item) for file in files for _, _, item in RecordingReader(file.path, file.unit, lambda _: None).inputs())
    for file, item in itertools.islice(lines, _LOOK):
        if not snapshots.waiting:
            break
        if isinstance(item, bytes):
            snapshots.look(file, item)
        elif isinstance(item, FrameRecords) and 0 <= item.instrument < len(file.instruments):
            snapshots.seen(file, item.kind, snapshots.position[file.instruments[item.instrument].instrument_id])
    return snapshots.warning()


def first(file: Identity) -> tuple[int, int]:
    """Line number and time, in ns, of a file's beginning."""
    if file.sample.heading is not None:
        return 1, file.sample.began
    line, stamp = file.sample.stamps[0]
    return line, stamp * NANOS[file.unit]


def check_overlap(before: Identity | None, ended: int, file: Identity) -> int:
    """By how many ns ``file`` begins before ``before``, played until ``ended``, ends. Raises RecordingError beyond a second."""
    _, begins = first(file)
    if before is None or begins >= ended:
        return 0
    if ended - begins > _OVERLAP_NS:
        raise RecordingError(
            str(file.path),
            f"begins at {readable(begins)}, before {before.path} ends ({readable(ended)})",
            "name files in the order of their time; files that overlap cannot be played as one market",
        )
    return ended - begins


class _Snapshots:
    """Which instruments still wait for one."""

    def __init__(self, files: Sequence[Identity], cls: type[Codec] | None, instruments: Sequence[Instrument]) -> None:
        self._codec = None if cls is None else cls()
        if self._codec is not None:
            self._codec.open(SessionInstruments(instruments))
        self._instruments = instruments
        self._records = Records()
        self._diffs: dict[int, Identity] = {}  # instruments with depth updates, and where the first is
        codec = self._codec
        count = len(instruments)
        rules = [SequenceRule.NEXT] * count if codec is None else [codec.sequence_rule(index) for index in range(count)]
        self.waiting = {index for index, rule in enumerate(rules) if rule is not SequenceRule.NONE}
        self.position = position = {instrument.instrument_id: index for index, instrument in enumerate(instruments)}
        for file in files:
            if file.sidecar is not None and file.sidecar.snapshots > 0 and len(file.instruments) == 1:
                self.waiting.discard(position[file.instruments[0].instrument_id])

    def look(self, file: Identity, data: bytes) -> None:
        records = self._records
        records.clear()
        if self._codec is None:
            return
        try:
            self._codec.decode(data, records)
        except DecodeError:
            return  # the session counts and reports it when it comes to it
        if not records.n_frames:
            return
        frames = records.frames[: records.n_frames]
        for kind, instrument in zip(frames["kind"].tolist(), frames["instrument"].tolist(), strict=True):
            self.seen(file, kind, instrument)

    def seen(self, file: Identity, kind: int, instrument: int) -> None:
        """One frame."""
        if kind == FrameKind.SNAPSHOT:
            self.waiting.discard(instrument)
        elif kind == FrameKind.DEPTH:
            self._diffs.setdefault(instrument, file)

    def settle(self) -> str:
        """All messages were looked at: raise RecordingError where one is missing."""
        missing = self._missing()
        if missing:
            raise RecordingError(
                str(self._diffs[missing[0]].path),
                f"depth updates of {self._names(missing)}, but no snapshot: its book can never be built",
                "play it after the file that it continues: --recording FIRST --recording THIS",
            )
        return ""

    def warning(self) -> str:
        names = self._names(self._missing())
        return f"no snapshot: none of {names} among the first {_LOOK} messages; the book waits for one" if names else ""

    def _missing(self) -> list[int]:
        return sorted(self._diffs.keys() & self.waiting)

    def _names(self, indexes: Sequence[int]) -> str:
        return ", ".join(self._instruments[index].instrument_id for index in indexes)


def _messages(files: Sequence[Identity]) -> Iterator[tuple[Identity, bytes]]:
    """Every message, as it will be played. Raises RecordingError for a time unit that changes and for files that overlap."""
    before, ended = None, 0
    for file in files:
        check_overlap(before, ended, file)
        for _, ts_recv, data in RecordingReader(file.path, file.unit, lambda _: None):  # damage is told when it is played
            ended = max(ended, ts_recv)
            yield file, data
        before = file
