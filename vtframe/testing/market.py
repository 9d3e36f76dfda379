"""A small seeded market for checks: a snapshot, then diffs and trades around a mid that walks. Not a model of anything."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vtframe.domain import EventFlag, EventKind, FrameKind, Instrument, InstrumentKind, Records, SequenceRule

INSTRUMENT = Instrument(
    venue="testing",
    symbol="TEST",
    kind=InstrumentKind.LINEAR,
    base="TEST",
    quote="USD",
    settlement="USD",
    price_decimals=2,
    quantity_decimals=3,
    tick_size=5,
    lot_size=1,
)
RULE = SequenceRule.INCREMENT
DEPTH = 30  # ticks from the mid that hold levels
_START = 100_000  # the first mid, in ticks
_Event = tuple[int, int, int, int, int, int, int, int, int]


class SmallMarket:
    """Writes frames of one instrument into Records; the same seed writes the same frames."""

    def __init__(self, seed: int) -> None:
        self.records = Records()
        self._random = np.random.default_rng(seed)
        self._levels: dict[tuple[int, int], int] = {}  # (side, price): quantity
        self._mid = _START
        self._id = 0
        self._now = 1_700_000_000_000_000_000

    def snapshot(self) -> None:
        """A new book around the mid."""
        self._levels = {}
        for distance in range(1, DEPTH + 1):
            for side in (1, -1):
                self._levels[side, self._price(self._mid - side * distance)] = self._quantity()
        flags = int(EventFlag.SNAPSHOT)
        events = [self._event(EventKind.BOOK_CLEAR, 0, 0, 0, flags)]
        events += [self._event(EventKind.BOOK_DELTA, s, p, q, flags) for (s, p), q in self._levels.items()]
        self._frame(FrameKind.SNAPSHOT, events)

    def run(self, frames: int) -> None:
        """So many frames more: two diffs for each trade."""
        for _ in range(frames):
            if self._random.random() < 1 / 3:
                side = 1 if self._random.random() < 0.5 else -1
                non_market = int(EventFlag.NON_MARKET) if self._random.random() < 0.05 else 0
                best = self._price(self._mid + side)
                self._frame(FrameKind.TRADE, [self._event(EventKind.TRADE, side, best, self._quantity(), non_market)])
            else:
                self._diff()

    def still(self, frames: int) -> None:
        """So many diffs that restate a level as it is."""
        for _ in range(frames):
            (side, price), quantity = next(iter(self._levels.items()))
            self._frame(FrameKind.DEPTH, [self._event(EventKind.BOOK_DELTA, side, price, quantity)])

    def empty(self, side: int) -> None:
        """Every level of a side vanishes in one diff."""
        gone = [price for s, price in self._levels if s == side]
        self._frame(FrameKind.DEPTH, [self._event(EventKind.BOOK_DELTA, side, price, 0) for price in gone])
        self._levels = {level: quantity for level, quantity in self._levels.items() if level[0] != side}

    def enormous(self, side: int) -> None:
        """The best level of a side becomes nearly as large as a number can be."""
        level = side, self._price(self._mid - side)
        self._levels[level] = 1 << 60
        self._frame(FrameKind.DEPTH, [self._event(EventKind.BOOK_DELTA, *level, 1 << 60)])

    def _diff(self) -> None:
        """The mid moves by a tick at most; levels that it passes leave, others change, some vanish."""
        self._mid += int(self._random.integers(-1, 2))
        changes: dict[tuple[int, int], int] = {
            (side, price): 0 for side, price in self._levels if side * (price - self._price(self._mid)) >= 0
        }
        for side in (1, -1):
            distance = int(self._random.integers(1, DEPTH))
            changes[side, self._price(self._mid - side)] = self._quantity()
            changes[side, self._price(self._mid - side * distance)] = 0 if self._random.random() < 0.3 else self._quantity()
        self._levels.update(changes)
        self._levels = {level: quantity for level, quantity in self._levels.items() if quantity}
        self._frame(FrameKind.DEPTH, [self._event(EventKind.BOOK_DELTA, s, p, q) for (s, p), q in changes.items()])

    def _price(self, ticks: int) -> int:
        return ticks * INSTRUMENT.tick_size

    def _quantity(self) -> int:
        return int(self._random.integers(1, 50_000))

    def _event(self, kind: EventKind, side: int, price: int, quantity: int, flags: int = 0) -> _Event:
        return (0, self._now - 2_000_000, price, quantity, 0, 0, flags, int(kind), side)

    def _frame(self, kind: FrameKind, events: Iterable[_Event]) -> None:
        depth = kind in {FrameKind.DEPTH, FrameKind.SNAPSHOT}
        self._id += depth
        self._now += int(self._random.integers(1, 40)) * 1_000_000
        self.records.append(
            kind=kind,
            instrument=0,
            events=list(events),
            ts_recv=self._now,
            first_id=self._id if depth else -1,
            last_id=self._id if depth else -1,
            number=self.records.n_frames,
        )


def small_market(seed: int = 1, *, frames: int = 400) -> Records:
    """A snapshot and ``frames`` frames after it."""
    market = SmallMarket(seed)
    market.snapshot()
    market.run(frames)
    return market.records
