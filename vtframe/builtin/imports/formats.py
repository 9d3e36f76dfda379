"""Which feed reads a file, by its name and first bytes. What nobody else claims is a recording of our own format."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

RECORDING = "recording"
HFTBACKTEST = "hftbacktest"
LOBSTER = "lobster"
TARDIS = "tardis"
NAUTILUS = "nautilus"

TARDIS_HEADER = b"exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"


def feed_for(path: Path) -> str:
    """The name of the feed; the file need not exist, and then it is told by its name alone."""
    name = path.name.lower()
    if name.endswith(".npz"):
        return HFTBACKTEST
    if name.endswith(".parquet"):
        return NAUTILUS
    if name.endswith(".zip") and _holds_lobster(path):
        return LOBSTER
    if name.endswith(".csv") and "_message_" in name:
        return LOBSTER
    if name.endswith((".csv", ".csv.gz")) and _first_line(path) == TARDIS_HEADER:
        return TARDIS
    return RECORDING


def _holds_lobster(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any("_message_" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            return bytes(file.readline(200)).strip()
    except (OSError, EOFError, zlib.error):
        return b""
