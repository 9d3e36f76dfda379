"""What the venue's counters say: how long orders, or requests at all, must wait."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from vtframe.builtin.binance.execution.codes import TOO_MANY_ORDERS, VenueError
from vtframe.builtin.binance.weights import BANNED, Weights
from vtframe.transport import TransportError

_MS: Final = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_WAIT_MS: Final = 10_000  # where the venue says that it was too much, and not until when
_MOST_MS: Final = 3 * 86_400_000
_OF_REQUESTS: Final = frozenset({"REQUEST_WEIGHT", "RAW_REQUESTS"})  # connections have a limit of their own


class RateLimit(msgspec.Struct, frozen=True, rename="camel"):
    """One counter, as every answer of the WebSocket API carries it."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int
    count: int = 0


class Limits:
    """What holds for orders alone is kept here (``orders_until``, the venue's time in ms), what holds for all requests of this
    address in ``weights``, which market data has a share in."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.orders_until = 0
        self.refused = 0  # answers that said so

    def note(self, counters: Iterable[RateLimit], now_ms: int) -> None:
        """A counter that has come to its limit closes until its interval is over; intervals begin at whole multiples."""
        for one in counters:
            if one.rate_limit_type == "REQUEST_WEIGHT" and (one.interval, one.interval_num) == ("MINUTE", 1):
                self.weights.count(one.count)
            if one.count >= one.limit > 0 and (length := _MS.get(one.interval, 0) * one.interval_num):
                wait = length - now_ms % length
                if one.rate_limit_type == "ORDERS":
                    self.orders_until = max(self.orders_until, now_ms + wait)
                elif one.rate_limit_type in _OF_REQUESTS:
                    self.weights.leave_alone(wait / 1000)

    def refuse(self, error: VenueError, now_ms: int) -> None:
        """The venue has refused a request as one too many."""
        self.refused += 1
        wait = min(max(0, error.retry_at_ms - now_ms), _MOST_MS) if error.retry_at_ms else _WAIT_MS
        if error.code == TOO_MANY_ORDERS and error.status != BANNED:
            self.orders_until = max(self.orders_until, now_ms + wait)
        else:
            self.weights.refusals[error.status] += 1
            self.weights.leave_alone(wait / 1000, banned=error.status == BANNED)

    def are_asking(self) -> bool:
        """Whether questions may be asked."""
        return not self.weights.blocked_s()

    def banned(self) -> str:
        """Why nothing at all may be sent, exits and cancels included; empty where it may."""
        seconds = self.weights.banned_s()
        return f"the venue has banned this address for {seconds:.1f} s more" if seconds else ""

    def admit(self, url: str) -> None:
        """Raises TransportError where no connection may be made."""
        if banned := self.banned():
            raise TransportError(url, banned)

    def closed_for(self, now_ms: int) -> str:
        """Why orders that open must wait; empty where they need not."""
        wait = max(self.orders_until - now_ms, round(self.weights.blocked_s() * 1000))
        return f"the venue's rate limit, {wait} ms more" if wait > 0 else ""
