"""Reads the recordings of cryptofeed, line by line and where they lie: a test's input format, not one of vtframe's."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

_FRAME = re.compile(r"([0-9]+)(?:\.([0-9]+))?: (.*)", re.DOTALL)


class Frame(NamedTuple):
    """One message as it was received."""

    ts_recv: int  # ns UTC
    data: bytes
    connection: str = ""


def json_lines(data: Path, venue: str) -> Iterator[Frame]:
    """The messages of ``cryptofeed/<venue>.jsonl.zst``: lines ``{"t": "recv", "conn": ..., "ts": ..., "data": ...}``."""
    with (data / "cryptofeed" / f"{venue}.jsonl.zst").open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            row = json.loads(line, parse_float=str)
            if row["t"] == "recv":
                yield Frame(_ns(str(row["ts"])), row["data"].encode(), row["conn"])


def capture(data: Path, member: str) -> Iterator[Frame]:
    """The messages of one file in ``captures_2021_2023.tar.xz``: lines ``<ts>: <frame>`` among lines of other kinds."""
    with tarfile.open(data / "cryptofeed" / "captures_2021_2023.tar.xz") as archive:
        file = archive.extractfile(member)
        assert file is not None, member
        for line in io.TextIOWrapper(file, encoding="utf-8"):
            found = _FRAME.fullmatch(line.rstrip("\n"))
            if found:
                yield Frame(_ns(f"{found[1]}.{found[2] or 0}"), found[3].encode(), member)


def bodies(data: Path, member: str, url: str) -> Iterator[str]:
    """The bodies of REST answers in a capture, of addresses that contain ``url``: lines ``<url> -> <ts>: <body>``."""
    with tarfile.open(data / "cryptofeed" / "captures_2021_2023.tar.xz") as archive:
        file = archive.extractfile(member)
        assert file is not None, member
        for line in io.TextIOWrapper(file, encoding="utf-8"):
            address, arrow, rest = line.rstrip("\n").partition(" -> ")
            if arrow and url in address:
                yield rest.partition(": ")[2]


def _ns(seconds: str) -> int:
    whole, _, part = seconds.partition(".")
    return int(whole) * 1_000_000_000 + int(part.ljust(9, "0")[:9])
