"""A recorded book of one instrument, of dicts: in sync by the update ids that the recording carries. A ``BookReader``."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.domain import BookState, SequenceRule, Side, Top
from vtframe.venue.book import Deltas, Levels

_WAITING = 4096  # diffs that wait for a snapshot


class Diff(NamedTuple):
    """One recorded depth frame."""

    ts_ns: int
    first_id: int
    last_id: int
    previous_id: int
    levels: Deltas


class RecordedBook:
    """Not live until a snapshot and the diffs around it fit together, and again after a gap."""

    def __init__(self, rule: SequenceRule) -> None:
        self._rule = rule
        self._sides: dict[int, Levels] = {1: {}, -1: {}}
        self._waiting: deque[Diff] = deque(maxlen=_WAITING)
        self._state = BookState.SYNCING
        self._last_id = -1
        self._ts_event = 0
        self._fresh = False  # nothing was applied since the snapshot

    def snapshot(self, last_id: int, ts_ns: int, levels: Deltas) -> None:
        """Start anew; diffs that waited follow."""
        self._sides = {1: {}, -1: {}}
        self._apply(levels)
        self._last_id, self._ts_event = last_id, ts_ns
        self._state, self._fresh = BookState.LIVE, True
        waiting, self._waiting = list(self._waiting), deque(maxlen=_WAITING)
        for diff in waiting:
            self.diff(diff)

    def diff(self, diff: Diff) -> bool:
        """Whether it was applied."""
        if self._state is not BookState.LIVE:
            self._waiting.append(diff)
            return False
        if diff.last_id <= self._last_id:
            return False
        if not self._follows(diff):
            self._state = BookState.GAP
            self._waiting.append(diff)
            return False
        self._apply(diff.levels)
        self._last_id, self._ts_event, self._fresh = diff.last_id, diff.ts_ns, False
        return True

    def _follows(self, diff: Diff) -> bool:
        if self._fresh and diff.first_id <= self._last_id + 1:
            return True
        if self._rule is SequenceRule.PREVIOUS:
            return diff.previous_id == self._last_id
        return diff.first_id == self._last_id + 1

    def _apply(self, levels: Deltas) -> None:
        for side, price, quantity in levels:
            if quantity:
                self._sides[side][price] = quantity
            else:
                self._sides[side].pop(price, None)

    def changes_from(self, bids: Levels, asks: Levels) -> Deltas:
        """What turns ``bids`` and ``asks`` into this book."""
        changes = []
        for side, other in ((1, bids), (-1, asks)):
            own = self._sides[side]
            changes += [(side, price, 0) for price in other if price not in own]
            changes += [(side, price, quantity) for price, quantity in own.items() if other.get(price) != quantity]
        return tuple(changes)

    @property
    def is_live(self) -> bool:
        return self._state is BookState.LIVE

    def top(self, instrument: int) -> Top:
        bid, ask = max(self._sides[1], default=0), min(self._sides[-1], default=0)
        return Top(bid, self._sides[1].get(bid, 0), ask, self._sides[-1].get(ask, 0))

    def state(self, instrument: int) -> BookState:
        return self._state

    def update_id(self, instrument: int) -> int:
        return self._last_id

    def ts_event(self, instrument: int) -> int:
        return self._ts_event

    def quantity_at(self, instrument: int, side: Side, price: int) -> int:
        return self._sides[int(side)].get(price, 0)

    def levels(self, instrument: int, side: Side, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        levels = self._sides[int(side)]
        prices = sorted(levels, reverse=side == Side.BUY)[:count]
        return np.array(prices, np.int64), np.array([levels[price] for price in prices], np.int64)
