"""The one table of orders: each is in exactly one state, and a change of state that cannot be is an error, not a guess."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from vtframe.domain import (
    OrderAccepted,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderLost,
    OrderRejected,
    OrderStatus,
    Prediction,
    Side,
    SubmitOrder,
)
from vtframe.errors import InvariantError

S = OrderStatus
TRANSITIONS: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    S.APPROVED: frozenset({S.SUBMITTED, S.CANCELED}),  # canceled: never sent
    S.SUBMITTED: frozenset(
        {S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.UNKNOWN}
    ),
    S.ACCEPTED: frozenset({S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.FILLED, S.CANCELED, S.EXPIRED, S.UNKNOWN}),
    S.PARTIALLY_FILLED: frozenset({S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.FILLED, S.CANCELED, S.EXPIRED, S.UNKNOWN}),
    # a venue may acknowledge, fill, end or refuse an order while our cancel is under way
    S.PENDING_CANCEL: frozenset({S.PENDING_CANCEL, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED}),
    # a fill that overtook the cancel is reported late, and counts
    S.CANCELED: frozenset({S.CANCELED, S.FILLED}),
    S.EXPIRED: frozenset({S.EXPIRED, S.FILLED}),
    S.FILLED: frozenset(),
    S.REJECTED: frozenset(),
    S.DENIED: frozenset(),
}
"""Which states may follow which. An event that leaves the state as it is (a late acknowledgement) is no transition."""

_TIMES = 100_000  # of approvals that are kept, at least
_KEEP_NS = 600_000_000_000  # a fill may be reported that long after its order ended
_MOST = 65_536  # ended orders that are kept, however quickly they follow one another


class Order:
    """One order: the command as sent, where it stands, and, until it is final, the prediction that caused it."""

    __slots__ = ("command", "fill_ids", "filled_quantity", "prediction", "status")

    def __init__(self, command: SubmitOrder, status: OrderStatus, prediction: Prediction | None) -> None:
        self.command = command
        self.status = status
        self.prediction = prediction
        self.filled_quantity = 0
        self.fill_ids: list[str] = []  # few: a set takes 200 bytes more

    @property
    def leaves_quantity(self) -> int:
        """What may still be filled: the unfilled rest of an order that is not final."""
        return 0 if self.status.final else self.command.quantity - self.filled_quantity

    @property
    def working(self) -> int:
        """``leaves_quantity``, signed by side."""
        return self.command.side * self.leaves_quantity


class OrderTable:
    """Every order that is not final, and those that are for ten minutes more, at least the last ``keep`` of them: a late fill
    is still found there.

    All lanes of a session share one. Quantities are fixed point.
    """

    def __init__(self, *, keep: int = 1024) -> None:
        self._open: dict[str, Order] = {}
        self._final: dict[str, Order] = {}
        self._keep = keep
        self._proposed: dict[str, Prediction | None] = {}
        self._working: dict[tuple[str, int, Side], int] = {}
        self._total: dict[tuple[int, Side], int] = {}
        self._approved: dict[str | None, array[int]] = {}  # by lane, None for all: when (ns), in order
        self.repeated = 0  # events that a venue reported again
        self.late_fills = 0  # fills of orders that had ended

    def propose(self, client_order_id: str, prediction: Prediction | None) -> None:
        """An order goes to the gate; ``prediction`` caused it."""
        self._proposed[client_order_id] = prediction

    def cause(self, client_order_id: str) -> Prediction | None:
        """The prediction behind an order under review, or one that is not final."""
        if client_order_id in self._proposed:
            return self._proposed[client_order_id]
        order = self.find(client_order_id)
        return order.prediction if order is not None else None

    def approve(self, command: SubmitOrder) -> Order:
        """The gate let it pass."""
        order = self._new(command, OrderStatus.APPROVED)
        self._open[command.client_order_id] = order
        self._note_time(None, command.ts_created)
        self._note_time(command.lane, command.ts_created)
        self._count(order, order.working)
        return order

    def deny(self, command: SubmitOrder) -> Order:
        """The gate refused it."""
        order = self._new(command, OrderStatus.DENIED)
        self._retire(order)
        return order

    def forget(self, client_order_id: str) -> None:
        """The gate refused a proposed order as it had refused others: it is counted, and no place is taken up for it."""
        self._proposed.pop(client_order_id, None)

    def withdraw(self, client_order_id: str) -> None:
        """An approved order that was never sent has ended."""
        self._move(self[client_order_id], OrderStatus.CANCELED)

    def submitted(self, client_order_id: str) -> None:
        """It was handed to the adapter."""
        self._move(self[client_order_id], OrderStatus.SUBMITTED)

    def cancel_sent(self, client_order_id: str) -> None:
        """A cancel was handed to the adapter."""
        self._move(self[client_order_id], OrderStatus.PENDING_CANCEL)

    def lost(self, client_order_id: str) -> None:
        """The answer was lost: the order may work or not. It counts as working, and is never sent again."""
        self._move(self[client_order_id], OrderStatus.UNKNOWN)

    def apply(self, event: OrderEvent) -> Order | None:
        """Take the venue's word; the order afterwards, or None for an event that had been reported before.

        Raises InvariantError, and changes nothing, where the event cannot be true: an unknown order, a fill beyond the
        quantity, an order that comes back after its end.
        """
        order = self.find(event.client_order_id)
        if order is None:
            raise InvariantError(f"{type(event).__name__} for {event.client_order_id!r}, which is not in the order table")
        match event:
            case OrderFilled():
                return self._fill(order, event)
            case OrderAccepted():
                return self._accept(order)
            case OrderRejected():
                status = OrderStatus.REJECTED
            case OrderCanceled():
                status = OrderStatus.CANCELED
            case OrderExpired():
                status = OrderStatus.EXPIRED
            case OrderLost():
                status = order.status if order.status.final else OrderStatus.UNKNOWN  # its end is known after all
        if order.status is status:
            self.repeated += 1
            return None
        self._move(order, status)
        return order

    def clear(self) -> None:
        """Forget everything: for a table of orders that were never meant."""
        for table in (self._open, self._final, self._proposed, self._working, self._total, self._approved):
            table.clear()

    def find(self, client_order_id: str) -> Order | None:
        return self._open.get(client_order_id) or self._final.get(client_order_id)

    def __getitem__(self, client_order_id: str) -> Order:
        order = self.find(client_order_id)
        if order is None:
            raise InvariantError(f"{client_order_id!r} is not in the order table")
        return order

    def working_orders(self, lane: str, instrument: int | None = None) -> Iterator[Order]:
        """The lane's orders that are not final, oldest first. A copy: the table may change meanwhile."""
        for order in tuple(self._open.values()):
            command = order.command
            if command.lane == lane and (instrument is None or command.instrument == instrument):
                yield order

    def working(self, instrument: int, *, lane: str | None = None, side: Side | None = None) -> int:
        """Signed quantity that may still be filled, of one lane or of all, of one side or net."""
        if side is None:
            return self.working(instrument, lane=lane, side=Side.BUY) + self.working(instrument, lane=lane, side=Side.SELL)
        if lane is None:
            return self._total.get((instrument, side), 0)
        return self._working.get((lane, instrument, side), 0)

    def has_working(self, lane: str) -> bool:
        return any(order.command.lane == lane for order in self._open.values())

    def approved_since(self, ts_ns: int, *, lane: str | None = None) -> int:
        """How many orders were approved at or after ``ts_ns``, of the last 100,000 at least."""
        times = self._approved.get(lane, ())
        return len(times) - bisect_left(times, ts_ns)

    def _new(self, command: SubmitOrder, status: OrderStatus) -> Order:
        if self.find(command.client_order_id) is not None:
            raise InvariantError(f"client order ID {command.client_order_id!r} is used twice")
        return Order(command, status, self._proposed.pop(command.client_order_id, None))

    def _note_time(self, lane: str | None, ts_ns: int) -> None:
        times = self._approved.setdefault(lane, array("q"))
        if len(times) >= 2 * _TIMES:
            del times[:_TIMES]
        times.append(max(ts_ns, times[-1]) if times else ts_ns)  # sorted, even where a clock was set back

    def _accept(self, order: Order) -> Order:
        if order.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
            self._move(order, OrderStatus.PARTIALLY_FILLED if order.filled_quantity else OrderStatus.ACCEPTED)
        elif order.status in (OrderStatus.APPROVED, OrderStatus.DENIED, OrderStatus.REJECTED):
            raise InvariantError(f"OrderAccepted for {order.command.client_order_id!r}, which is {order.status.value}")
        return order  # an acknowledgement that a fill or a cancel overtook says nothing new

    def _fill(self, order: Order, event: OrderFilled) -> Order | None:
        if event.fill_id and event.fill_id in order.fill_ids:
            self.repeated += 1
            return None
        rest = order.command.quantity - order.filled_quantity
        if not 0 < event.quantity <= rest:
            raise InvariantError(f"fill of {event.quantity} for {event.client_order_id!r}, of which {rest} is unfilled")
        if event.quantity == rest:
            status = OrderStatus.FILLED
        elif order.status.final or order.status is OrderStatus.PENDING_CANCEL:
            status = order.status
        else:
            status = OrderStatus.PARTIALLY_FILLED
        late = order.status.final
        self._check(order, status)
        before = order.working
        order.filled_quantity += event.quantity
        if event.fill_id:
            order.fill_ids.append(event.fill_id)
        self.late_fills += late
        self._set(order, status, before)
        return order

    def _move(self, order: Order, status: OrderStatus) -> None:
        self._check(order, status)
        self._set(order, status, order.working)

    def _check(self, order: Order, status: OrderStatus) -> None:
        if status not in TRANSITIONS[order.status]:
            raise InvariantError(
                f"order {order.command.client_order_id!r} cannot go from {order.status.value} to {status.value}"
            )

    def _set(self, order: Order, status: OrderStatus, before: int) -> None:
        order.status = status
        self._count(order, order.working - before)
        if status.final:
            self._retire(order)

    def _retire(self, order: Order) -> None:
        name = order.command.client_order_id
        self._open.pop(name, None)
        self._final[name] = order
        order.prediction = None  # thousands of ended orders are kept: what only a review needs is not
        final, now = self._final, order.command.ts_created
        while len(final) > self._keep:
            oldest = next(iter(final))
            if final[oldest].command.ts_created > now - _KEEP_NS and len(final) <= _MOST:
                return
            del final[oldest]

    def _count(self, order: Order, change: int) -> None:
        if change:
            command = order.command
            key = (command.lane, command.instrument, command.side)
            self._working[key] = self._working.get(key, 0) + change
            total = (command.instrument, command.side)
            self._total[total] = self._total.get(total, 0) + change
