"""What one address may ask of one market in a minute, as the venue counts it, and how long the venue wants to be left alone.

The venue counts by address: market data and orders, REST and WebSocket API all draw on the same minute. So a process has one
count for each market at each host, which everybody who asks there holds.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from vtframe.builtin.binance.places import Market
from vtframe.clock import Clock

BANNED: Final = 418  # who goes on after 429
_SHARE: Final = 0.9  # of the limit that market data uses; orders may have the rest, too
_MINUTE_NS: Final = 60_000_000_000
_NO_RETRY_AFTER_S: Final = 5.0
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_MOST_S: Final = 3 * 86_400.0  # the venue's longest ban


class Weights:
    """``limit`` is a minute's. Requests wait for the next minute rather than go over it."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.refusals: Counter[int] = Counter()
        self.clock = clock
        self._minute = 0
        self._blocked_until = 0  # monotonic
        self._banned_until = 0  # monotonic

    def wait_s(self, weight: int, *, orders: bool = False) -> float:
        """How long a request of that weight has to wait; where it has not to, it is counted. ``orders``: it is about orders."""
        if (blocked := self.blocked_s()) > 0:
            return blocked
        now = self.clock.now_ns()
        if now // _MINUTE_NS != self._minute:
            self._minute = now // _MINUTE_NS
            self.used = 0
        if self.used and self.used + weight > self.limit * (1 if orders else _SHARE):
            return (_MINUTE_NS - now % _MINUTE_NS) / 1e9
        self.used += weight
        return 0.0

    def heard(self, used: str | None) -> None:
        """What the header of an answer says of the minute."""
        if used is not None and used.isascii() and used.isdigit():
            self.count(int(used[:9]))

    def count(self, used: int) -> None:
        """What the venue says of the minute."""
        self._minute = self.clock.now_ns() // _MINUTE_NS
        self.used = used

    def refused(self, status: int, retry_after: str | None) -> float:
        """The venue says that it was asked too often; returns how long it wants to be left alone, in seconds."""
        seconds = retry_after_s(retry_after)
        self.refusals[status] += 1
        return self.leave_alone(_NO_RETRY_AFTER_S if seconds is None else seconds, banned=status == BANNED)

    def leave_alone(self, seconds: float, *, banned: bool = False) -> float:
        """For so long nobody asks; during a ban nothing at all is sent. Returns the seconds within bounds."""
        seconds = min(max(seconds, 0.0), _MOST_S)
        until = self.clock.monotonic_ns() + int(seconds * 1e9)
        self._blocked_until = max(self._blocked_until, until)
        if banned:
            self._banned_until = max(self._banned_until, until)
        return seconds

    def blocked_s(self) -> float:
        """How much longer nobody asks."""
        return max(0, self._blocked_until - self.clock.monotonic_ns()) / 1e9

    def banned_s(self) -> float:
        """How much longer nothing is sent."""
        return max(0, self._banned_until - self.clock.monotonic_ns()) / 1e9


def retry_after_s(text: str | None) -> int | None:
    """What the header Retry-After says; None where it says nothing that is a number of seconds."""
    return int(text) if text is not None and _SECONDS.fullmatch(text) else None


_heard: WeakValueDictionary[tuple[str, str], Weights] = WeakValueDictionary()
"""By host and market, for as long as somebody asks there."""


def weights_at(root: str, market: Market, clock: Clock) -> Weights:
    """The weights of ``market`` at the host of ``root``: the same ones for all of this process."""
    key = urlsplit(root).netloc, market.venue
    found = _heard.get(key)
    if found is None:
        found = _heard[key] = Weights(clock, market.weight_limit)
    return found
