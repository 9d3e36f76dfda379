"""A venue's surroundings that stand still: hand an adapter on trial orders and frames, and see what it makes of them."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import ApprovedOrder, BookReader, ExecutionAdapter
from vtframe.clock import EventClock
from vtframe.domain import (
    BookState,
    CancelOrder,
    FrameKind,
    Instrument,
    OrderEvent,
    OrderStatus,
    Records,
    Side,
    SubmitOrder,
    Top,
)
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.execution.order_table import OrderTable
from vtframe.risk.gate import Gate
from vtframe.testing.desk import START_NS, Desk
from vtframe.testing.market import INSTRUMENT


class OrderTrial:
    """An ``ExecutionContext`` and its sink, for one instrument. Starts the adapter.

    Every event goes through an order table, which raises InvariantError for one that cannot be true; ``events`` has them all,
    ``entries`` what was said of entries. Set ``quote`` for other best prices.
    """

    def __init__(self, adapter: ExecutionAdapter, instrument: Instrument = INSTRUMENT) -> None:
        self.adapter = adapter
        self.clock = EventClock(start_ns=START_NS)
        self.instruments = SessionInstruments([instrument])
        self.traded = (0,)
        self.sink = self
        self.events: list[OrderEvent] = []
        self.entries: list[tuple[bool, str]] = []
        self.orders = OrderTable()
        self._desk = Desk(instrument)
        self._gate = Gate((), self._desk)
        self._frames = 0
        self._sent = 0
        adapter.start(self)

    @property
    def books(self) -> BookReader:
        return _Standing(self._desk)

    @property
    def quote(self) -> Top:
        return self._desk.quote

    @quote.setter
    def quote(self, quote: Top) -> None:
        self._desk.quote = quote

    def on_order_event(self, event: OrderEvent) -> None:
        self.orders.apply(event)
        self.events.append(event)

    def on_entries(self, *, allowed: bool, reason: str = "") -> None:
        self.entries.append((allowed, reason))

    def submit(self, side: Side, quantity: int, price: int | None = None, **more: Any) -> str:
        """Hand it an order as a lane would, approved by the gate; the order's name. ``more`` are other fields of it."""
        self._sent += 1
        wish = self._desk.order(side, quantity, price, **{"client_order_id": f"trial-{self._sent}", **more})
        order, _ = self._gate.review(msgspec.structs.replace(wish, ts_created=self.clock.now_ns()), reduces=True)
        if not isinstance(order, ApprovedOrder):
            raise TypeError("a gate without policies denied an order")
        command: SubmitOrder = order.command
        self.orders.approve(command)
        self.orders.submitted(command.client_order_id)
        self.adapter.submit(order)
        return command.client_order_id

    def cancel(self, name: str) -> None:
        self.orders.cancel_sent(name)
        self.adapter.cancel(CancelOrder(client_order_id=name, ts_created=self.clock.now_ns(), cause="trial"))

    def frame(self, *, after_ms: float = 1.0) -> None:
        """One frame of the instrument, so much later, that changes nothing."""
        self.clock.advance(self.clock.now_ns() + int(after_ms * 1e6))
        self._frames += 1
        records = Records()
        now = self.clock.now_ns()
        records.append(kind=FrameKind.DEPTH, instrument=0, events=[], ts_recv=now, number=self._frames, last_id=self._frames)
        self.adapter.on_frame(records, 0)

    def status(self, name: str) -> OrderStatus:
        return self.orders[name].status

    def filled(self, name: str) -> int:
        return self.orders[name].filled_quantity


class _Standing:
    """A ``BookReader`` of the best prices alone."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def top(self, instrument: int) -> Top:
        return self._desk.top(instrument)

    def state(self, instrument: int) -> BookState:
        return self._desk.book_state(instrument)

    def update_id(self, instrument: int) -> int:
        return 1

    def ts_event(self, instrument: int) -> int:
        return self._desk.now_ns()

    def quantity_at(self, instrument: int, side: Side, price: int) -> int:
        prices, quantities = self.levels(instrument, side, 1)
        return int(quantities[0]) if len(prices) and prices[0] == price else 0

    def levels(self, instrument: int, side: Side, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        top = self.top(instrument)
        price, quantity = (top.bid, top.bid_quantity) if side is Side.BUY else (top.ask, top.ask_quantity)
        known = min(count, 1) if quantity else 0
        return np.full(known, price, np.int64), np.full(known, quantity, np.int64)
