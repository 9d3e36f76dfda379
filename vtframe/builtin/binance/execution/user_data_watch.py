"""Whether user data can be believed: a stream that has gone deaf looks like an account to which nothing happens.

Two things tell. Nothing at all comes, not even the venue's pings; or an answer on another connection states what user data
should have told and does not. Nothing here asks or sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vtframe.builtin.binance.execution.tracker import Tracked

SILENT_NS: Final = 200_000_000_000  # the venue pings every three minutes
_OWED_NS: Final = 1_500_000_000  # in which user data tells what an answer told already
_AGAIN_NS: Final = 10_000_000_000  # between two streams that are given up for it
_MARGIN_MS: Final = 1_000  # by which our knowledge of the venue's time may be wrong
_AUDIT_NS: Final = 3_000_000_000  # between questions about an order that rests, while user data says nothing
_AUDIT_EACH_NS: Final = 1_000_000_000  # and no more of them than one in this time, however many rest
_AUDIT_MOST_NS: Final = 30_000_000_000
Known = tuple[int, int, bool]


def known_of(one: Tracked) -> Known:
    """What is known of an order that user data tells: it changes when something new is heard."""
    return one.filled, one.claimed, one.ended or one.end is not None


class UserDataWatch:
    """``pulse`` counts whatever came on the stream's connection; None where that connection is asked for life otherwise."""

    def __init__(self, pulse: Callable[[], int] | None = None) -> None:
        self._pulse = pulse
        self._pulses = 0
        self._alive_ns = 0  # monotonic: when something came, pings too
        self._told_ns = 0  # monotonic: when user data told something
        self._since_ms = 0  # the venue's time: nothing that happened before was to be told
        self._owed: dict[str, int] = {}  # orders of which it should have told something, and since when we know
        self._again_ns = 0

    def opened(self, now_ns: int, now_ms: int) -> None:
        """A stream has begun."""
        self._alive_ns = self._told_ns = now_ns
        self._since_ms = now_ms
        self._owed.clear()

    def told(self, name: str, now_ns: int) -> None:
        """User data told something of this order, or of none."""
        self._told_ns = now_ns
        self._owed.pop(name, None)

    def answered(self, one: Tracked, before: Known, ts_ms: int, now_ns: int) -> None:
        """An answer on another connection told of ``one``, of which ``before`` was known, what happened at ``ts_ms``."""
        if known_of(one) != before and ts_ms > self._since_ms + _MARGIN_MS:
            self._owed.setdefault(one.name, now_ns)

    def doubt(self, now_ns: int) -> str:
        """Why the stream is to be given up; empty where it is not."""
        if self._pulse is not None and (pulses := self._pulse()) != self._pulses:
            self._pulses, self._alive_ns = pulses, now_ns
        reason = ""
        if self._pulse is not None and now_ns - self._alive_ns > SILENT_NS:
            reason = f"nothing came with user data for {SILENT_NS / 1e9:.0f} s, not even a ping"
        elif now_ns >= self._again_ns:
            name = next((name for name, since in self._owed.items() if now_ns - since > _OWED_NS), "")
            reason = f"user data says nothing of what became of {name}" if name else ""
        if reason:
            self._alive_ns, self._again_ns = now_ns, now_ns + _AGAIN_NS
            self._owed.clear()
        return reason

    def patience_ns(self, now_ns: int, orders: int) -> int:
        """For how long nobody asks what became of one of ``orders`` that rest."""
        if now_ns - self._told_ns < _AUDIT_NS:
            return _AUDIT_MOST_NS
        return min(_AUDIT_MOST_NS, max(_AUDIT_NS, orders * _AUDIT_EACH_NS))
