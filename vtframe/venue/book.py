"""The venue's own book of one instrument, by update id: what any client's book must equal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from vtframe.domain import Side

SEGMENT = 512  # changes between two kept pictures
SEGMENTS = 24  # kept; older update ids are forgotten

Levels = dict[int, int]
Deltas = tuple[tuple[int, int, int], ...]
"""side, price in ticks, quantity in lots (0 removes the level)."""


class _Segment(NamedTuple):
    first_id: int  # the picture's update id
    bids: Levels
    asks: Levels
    changes: list[tuple[int, Deltas]]


class VenueBook:
    """Levels by price, the last update id, and a bounded history of both."""

    def __init__(self, first_id: int) -> None:
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.update_id = first_id
        self._bid = self._ask = 0  # best prices; 0: none
        self._history: deque[_Segment] = deque(maxlen=SEGMENTS)
        self._keep()

    def apply(self, deltas: Deltas, update_id: int) -> None:
        """One atomic change; the book is at ``update_id`` after it."""
        for side, price, quantity in deltas:
            self._set(side, price, quantity)
        self.update_id = update_id
        changes = self._history[-1].changes
        changes.append((update_id, deltas))
        if len(changes) >= SEGMENT:
            self._keep()

    def top(self, side: Side) -> tuple[int, int]:
        """Best price and quantity; zeros where the side is empty."""
        if side == Side.BUY:
            return self._bid, self.bids.get(self._bid, 0)
        return self._ask, self.asks.get(self._ask, 0)

    def _set(self, side: int, price: int, quantity: int) -> None:
        """One level; the best price is found anew only when it leaves."""
        levels = self.bids if side == Side.BUY else self.asks
        if quantity:
            levels[price] = quantity
            if side == Side.BUY:
                self._bid = max(self._bid, price)
            elif not self._ask or price < self._ask:
                self._ask = price
            return
        levels.pop(price, None)
        if side == Side.BUY:
            if price == self._bid:
                self._bid = max(levels, default=0)
        elif price == self._ask:
            self._ask = min(levels, default=0)

    def levels(self, side: int) -> Iterator[tuple[int, int]]:
        """Price and quantity of a side, best first."""
        levels = self.bids if side == Side.BUY else self.asks
        for price in sorted(levels, reverse=side == Side.BUY):
            yield price, levels[price]

    def depth(self, side: int, limit: int) -> int:
        """What rests on ``side`` at ``limit`` or better."""
        levels = self.bids if side == Side.BUY else self.asks
        return sum(quantity for price, quantity in levels.items() if (price - limit) * side >= 0)

    def at(self, update_id: int) -> tuple[int, Levels, Levels] | None:
        """The book after the last change whose id is at most ``update_id``: that id, bids, asks; None where forgotten."""
        for segment in reversed(self._history):
            if segment.first_id <= update_id:
                bids, asks, reached = dict(segment.bids), dict(segment.asks), segment.first_id
                for change_id, deltas in segment.changes:
                    if change_id > update_id:
                        break
                    apply_deltas(bids, asks, deltas)
                    reached = change_id
                return reached, bids, asks
        return None

    def before(self, changes: int) -> tuple[int, Levels, Levels]:
        """The book as it was so many changes ago, or as far back as it is known; with its update id."""
        if not changes:
            return self.update_id, self.bids, self.asks
        wanted = self.oldest_id
        for segment in reversed(self._history):
            if len(segment.changes) > changes:
                wanted = segment.changes[-1 - changes][0]
                break
            changes -= len(segment.changes)
        return self.at(wanted) or (self.update_id, self.bids, self.asks)

    @property
    def oldest_id(self) -> int:
        """The first update id that ``at`` still knows."""
        return self._history[0].first_id

    def _keep(self) -> None:
        self._history.append(_Segment(self.update_id, dict(self.bids), dict(self.asks), []))


def apply_deltas(bids: Levels, asks: Levels, deltas: Deltas) -> None:
    """Change the levels in place."""
    for side, price, quantity in deltas:
        levels = bids if side == Side.BUY else asks
        if quantity:
            levels[price] = quantity
        else:
            levels.pop(price, None)
