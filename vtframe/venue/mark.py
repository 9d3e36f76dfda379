"""Mark price of a perpetual contract: a smoothed mid, with an index and a funding rate beside it."""

from __future__ import annotations

from collections.abc import Iterator

from vtframe.venue import payload
from vtframe.venue.listing import Listing

_SECOND = 1_000_000_000
_FUNDING_MS = 8 * 3600 * 1000
_WEIGHT = 0.2  # of the newest second
_RATE = 0.0001


class Mark:
    """Exponentially smoothed mid, by the second; the index lags behind it. Spot has none."""

    def __init__(self, listing: Listing, *, now_ns: int) -> None:
        self._listing = listing
        self._due_ns = (now_ns // _SECOND + 1) * _SECOND
        self.price = listing.price.value(listing.start_price)
        self.index = self.price
        symbol = listing.symbol.lower()
        self._streams = ((f"{symbol}@markPrice@1s", 1), (f"{symbol}@markPrice", 3))

    def due(self, now_ns: int, middle: float) -> Iterator[tuple[int, str]]:
        """The streams that are due up to ``now_ns``, with their times in ms."""
        if self._listing.market == "spot":
            return
        while self._due_ns <= now_ns:
            event_ns, self._due_ns = self._due_ns, self._due_ns + _SECOND
            if not self.price:  # a recording says where it starts
                self.price = self.index = middle
            self.price += _WEIGHT * (middle - self.price)
            self.index += _WEIGHT * (self.price - self.index)
            for stream, every in self._streams:
                if event_ns // _SECOND % every == 0:
                    yield event_ns // 1_000_000, stream

    def payload(self, event_ms: int) -> str:
        next_ms = (event_ms // _FUNDING_MS + 1) * _FUNDING_MS
        return payload.mark_price(
            self._listing,
            event_ms=event_ms,
            mark=self.price,
            settle=self.index,
            index=self.index,
            rate=_RATE,
            next_ms=next_ms,
        )

    def body(self, now_ms: int) -> str:
        """The answer of ``premiumIndex``."""
        next_ms = (now_ms // _FUNDING_MS + 1) * _FUNDING_MS
        return (
            f'{{"symbol":"{self._listing.symbol}","markPrice":"{self.price:.8f}","indexPrice":"{self.index:.8f}",'
            f'"estimatedSettlePrice":"{self.index:.8f}","lastFundingRate":"{_RATE:.8f}","interestRate":"{_RATE:.8f}",'
            f'"nextFundingTime":{next_ms},"time":{now_ms}}}'
        )
