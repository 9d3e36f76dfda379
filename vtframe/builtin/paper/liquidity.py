"""What of the displayed book is still there for us: a level that paper orders took from stays smaller until it updates."""

from __future__ import annotations

from vtframe.api import BookReader
from vtframe.domain import Side

_PAGE = 32  # levels looked at in one go
_TAKEN = 64  # levels taken from, of one side, beyond which those that have changed since are looked for


class Liquidity:
    """The displayed quantities less what was taken, per (instrument, side, price).

    A level's delta (``updated``) or a new picture of the book (``cleared``) makes it whole. While no order works, frames are
    not seen here: a level that then shows another quantity than when it was taken from has been updated, too.
    """

    def __init__(self, books: BookReader) -> None:
        self._books = books
        self._taken: dict[tuple[int, Side], dict[int, tuple[int, int]]] = {}  # price: (taken, displayed then)

    def updated(self, instrument: int, side: Side, price: int) -> None:
        self._taken.get((instrument, side), {}).pop(price, None)

    def cleared(self, instrument: int) -> None:
        for side in Side:
            self._taken.pop((instrument, side), None)

    def tracked(self, instrument: int) -> bool:
        """Whether any level of the instrument was taken from."""
        return any(self._taken.get((instrument, side)) for side in Side)

    def walk(self, instrument: int, side: Side, limit: int | None, quantity: int) -> list[tuple[int, int]]:
        """What an order could take from the bids (BUY) or asks (SELL), best first: (price, quantity) up to ``quantity``
        in all, no price worse than ``limit`` (None: any)."""
        taken = self._taken.get((instrument, side), {})
        found: list[tuple[int, int]] = []
        count = _PAGE
        seen = 0
        while quantity > 0:
            prices, quantities = self._books.levels(instrument, side, count)
            for price, displayed in zip(prices[seen:].tolist(), quantities[seen:].tolist(), strict=True):
                if quantity <= 0 or (limit is not None and side * (price - limit) < 0):
                    return found
                used, then = taken.get(price, (0, displayed))
                available = displayed - used if then == displayed else displayed
                if available > 0:
                    part = min(available, quantity)
                    found.append((price, part))
                    quantity -= part
            seen = len(prices)
            if seen < count:
                return found
            count *= 4
        return found

    def take(self, instrument: int, side: Side, price: int, quantity: int) -> None:
        """Remove what a fill consumed."""
        displayed = self._books.quantity_at(instrument, side, price)
        levels = self._taken.setdefault((instrument, side), {})
        if len(levels) > _TAKEN:  # updates between our orders are not seen here
            for other, (_, then) in tuple(levels.items()):
                if self._books.quantity_at(instrument, side, other) != then:
                    del levels[other]
        used, then = levels.get(price, (0, displayed))
        levels[price] = ((used if then == displayed else 0) + quantity, displayed)
