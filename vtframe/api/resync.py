"""Asks for a new picture of every book that stopped being live: at once, and again after growing waits until it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vtframe.api.source import BookWatch
from vtframe.domain import BookState

FIRST_S, LONGEST_S = 2.0, 30.0
_LOOK_S = 0.05  # between two looks at all books; a book that a frame broke is seen with that frame


class Resync:
    """``look`` after every message, and now and then: it costs two comparisons while all is well.

    ``ask`` asks the venue for a picture of one instrument's book. ``now_s`` is a monotonic clock.
    """

    def __init__(
        self, books: BookWatch, ask: Callable[[int], None], *, instruments: Sequence[int], now_s: Callable[[], float]
    ) -> None:
        self.asked = 0
        self._books = books
        self._ask = ask
        self._instruments = tuple(instruments)
        self._now = now_s
        self._alarms = books.alarms
        self._look_at = 0.0
        self._due: dict[int, tuple[float, float, int]] = {}  # when to ask again, how long after the time before, and the
        # book's update id then: where it is another one now, a picture came in between, and has been broken since

    def subscribed(self) -> None:
        """A subscription brings pictures of all books: give it its time."""
        due = self._now() + FIRST_S
        self._due = {instrument: (due, FIRST_S, self._books.update_id(instrument)) for instrument in self._instruments}

    def look(self) -> None:
        """Ask for what is due."""
        alarms = self._books.alarms
        now = self._now()
        if alarms == self._alarms and now < self._look_at:
            return
        self._alarms = alarms
        self._look_at = now + _LOOK_S
        for instrument in self._instruments:
            if self._books.state(instrument) == BookState.LIVE:
                self._due.pop(instrument, None)
                continue
            update_id = self._books.update_id(instrument)
            due, wait, then = self._due.get(instrument, (now, FIRST_S / 2, update_id))
            if then != update_id:
                due, wait = now, FIRST_S / 2
            if now >= due:
                wait = min(LONGEST_S, 2 * wait)
                self._due[instrument] = (now + wait, wait, update_id)
                self.asked += 1
                self._ask(instrument)
