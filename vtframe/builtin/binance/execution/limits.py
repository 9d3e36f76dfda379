"""What the venue's counters say: how long orders, or requests at all, must wait."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from vtframe.builtin.binance.execution.codes import TOO_MANY_ORDERS, VenueError

_MS: Final = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_WAIT_MS: Final = 10_000  # where the venue says that it was too much, and not until when


class RateLimit(msgspec.Struct, frozen=True, rename="camel"):
    """One counter, as every answer of the WebSocket API carries it."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int
    count: int = 0


class Limits:
    """Times are the venue's, in ms. ``orders_until``: no order is taken before; ``banned_until``: nothing is."""

    def __init__(self) -> None:
        self.orders_until = 0
        self.banned_until = 0
        self.refused = 0  # answers that said so

    def note(self, counters: Iterable[RateLimit], now_ms: int) -> None:
        """A counter that has come to its limit closes until its interval is over; intervals begin at whole multiples."""
        for one in counters:
            if one.count >= one.limit > 0 and (length := _MS.get(one.interval, 0) * one.interval_num):
                until = now_ms - now_ms % length + length
                if one.rate_limit_type == "ORDERS":
                    self.orders_until = max(self.orders_until, until)
                else:
                    self.banned_until = max(self.banned_until, until)

    def refuse(self, error: VenueError, now_ms: int) -> None:
        """The venue has refused a request as one too many."""
        self.refused += 1
        until = error.retry_at_ms or now_ms + _WAIT_MS
        if error.code == TOO_MANY_ORDERS and error.status not in {418, 429}:
            self.orders_until = max(self.orders_until, until)
        else:
            self.banned_until = max(self.banned_until, until)

    def closed_for(self, now_ms: int) -> str:
        """Why orders that open must wait; empty where they need not."""
        until = max(self.orders_until, self.banned_until)
        return f"the venue's rate limit, {until - now_ms} ms more" if until > now_ms else ""
