"""One instrument's book order by order: who rests where, in which place of the queue. Memory is bounded, growth is doubling."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.book import meta as m
from vtframe.book.l3 import layout as at
from vtframe.book.l3.compiled import ARRAYS, entry
from vtframe.buffers.native import retarget, table
from vtframe.domain import BookState, Records, SequenceRule, Side, Top
from vtframe.errors import InvariantError

START_ORDERS, START_LEVELS = 4096, 1024
MAX_ORDERS, MAX_LEVELS = 1 << 22, 1 << 20
_OUT_FRAMES, _OUT_EVENTS = ARRAYS.index("out_frames"), ARRAYS.index("out_events")
_ENTER_ALL = -1


class RestingOrder(NamedTuple):
    """One order of the book, fixed point. ``ahead`` is the quantity that stands before it at its price."""

    order_id: int
    side: Side
    price: int
    quantity: int
    ahead: int


class OrderBookCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened to one order-by-order book."""

    frames: int
    events: int
    orders: int  # that are in it and known
    fills: int
    out_of_turn: int  # fills of an order that others stood before
    gaps: int
    faults: int  # events that contradicted the book; each made a gap
    ignored: int  # frames that came while the book waited for a snapshot
    old_frames: int


class OrderBook:
    """Takes ORDERS and SNAPSHOT frames of one instrument, and writes what they mean by levels.

    Orders that were there before we looked have no ids: a BOOK_DELTA (in a snapshot, or for a level that comes into view)
    states a level's total, and what known orders do not account for stands first in the queue. An event of an order that is
    not known is taken from there; where that has less, the feed and the book contradict each other, and that is a gap.
    """

    def __init__(self, rule: SequenceRule = SequenceRule.NONE) -> None:
        self.levels_array: NDArray[np.int64] = np.zeros((2, at.LEVEL_ROWS, START_LEVELS), np.int64)
        self.orders_array: NDArray[np.int64] = np.zeros((START_ORDERS, at.ORDER_COLUMNS), np.int64)
        self.meta: NDArray[np.int64] = np.zeros(at.COLUMNS, np.int64)
        self.meta[m.LAST_ID] = -1
        self.meta[m.RULE] = int(rule)
        self.meta[at.FREE] = at.NONE
        self._table: NDArray[np.int64] = np.zeros(2 * START_ORDERS, np.int64)
        self._control = np.zeros(at.CONTROL, np.int64)
        empty = Records(frames=1, events=1)
        self._frames, self._events = empty.frames, empty.events
        self._out_frames, self._out_events = empty.frames, empty.events
        self._handles = table(
            [
                self._frames,
                self._events,
                self.levels_array,
                self.orders_array,
                self._table,
                self.meta,
                self._out_frames,
                self._out_events,
                self._control,
            ]
        )
        self._run = entry()

    def apply(self, records: Records, out: Records, first: int = 0, last: int | None = None) -> None:
        """Handle frames ``first`` to ``last``; append to ``out`` what they are by levels: DEPTH, SNAPSHOT, TRADE and STATUS.

        Numbers and times of arrival are taken over. Raises InvariantError for a frame that breaks the contract of records,
        MemoryError beyond 4 million orders or 1 million levels a side.
        """
        if last is None:
            last = records.n_frames
        self._aim(records, out)
        control = self._control
        control[at.OUT_FRAMES], control[at.OUT_EVENTS] = out.n_frames, out.n_events
        while True:
            code = self._run(self._handles, first, last)
            out.n_frames, out.n_events = int(control[at.OUT_FRAMES]), int(control[at.OUT_EVENTS])
            if code == at.DONE:
                return
            first, need = int(control[at.POSITION]), int(control[at.NEED])
            if code == at.MORE_OUTPUT:
                out.reserve(frames=2, events=need)
                self._aim(records, out)
            elif code == at.MORE_ORDERS:
                self._grow_orders(need)
            elif code == at.MORE_LEVELS:
                self._grow_levels(need)
            else:
                frame = records.frames[first]
                raise InvariantError(f"frame {first} of input {frame['input']} is not a valid record: {frame}")

    @property
    def state(self) -> BookState:
        return BookState(int(self.meta[m.STATE]))

    def top(self) -> Top:
        """Best prices and quantities; 0 where a side is empty."""
        cells: list[int] = []
        for index in range(2):
            place = int(self.meta[m.N_BIDS + index]) - 1
            cells += self.levels_array[index, : at.QUANTITY + 1, place].tolist() if place >= 0 else [0, 0]
        return Top(*cells)

    def levels(self, side: Side, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Prices and quantities of the best ``count`` levels (fewer where there are fewer), best first, int64 copies."""
        index = 0 if side == Side.BUY else 1
        held = int(self.meta[m.N_BIDS + index])
        rows = self.levels_array[index, : at.QUANTITY + 1, max(held - count, 0) : held]
        return rows[at.PRICE, ::-1].copy(), rows[at.QUANTITY, ::-1].copy()

    def queue(self, side: Side, price: int) -> list[tuple[int, int]]:
        """(order id, quantity) at a price, first in the queue first; id 0 is all that was there before we looked."""
        index, place = self._level(side, price)
        if place < 0:
            return []
        unnamed = int(self.levels_array[index, at.UNNAMED, place])
        found = [(0, unnamed)] if unnamed else []
        slot = int(self.levels_array[index, at.HEAD, place])
        while slot != at.NONE:
            found.append((int(self.orders_array[slot, at.ID]), int(self.orders_array[slot, at.LEFT])))
            slot = int(self.orders_array[slot, at.AFTER])
        return found

    def order(self, order_id: int) -> RestingOrder | None:
        """A known order and its place; None where there is none of that id. Walks its queue: not for the hot path."""
        slots = np.flatnonzero(self.orders_array[: self.meta[at.USED], at.ID] == order_id)
        for slot in slots.tolist():
            side, price = Side(int(self.orders_array[slot, at.SIDE])), int(self.orders_array[slot, at.AT])
            ahead = 0
            for other, quantity in self.queue(side, price):
                if other == order_id:
                    return RestingOrder(order_id, side, price, quantity, ahead)
                ahead += quantity
        return None

    def counts(self) -> OrderBookCounts:
        row = self.meta
        return OrderBookCounts(
            frames=int(row[m.FRAMES]),
            events=int(row[m.EVENTS]),
            orders=int(row[at.ORDERS]),
            fills=int(row[at.FILLS]),
            out_of_turn=int(row[at.OUT_OF_TURN]),
            gaps=int(row[m.GAPS]),
            faults=int(row[at.FAULTS]),
            ignored=int(row[at.IGNORED]),
            old_frames=int(row[m.OLD_FRAMES]),
        )

    def _level(self, side: Side, price: int) -> tuple[int, int]:
        index = 0 if side == Side.BUY else 1
        found = np.flatnonzero(self.levels_array[index, at.PRICE, : self.meta[m.N_BIDS + index]] == price)
        return index, int(found[0]) if len(found) else at.NONE

    def _aim(self, records: Records, out: Records) -> None:
        """Let the kernel read and write these arrays; they are kept alive until others take their place."""
        arrays = {
            0: (self._frames, records.frames),
            1: (self._events, records.events),
            _OUT_FRAMES: (self._out_frames, out.frames),
            _OUT_EVENTS: (self._out_events, out.events),
        }
        for index, (before, now) in arrays.items():
            if before is not now:
                retarget(self._handles, index, now)
        self._frames, self._events, self._out_frames, self._out_events = (now for _, now in arrays.values())

    def _grow_orders(self, need: int) -> None:
        capacity = _doubled(len(self.orders_array), need, MAX_ORDERS, "orders")
        grown = np.zeros((capacity, at.ORDER_COLUMNS), np.int64)
        grown[: len(self.orders_array)] = self.orders_array
        self.orders_array, self._table = grown, np.zeros(2 * capacity, np.int64)
        retarget(self._handles, ARRAYS.index("orders"), grown)
        retarget(self._handles, ARRAYS.index("table"), self._table)
        self._run(self._handles, _ENTER_ALL, 0)

    def _grow_levels(self, need: int) -> None:
        held = self.levels_array.shape[2]
        grown = np.zeros((2, at.LEVEL_ROWS, _doubled(held, need, MAX_LEVELS, "levels a side")), np.int64)
        grown[:, :, :held] = self.levels_array
        self.levels_array = grown
        retarget(self._handles, ARRAYS.index("levels"), grown)


def _doubled(capacity: int, need: int, limit: int, what: str) -> int:
    while capacity < need:
        capacity *= 2
    if capacity > limit:
        raise MemoryError(f"a book of {need} {what} is beyond the limit of {limit}")
    return capacity
