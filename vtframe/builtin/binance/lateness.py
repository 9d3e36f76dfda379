"""How late messages are: the venue's own time beside ours. Clocks differ, so what counts is how far above the least of late."""

from __future__ import annotations

from typing import Final

from vtframe.builtin.binance.streams import Stream

_LATE_NS: Final = 100_000_000  # above the least
_WINDOW_NS: Final = 30_000_000_000  # the least is that of one to two of these
_KEY: Final = b'"E":'
_DIGITS: Final = 13  # of milliseconds since 1970, until 2286
_NONE: Final = 1 << 62


class Lateness:
    """Counts the messages of depth streams that came late. A connection that was held up shows here and nowhere else: nothing
    of it is lost."""

    def __init__(self) -> None:
        self.late = 0  # messages
        self.most_ms = 0.0
        self._least = self._before = _NONE  # ns, of this window and of the one before
        self._ends = 0  # of this window, by arrival

    def observe(self, stream: Stream, data: bytes, ts_recv: int) -> None:
        """A message in the order of arrival; one that states no time is left out."""
        at = data.find(_KEY, stream.skip, stream.skip + 100)
        digits = data[at + 4 : at + 4 + _DIGITS]
        if at < 0 or not digits.isdigit():
            return
        delay = ts_recv - int(digits) * 1_000_000
        if ts_recv >= self._ends:
            self._before, self._least = self._least, _NONE
            self._ends = ts_recv + _WINDOW_NS
        if delay < self._least:
            self._least = delay
        late_ns = delay - (self._least if self._least < self._before else self._before)  # noqa: FURB136 - min() takes longer
        if late_ns > _LATE_NS:
            self.late += 1
            self.most_ms = max(self.most_ms, late_ns / 1e6)

    def report(self) -> dict[str, float]:
        """Numbers for report.json."""
        return {"late": self.late, "most_ms": round(self.most_ms, 1)}
