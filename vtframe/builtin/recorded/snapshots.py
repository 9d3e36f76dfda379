"""Whether a book can ever be built: diffs without any snapshot cannot be, and that is said before the session starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vtframe.api import Codec, DecodeError, RecordingError
from vtframe.builtin.recorded.identity import Identity
from vtframe.builtin.recorded.table import FileInstruments
from vtframe.domain import FrameKind, Instrument, Records, SequenceRule
from vtframe.wire import RecordingReader

_LOOK = 200_000  # messages; a snapshot stands among the first few hundred, and the rest is read once only


def check_snapshots(files: Sequence[Identity], cls: type[Codec], instruments: Sequence[Instrument]) -> str:
    """Raise RecordingError where an instrument has depth updates and no snapshot in any file.

    Reads as far as needed, at most 200,000 messages; a warning is returned where that was not enough to tell.
    """
    codec = cls()
    codec.open(FileInstruments(instruments))
    waiting = {index for index in range(len(instruments)) if codec.sequence_rule(index) is not SequenceRule.NONE}
    position = {instrument.instrument_id: index for index, instrument in enumerate(instruments)}
    for file in files:
        if file.sidecar is not None and file.sidecar.snapshots > 0 and len(file.instruments) == 1:
            waiting.discard(position[file.instruments[0].instrument_id])
    diffs: dict[int, Identity] = {}  # instruments with depth updates, and where the first is
    records = Records()
    looked = 0
    for file, data in _messages(files):
        if not waiting:
            return ""
        looked += 1
        if looked > _LOOK:
            names = _names(sorted(diffs.keys() & waiting), instruments)
            return f"no snapshot: none of {names} among the first {_LOOK} messages; the book waits for one" if names else ""
        records.clear()
        try:
            codec.decode(data, records)
        except DecodeError:
            continue  # the session counts and reports it when it comes to it
        if not records.n_frames:
            continue
        frames = records.frames[: records.n_frames]
        for kind, instrument in zip(frames["kind"].tolist(), frames["instrument"].tolist(), strict=True):
            if kind == FrameKind.SNAPSHOT:
                waiting.discard(instrument)
            elif kind == FrameKind.DEPTH:
                diffs.setdefault(instrument, file)
    missing = sorted(diffs.keys() & waiting)
    if missing:
        raise RecordingError(
            str(diffs[missing[0]].path),
            f"depth updates of {_names(missing, instruments)}, but no snapshot: its book can never be built",
            "play it after the file that it continues: --recording FIRST --recording THIS",
        )
    return ""


def _messages(files: Sequence[Identity]) -> Iterator[tuple[Identity, bytes]]:
    for file in files:
        for _, _, data in RecordingReader(file.path, file.unit, lambda _: None):  # damage is told when it is played
            yield file, data


def _names(indexes: Sequence[int], instruments: Sequence[Instrument]) -> str:
    return ", ".join(instruments[index].instrument_id for index in indexes)
