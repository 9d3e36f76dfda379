"""The bytes of a journal segment: one fixed header, then framed records. docs/files.md describes the format.

A frame is ``length, check, crc32(payload)`` (three little-endian uint32) and the payload. ``check`` ties the length to the
frame's offset, so that a damaged length is damage and never looks like the end of the file.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from vtframe.errors import JournalError
from vtframe.journal.records import FORMAT_VERSION

MAGIC = b"VTFRMJNL"
SUFFIX = ".vtj"
_HEADER = struct.Struct("<8sII256s")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CRC.size
FRAME = struct.Struct("<III")
_CHECK = 0x5A17C0DE
_WORD = 0xFFFFFFFF
_NAME = re.compile(r"^(\d{6,})\.vtj$")


class TornTail(msgspec.Struct, frozen=True):
    """Bytes at the end of the last segment that are not a whole record: what a kill or a full disk leaves behind."""

    file: Path
    offset: int
    dropped: int

    def __str__(self) -> str:
        return f"{self.file}: torn tail cut at byte {self.offset} ({self.dropped} bytes dropped)"


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}{SUFFIX}"


def segments(folder: Path) -> list[Path]:
    """The segments of ``folder`` in order; raises JournalError where there is no folder, or a number is missing."""
    if not folder.is_dir():
        raise JournalError(str(folder), "no such journal folder", "name the folder that holds 000001.vtj")
    numbers = sorted(int(match[1]) for path in folder.iterdir() if (match := _NAME.match(path.name)))
    for expected, found in enumerate(numbers, start=1):
        if found != expected:
            raise JournalError(
                str(folder),
                f"segment {expected:06d}{SUFFIX} is missing, found {found:06d}{SUFFIX}",
                "put the missing segment back; records are never read past a hole",
            )
    return [segment_path(folder, number) for number in numbers]


def header(session_id: str, number: int) -> bytes:
    """The header of segment ``number``; raises ValueError for a session id that has no room in it."""
    name = session_id.encode()
    if not 0 < len(name) <= 255 or b"\0" in name:  # what a folder may be called
        raise ValueError(f"a session id has 1 to 255 bytes and no NUL, found {session_id!r}")
    fixed = _HEADER.pack(MAGIC, FORMAT_VERSION, number, name)
    return fixed + _CRC.pack(zlib.crc32(fixed))


def frame(payload: bytes, offset: int) -> bytes:
    """``payload`` as it stands at ``offset`` of a segment."""
    length = len(payload)
    return FRAME.pack(length, (length ^ offset ^ _CHECK) & _WORD, zlib.crc32(payload)) + payload


class Segment:
    """One segment that is read: ``payloads()`` yields the whole records, then ``end`` is where they end.

    Only the last segment may be torn; ``torn`` says how. Damage anywhere else raises JournalError with its offset.
    """

    def __init__(self, path: Path, *, last: bool) -> None:
        self.path = path
        self.torn: TornTail | None = None
        self.end = 0
        self.session_id = ""
        self._last = last
        try:
            self._data = path.read_bytes()
        except OSError as e:
            raise JournalError(str(path), f"cannot be read: {e.strerror}") from None
        self._read_header()

    def payloads(self) -> Iterator[bytes]:
        data, size = self._data, len(self._data)
        if not self.end:
            return  # not even its header was written whole
        while self.end < size:
            at = self.end
            body = at + FRAME.size
            if body > size:
                self._tear("ends inside a record's head")
                return
            length, check, crc = FRAME.unpack_from(data, at)
            if check != (length ^ at ^ _CHECK) & _WORD:
                if data.count(0, at) == size - at:  # a file system that lost the last pages leaves zeros
                    self._tear("ends in zeros")
                    return
                raise self._damaged("a record's head is damaged")
            if body + length > size:
                self._tear("ends inside a record")
                return
            payload = data[body : body + length]
            if zlib.crc32(payload) != crc:
                if body + length == size:
                    self._tear("its last record does not match its checksum")
                    return
                raise self._damaged("a record does not match its checksum")
            self.end = body + length
            yield payload

    def _read_header(self) -> None:
        data = self._data
        if not MAGIC.startswith(data[: len(MAGIC)]) and data.count(0) != len(data):
            raise JournalError(
                str(self.path),
                f"is not a journal segment: it starts with {data[:8]!r}, expected {MAGIC!r}",
                "name a session folder written by vtframe",
            )
        if len(data) < HEADER_BYTES or data.count(0) == len(data):
            self._tear("ends inside its header")
            return
        _, version, number, name = _HEADER.unpack_from(data)
        if version != FORMAT_VERSION:
            raise JournalError(
                str(self.path),
                f"has journal format version {version}, this vtframe reads version {FORMAT_VERSION}",
                "read it with the vtframe that wrote it",
            )
        if _CRC.unpack_from(data, _HEADER.size)[0] != zlib.crc32(data[: _HEADER.size]):
            raise self._damaged("its header does not match its checksum")
        if segment_path(self.path.parent, number) != self.path:
            raise JournalError(
                str(self.path), f"says that it is segment {number:06d}{SUFFIX}", "give the file its own name back"
            )
        self.session_id = name.rstrip(b"\0").decode()
        self.end = HEADER_BYTES

    def _tear(self, problem: str) -> None:
        if not self._last:
            raise self._damaged(f"{problem}, and more segments follow")
        self.torn = TornTail(self.path, self.end, len(self._data) - self.end)

    def _damaged(self, problem: str) -> JournalError:
        return JournalError(f"{self.path} at byte {self.end}", problem, "restore the file from a copy; nothing is guessed")
