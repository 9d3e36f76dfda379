"""What a live feed may look at to keep the session's books right; an ``api.BookWatch``."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.book.books import Books
from vtframe.book.pending import PendingFrames
from vtframe.domain import BookState


class BookWatch:
    """Reads books and the frames that wait for their snapshots. ``alarms`` are counted by those who find them."""

    __slots__ = ("_books", "_pending", "alarms")

    def __init__(self, books: Books, pending: Sequence[PendingFrames]) -> None:
        self._books = books
        self._pending = pending
        self.alarms = 0

    def state(self, instrument: int) -> BookState:
        return self._books.state(instrument)

    def update_id(self, instrument: int) -> int:
        return self._books.update_id(instrument)

    def oldest_waiting(self, instrument: int) -> tuple[int, int] | None:
        return self._pending[instrument].oldest()
