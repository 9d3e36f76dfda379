"""Bytes of a file, whatever it is packed with, in bounded memory. What a file is packed with is read from its first bytes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from vtframe.errors import RecordingError

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # bytes 2 to 4 of a zstd frame that carries no data; the first is 0x50 to 0x5f
_CHUNK = 1 << 16
_HEADING = re.compile(rb'\d+ \{"vtframe":"recording"')
_LARGEST = 1 << 28  # bytes of one block of a recorder, packed or not: an input of 64 MiB fits twice over
_STEP = 1 << 10  # unpacked at a time: bounds what packed data grows to in memory, and what is lost beside a corrupt place


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def compression(path: Path) -> str:
    """``gzip``, ``zstd`` or ``none``. Raises RecordingError where there is no readable, non-empty file."""
    with _open(path) as file:
        head = file.read(4)
    if not head:
        raise RecordingError(str(path), "the file is empty")
    if head.startswith(_GZIP):
        return "gzip"
    if head == _ZSTD or (head[1:] == _SKIPPABLE and 0x50 <= head[0] <= 0x5F):
        return "zstd"
    return "none"


def unpacked(path: Path, on_damage: Callable[[str], None]) -> Iterator[bytes]:
    """The file's content in pieces. Members and frames that follow each other are read through.

    A packed file that is cut short or corrupt ends there: everything before is yielded, then ``on_damage`` is told why.
    (gzip checks a member's sum at its end only, so a few lines at a corrupt place may be yielded wrong before it shows.)

    Of a recorder's file, blocks are yielded whole and only where their checksums agree; one that is corrupt is told when it is
    passed over, and what follows it is yielded.
    """
    kind = compression(path)
    with _open(path) as file:
        if kind == "none":
            while piece := file.read(_CHUNK):
                yield piece
        elif kind == "gzip":
            yield from _packed(file, "gzip", lambda: zlib.decompressobj(31), on_damage)
        elif _is_recorders(file):
            yield from _blocks(file, on_damage)
        else:
            yield from _packed(file, "zstd", lambda: zstandard.ZstdDecompressor().decompressobj(), on_damage)


def _is_recorders(file: BinaryIO) -> bool:
    """Whether the first line is a recorder's heading."""
    try:
        start = zstandard.ZstdDecompressor().decompressobj().decompress(file.read(_STEP))
    except zstandard.ZstdError:
        start = b""
    file.seek(0)
    return _HEADING.match(start) is not None


def _blocks(file: BinaryIO, on_damage: Callable[[str], None]) -> Iterator[bytes]:
    """The blocks of a recorder's file, those that hold together."""
    data = b""
    told = False  # what is passed over
    while data or (data := file.read(_STEP)):
        start = data.find(_ZSTD)
        more = file.read(_STEP) if start < 0 else b""
        kept = start if start >= 0 else max(0, len(data) - 3) if more else len(data)
        if data[:kept].strip(b"\0") and not told:  # padding is nothing
            on_damage("corrupt zstd: bytes that are no block are left out")
            told = True
        data = data[kept:] + more
        if start < 0:
            continue
        block, data, problem = _block(file, data)
        if problem:
            on_damage(problem)
            told = True
            data = data[len(_ZSTD) :]
        else:
            told = False
            yield block


def _block(file: BinaryIO, data: bytes) -> tuple[bytes, bytes, str]:
    """One block that begins with ``data``: what it holds, the bytes read behind it, and what is amiss; then the bytes are its
    own, to look in for the next one."""
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    taken: list[bytes] = []
    pieces: list[bytes] = []
    packed = unpacked_bytes = 0
    while data:
        for at in range(0, len(data), _STEP):
            step = data[at : at + _STEP]
            try:
                pieces.append(unpacker.decompress(step))
            except zstandard.ZstdError as e:
                return b"", b"".join([*taken, data]), f"corrupt zstd: a block is left out ({e})"
            packed += len(step)
            unpacked_bytes += len(pieces[-1])
            if unpacker.eof:
                return b"".join(pieces), unpacker.unused_data + data[at + _STEP :], ""
            if packed > _LARGEST or unpacked_bytes > _LARGEST:
                return b"", b"".join([*taken, data]), f"corrupt zstd: a block of more than {_LARGEST} bytes is left out"
        taken.append(data)
        data = file.read(_CHUNK)
    return b"", b"".join(taken), "zstd cut short: the file ends inside its compressed data"


def _packed(file: BinaryIO, kind: str, start: Callable[[], _Unpacker], on_damage: Callable[[str], None]) -> Iterator[bytes]:
    unpacker = start()
    fresh = True  # nothing of the current member has been read
    first = True  # it is the file's first member
    for step in _steps(file):
        data = step
        while data:
            if fresh and not first and not data.strip(b"\0"):
                break  # padding after the last member (tapes, block devices); more of it may follow
            try:
                piece = unpacker.decompress(data)
            except (zlib.error, zstandard.ZstdError) as e:
                on_damage(f"corrupt {kind}: what follows cannot be unpacked ({e})")
                return
            fresh = False
            if piece:
                yield piece
            data = b""
            if unpacker.eof:
                data = unpacker.unused_data
                unpacker, fresh, first = start(), True, False
    if not fresh:
        on_damage(f"{kind} cut short: the file ends inside its compressed data")


def _steps(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        for at in range(0, len(chunk), _STEP):
            yield chunk[at : at + _STEP]


def _open(path: Path) -> BinaryIO:
    if path.is_dir():
        raise RecordingError(
            str(path), "is a folder", "name one file; a recording of several files is played in the order given"
        )
    try:
        return path.open("rb")
    except FileNotFoundError:
        near = sorted(p.name for p in path.parent.glob(f"{path.name.partition('.')[0]}*"))[:3] if path.parent.is_dir() else []
        raise RecordingError(str(path), "no such file", f"near it: {', '.join(near)}" if near else "") from None
    except OSError as e:
        raise RecordingError(str(path), f"cannot be read: {e.strerror or e}") from None
