"""A journal that nobody reads: rehearsals write to it as a session writes to its own, on the same disk."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from vtframe.journal.records import Record
from vtframe.journal.writer import JournalWriter

_MOST: Final = 1 << 20  # bytes, before it begins anew


class ScratchJournal:
    """An ``engine.Journal`` in a file of ``folder``'s file system that has no name any more. Raises JournalError."""

    def __init__(self, folder: Path) -> None:
        home = Path(tempfile.mkdtemp(prefix=".rehearsal-", dir=folder))
        try:
            self._writer = JournalWriter(home, session_id="rehearsal")
        finally:
            shutil.rmtree(home)  # the file lives as long as its descriptor

    def write(self, *records: Record) -> None:
        self._writer.write(*records)

    def tidy(self) -> None:
        """Give back what was written, once it is much."""
        if self._writer.size > _MOST:
            self._writer.restart()

    def close(self) -> None:
        self._writer.abandon()
