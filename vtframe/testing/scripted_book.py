"""A venue's book and its truth: seeded changes, one a message, numbered from the picture on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vtframe.domain import Instrument

DEPTH = 8  # levels a side that a book begins with
_START_NS = 1_700_000_000_000_000_000


class Change(NamedTuple):
    """One level's new total, in fixed point; 0 removes it."""

    side: int
    price: int
    quantity: int


class ScriptedBook:
    """One instrument at the venue. The same seed makes the same changes; it is never crossed and no side is ever empty."""

    def __init__(self, instrument: Instrument, *, seed: int, mid: int = 10_000, depth: int = DEPTH) -> None:
        """``mid`` in ticks, ``depth`` in levels a side that it begins with."""
        self.instrument = instrument
        self.sequence = 1
        self.ts_event = _START_NS
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self._random = np.random.default_rng(seed)
        self._mid = mid
        self._depth = depth
        for distance in range(1, depth + 1):
            for side in (1, -1):
                self._side(side)[self._price(side, distance)] = self._quantity()

    def step(self) -> Change:
        """The market's next message: its number and time go on by one and by some milliseconds."""
        self.sequence += 1
        self.ts_event += int(self._random.integers(1, 40)) * 1_000_000
        side = 1 if self._random.random() < 0.5 else -1
        price = self._price(side, int(self._random.integers(1, self._depth + 4)))
        levels = self._side(side)
        quantity = 0 if price in levels and len(levels) > 2 and self._random.random() < 0.3 else self._quantity()
        if quantity:
            levels[price] = quantity
        else:
            del levels[price]
        return Change(side, price, quantity)

    @property
    def best(self) -> tuple[int, int]:
        """Best bid and ask."""
        return max(self.bids), min(self.asks)

    def sides(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(price, quantity) of bids and asks, best first."""
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())

    def _side(self, side: int) -> dict[int, int]:
        return self.bids if side == 1 else self.asks

    def _price(self, side: int, distance: int) -> int:
        return (self._mid - side * distance) * self.instrument.tick_size

    def _quantity(self) -> int:
        return int(self._random.integers(1, 1_000)) * self.instrument.lot_size
