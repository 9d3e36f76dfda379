"""Coinbase numbers the messages of a connection, whatever channel and product they are of: one lost may be of any book."""

from __future__ import annotations

from vtframe.domain import EventFlag, EventKind, FrameKind, Records

_GAP = int(EventFlag.GAP | EventFlag.LAST)
_STATUS_FRAME, _STATUS = int(FrameKind.STATUS), int(EventKind.STATUS)


class Sequences:
    """The number that comes next on each connection, and the books that live from it."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._books: dict[int, int] = {}  # connection by instrument

    def begin(self, instrument: int, connection: int) -> None:
        """A full picture of the instrument's book came on ``connection``."""
        self._books[instrument] = connection

    def follows(self, number: int, connection: int) -> bool:
        """Whether it is the next one; if so, it is noted. The fast way of ``note``."""
        if self._next.get(connection) != number:
            return False
        self._next[connection] = number + 1
        return True

    def note(self, number: int, ts_event: int, records: Records) -> None:
        """A message arrived. Where it is not the next one, a gap is stated for every book that lives from its connection:
        a connection's first message, or one that starts anew from 0, follows nothing that these books know."""
        connection = records.connection
        if self.follows(number, connection):
            return
        for instrument in sorted(book for book, source in self._books.items() if source == connection):
            event = (0, ts_event, 0, 0, 0, instrument, _GAP, _STATUS, 0)
            records.append(kind=_STATUS_FRAME, instrument=instrument, events=(event,), last_id=number)
        self._next[connection] = number + 1
