"""How much of its time the session's thread is busy, and a warning before there is none left.

While it keeps up, frames wait for nothing but each other; once it is busy all the time, every further frame makes all later
ones older. What waits in sockets then is in the ages of predictions (inference.age) and in the feed's report.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

_log = logging.getLogger("vtframe.session")
_WINDOW_NS: Final = 1_000_000_000
WARN_AT: Final = 0.8  # of its time
_WINDOWS: Final = 3  # in a row


class Headroom:
    """``look`` is called in the session's thread, often; it measures once a second: processor time over time."""

    def __init__(self) -> None:
        self.warnings = 0
        self._began: tuple[int, int] | None = None
        self._from = (0, 0)
        self._last = (0, 0)
        self._busiest = 0.0
        self._high = 0  # windows in a row

    def look(self) -> None:
        now = time.perf_counter_ns()
        if self._began is None:
            self._began = self._from = self._last = (now, time.thread_time_ns())
        elif now - self._from[0] >= _WINDOW_NS:
            self._close((now, time.thread_time_ns()))

    def report(self) -> dict[str, Any]:
        """``busy`` all in all, ``busiest`` second, and how often it was warned; None where nothing was measured."""
        if self._began is None or self._last == self._began:
            return {"busy": None, "busiest": None, "warnings": self.warnings}
        return {"busy": _share(self._began, self._last), "busiest": self._busiest, "warnings": self.warnings}

    def _close(self, moment: tuple[int, int]) -> None:
        busy = _share(self._from, moment)
        self._from = self._last = moment
        self._busiest = max(self._busiest, busy)
        self._high = self._high + 1 if busy >= WARN_AT else 0
        if self._high == _WINDOWS:
            self.warnings += 1
            _log.warning("the session is busy %.0f%% of its time: frames will soon wait", 100 * busy)


def _share(earlier: tuple[int, int], later: tuple[int, int]) -> float:
    return round((later[1] - earlier[1]) / (later[0] - earlier[0]), 4)
