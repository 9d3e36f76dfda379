"""The packed blocks of a file, one by one: how many hold together, and up to which byte."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from vtframe.wire.compression import compression

_CHUNK = 1 << 20


class BlockCheck(msgspec.Struct, frozen=True):
    """What was found: zstd frames or gzip members that unpack and match their checksums; none in a plain file."""

    blocks: int
    whole: int  # bytes up to the end of the last of them
    size: int
    problem: str = ""  # what is amiss after that


def check_blocks(path: Path) -> BlockCheck:
    """Unpack every block, keeping nothing. Raises RecordingError where there is no readable, non-empty file."""
    kind = compression(path)
    size = path.stat().st_size
    if kind == "none":
        return BlockCheck(0, size, size)
    start: Callable[[], Any] = (
        (lambda: zlib.decompressobj(31)) if kind == "gzip" else (lambda: zstandard.ZstdDecompressor().decompressobj())
    )
    blocks = whole = read = 0
    unpacker, fresh = start(), True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            read += len(chunk)
            while chunk:
                if fresh and blocks and not chunk.strip(b"\0"):
                    break  # padding
                try:
                    unpacker.decompress(chunk)
                except (zlib.error, zstandard.ZstdError) as e:
                    return BlockCheck(blocks, whole, size, f"corrupt {kind} ({e})")
                fresh, chunk = False, b""
                if unpacker.eof:
                    chunk = unpacker.unused_data
                    blocks, whole = blocks + 1, read - len(chunk)
                    unpacker, fresh = start(), True
    return BlockCheck(blocks, whole, size, "" if fresh else f"{kind} cut short: the file ends inside a block")
