"""Reads a journal back, in order. A torn tail is cut and reported; any other damage is an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from vtframe.errors import JournalError
from vtframe.journal.records import Record
from vtframe.journal.segment import Segment, TornTail, segments


class JournalReader:
    """Iterate over it for the records; afterwards ``torn`` says what was cut at the end, if anything.

    Raises JournalError naming file and offset: no journal, a missing or foreign segment, another format version, a damaged
    record, a record that this version does not know.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session_id = ""
        self.torn: TornTail | None = None
        self.records = 0
        self.segments = segments(folder)
        if not self.segments:
            raise JournalError(str(folder), "holds no journal segment", "name the folder that holds 000001.vtj")
        self._decoder = msgspec.msgpack.Decoder(Record)

    def __iter__(self) -> Iterator[Record]:
        self.torn = None
        self.records = 0
        decode = self._decoder.decode
        for number, path in enumerate(self.segments, start=1):
            segment = Segment(path, last=number == len(self.segments))
            self._same_session(segment)
            for payload in segment.payloads():
                try:
                    record = decode(payload)
                except msgspec.MsgspecError as e:
                    raise JournalError(
                        f"{path} before byte {segment.end}",
                        f"a record that this version does not know: {e}",
                        "read it with the vtframe that wrote it",
                    ) from None
                self.records += 1
                yield record
            self.torn = segment.torn

    def _same_session(self, segment: Segment) -> None:
        if segment.session_id and self.session_id and segment.session_id != self.session_id:
            raise JournalError(
                str(segment.path),
                f"belongs to session {segment.session_id!r}, the segments before it to {self.session_id!r}",
                "keep the segments of one session in one folder",
            )
        self.session_id = self.session_id or segment.session_id
