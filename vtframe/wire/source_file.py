"""A file that a session or a data set was made from, told by size and hash, so that nobody computes on another one unawares."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from vtframe.errors import RecordingError


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it was read: ``path`` is absolute, ``sha256`` is over its bytes as they lie on the disk."""

    path: str
    size: int
    sha256: str

    def change(self) -> str:
        """How the file that is there now differs, in words; empty where it does not. Raises RecordingError where it is gone."""
        now = read_source(Path(self.path))
        if now.size != self.size:
            return f"has {now.size:,} bytes, it had {self.size:,}"
        return f"has sha256 {now.sha256}, it had {self.sha256}" if now.sha256 != self.sha256 else ""


def read_source(path: Path) -> SourceFile:
    """Look at ``path``, reading all of it once. Raises RecordingError where it cannot be read."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as e:
        raise RecordingError(str(path), f"cannot be read: {e.strerror or e}", "put it back where it was") from None
    return SourceFile(path=str(path.resolve()), size=size, sha256=digest)
