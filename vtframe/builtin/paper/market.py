"""The paper venue of one instrument: orders that are on their way, orders that rest, and how they meet the recorded book."""

from __future__ import annotations

from typing import NamedTuple

from vtframe.api import BookReader, Clock, OrderSink
from vtframe.builtin.paper.liquidity import Liquidity
from vtframe.builtin.paper.queue import Level, Resting
from vtframe.builtin.paper.rules import refusal
from vtframe.domain import (
    BookState,
    CancelOrder,
    EventFlag,
    EventKind,
    FrameKind,
    Instrument,
    InstrumentKind,
    LiquiditySide,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Records,
    Side,
    SubmitOrder,
    TimeInForce,
)

_DEPTH = (FrameKind.DEPTH, FrameKind.SNAPSHOT)


class Arrival(NamedTuple):
    """A command under way: it is there with the first frame that came at or after ``due`` and after the input ``after``."""

    due: int
    after: int
    command: SubmitOrder | CancelOrder


class PaperMarket:
    """Matches one lane's orders of one instrument. Quantities and prices are fixed point."""

    def __init__(
        self, index: int, instrument: Instrument, *, books: BookReader, sink: OrderSink, clock: Clock, proportional: bool
    ) -> None:
        self._index = index
        self._instrument = instrument
        self._books = books
        self._sink = sink
        self._clock = clock
        self._proportional = proportional
        self._liquidity = Liquidity(books)
        self._arrivals: list[Arrival] = []
        self._levels: dict[Side, dict[int, Level]] = {Side.BUY: {}, Side.SELL: {}}
        self._resting: dict[str, Resting] = {}
        self._dues: dict[str, int] = {}  # of orders under way
        self._position = 0  # what our own fills come to
        self._fills = 0
        self._last_input = -1
        self._was_live = True

    def holds(self, client_order_id: str) -> bool:
        """Whether the order is on its way or rests."""
        return client_order_id in self._dues or client_order_id in self._resting

    def submit(self, command: SubmitOrder, due: int) -> None:
        self._dues[command.client_order_id] = due
        self._arrivals.append(Arrival(due, command.input, command))

    def cancel(self, command: CancelOrder, due: int) -> None:
        """A cancel never overtakes its order."""
        self._arrivals.append(Arrival(max(due, self._dues.get(command.client_order_id, 0)), self._last_input, command))

    def stop(self) -> None:
        """Cancel everything at once, latency or not."""
        arrivals, self._arrivals = self._arrivals, []
        for arrival in arrivals:
            if isinstance(arrival.command, SubmitOrder):
                self._cancel_arriving(arrival.command, "stop")
        for resting in tuple(self._resting.values()):
            self._cancel_resting(resting, "stop")

    def on_frame(self, records: Records, index: int) -> None:
        """The frame was applied: fills of resting orders first, then what arrives, in order of arrival."""
        frame = records.frames[index]
        number, now = int(frame["input"]), int(frame["ts_recv"])
        self._last_input = number
        live = self._books.state(self._index) is BookState.LIVE
        if live:
            if self._resting or self._liquidity.tracked(self._index):
                self._apply(records, index, rebuilt=not self._was_live)
            if self._resting:
                self._match_crossed()
        self._was_live = live
        if self._arrivals:
            self._arrive(now, number, live=live)

    def _arrive(self, now: int, number: int, *, live: bool) -> None:
        due = sorted((a for a in self._arrivals if a.due <= now and a.after < number), key=lambda arrival: arrival.due)
        if not due:
            return
        ready = {id(arrival) for arrival in due}
        self._arrivals = [arrival for arrival in self._arrivals if id(arrival) not in ready]
        held: dict[str, tuple[Arrival, SubmitOrder]] = {}
        for arrival in due:
            command = arrival.command
            name = command.client_order_id
            if isinstance(command, SubmitOrder):
                if live:
                    del self._dues[name]
                    self._meet(command)
                else:
                    held[name] = (arrival, command)
            elif name in held:
                self._cancel_arriving(held.pop(name)[1], command.cause)
            elif name in self._resting:
                self._cancel_resting(self._resting[name], command.cause)
            # else it ended before the cancel arrived, and said so then
        self._arrivals = [*(arrival for arrival, _ in held.values()), *self._arrivals]

    def _meet(self, order: SubmitOrder) -> None:
        """The order reaches the book as it stands after the frame."""
        problem = self._problem(order)
        opposite = Side(-order.side)
        wanted = self._fillable(order, order.quantity)
        found = [] if problem else self._liquidity.walk(self._index, opposite, order.price, wanted)
        if order.post_only and found:
            problem = f"post_only would take at {self._instrument.price(found[0][0])}"
        now = self._clock.now_ns()
        name = order.client_order_id
        if problem:
            self._sink.on_order_event(OrderRejected(client_order_id=name, ts_event=now, reason=problem))
            return
        self._sink.on_order_event(OrderAccepted(client_order_id=name, ts_event=now, venue_order_id=f"paper-{name}"))
        leaves = order.quantity
        if order.time_in_force is TimeInForce.FOK and sum(part for _, part in found) < order.quantity:
            found = []
        for price, part in found:
            self._liquidity.take(self._index, opposite, price, part)
            leaves -= part
            self._fill(order, price, part, leaves, LiquiditySide.TAKER)
        if not leaves:
            return
        if order.price is None or order.time_in_force is not TimeInForce.GTC:
            reason = "nothing left to take" if order.price is None else order.time_in_force.value
            self._sink.on_order_event(OrderExpired(client_order_id=name, ts_event=now, leaves_quantity=leaves, reason=reason))
        else:
            self._rest(order, order.price, leaves)

    def _problem(self, order: SubmitOrder) -> str:
        """Why a venue would refuse the order; empty where it would not."""
        instrument = self._instrument
        problem = refusal(order, instrument)
        if problem:
            return problem
        if order.reduce_only:
            return "" if self._fillable(order, order.quantity) else "reduce_only: there is nothing to reduce"
        if instrument.kind is InstrumentKind.SPOT and order.side is Side.SELL:
            locked = sum(resting.leaves for resting in self._resting.values() if resting.command.side is Side.SELL)
            if order.quantity > self._position - locked:
                free = instrument.quantity(self._position - locked)
                return f"insufficient balance: sells {instrument.quantity(order.quantity)}, free {free}"
        top = self._books.top(self._index)
        price = order.price if order.price is not None else top.ask if order.side is Side.BUY else top.bid
        notional = instrument.notional(price, order.quantity)
        if notional < instrument.minimum_notional:
            return f"notional {notional} is under the minimum {instrument.minimum_notional}"
        return ""

    def _fillable(self, order: SubmitOrder, quantity: int) -> int:
        """How much of ``quantity`` may be filled: a reduce_only order never goes through zero."""
        return max(0, min(quantity, -order.side * self._position)) if order.reduce_only else quantity

    def _rest(self, order: SubmitOrder, price: int, leaves: int) -> None:
        displayed = self._books.quantity_at(self._index, order.side, price)
        joined = self._books.ts_event(self._index)
        levels = self._levels[order.side]
        if price not in levels:
            levels[price] = Level(displayed, proportional=self._proportional)
        resting = Resting(order, price=price, leaves=leaves, ahead=displayed, joined=joined)
        levels[price].orders.append(resting)
        self._resting[order.client_order_id] = resting

    def _apply(self, records: Records, index: int, *, rebuilt: bool) -> None:
        """What the frame says of taken levels and of queues that we stand in."""
        frame = records.frames[index]
        kind = int(frame["kind"])
        first, count = int(frame["first_event"]), int(frame["n_events"])
        events = records.events[first : first + count]
        if kind in _DEPTH and (0 <= int(frame["last_id"]) < self._books.update_id(self._index)):
            return  # older than the book: it was not applied
        if kind == FrameKind.SNAPSHOT or rebuilt:
            self._liquidity.cleared(self._index)
            for side, levels in self._levels.items():
                for price, level in levels.items():
                    level.rejoin(self._books.ts_event(self._index), self._books.quantity_at(self._index, side, price))
            return
        columns = (events[name].tolist() for name in ("kind", "side", "price", "quantity", "ts_event", "flags"))
        for event_kind, side, price, quantity, ts_event, flags in zip(*columns, strict=True):
            if event_kind == EventKind.BOOK_DELTA:
                book_side = Side(side)
                self._liquidity.updated(self._index, book_side, price)
                joined = self._levels[book_side].get(price)
                if joined is not None:
                    joined.update(ts_event, quantity)
            elif event_kind == EventKind.TRADE and not flags & EventFlag.NON_MARKET and self._resting:
                self._trade(side, price, quantity, ts_event)

    def _trade(self, aggressor: int, price: int, quantity: int, ts_event: int) -> None:
        """A market trade. One beyond an order's price must have passed that order; one at the price works the queue off."""
        for side in Side:
            if aggressor == side:
                continue
            rest = quantity
            for own, level in sorted(self._levels[side].items(), key=lambda item: -side * item[0]):
                if side * (own - price) > 0:
                    for resting in tuple(level.orders):
                        if rest and ts_event > resting.joined:
                            resting.ahead = 0
                            part = min(rest, resting.leaves)
                            rest -= part
                            self._fill_resting(resting, part)
                elif own == price and aggressor and rest:
                    for resting, part in level.trade(ts_event, rest):
                        self._fill_resting(resting, part)

    def _match_crossed(self) -> None:
        """The book moved through an order's price: what is displayed there met the order, at the order's price."""
        top = self._books.top(self._index)
        for side in Side:
            opposite, best, displayed = (
                (Side.SELL, top.ask, top.ask_quantity) if side is Side.BUY else (Side.BUY, top.bid, top.bid_quantity)
            )
            if not displayed:
                continue
            for own, level in sorted(self._levels[side].items(), key=lambda item: -side * item[0]):
                if side * (own - best) < 0:
                    break
                for resting in tuple(level.orders):
                    for price, part in self._liquidity.walk(self._index, opposite, own, resting.leaves):
                        self._liquidity.take(self._index, opposite, price, part)
                        resting.ahead = 0
                        self._fill_resting(resting, part)

    def _fill_resting(self, resting: Resting, quantity: int) -> None:
        """Fill at the order's price, as far as it is still there and may be filled."""
        order = resting.command
        if order.client_order_id not in self._resting:
            return
        allowed = self._fillable(order, min(quantity, resting.leaves))
        resting.leaves -= allowed
        if not resting.leaves:
            self._remove(resting)
        if allowed:
            self._fill(order, resting.price, allowed, resting.leaves, LiquiditySide.MAKER)
        if resting.leaves and not self._fillable(order, resting.leaves) and order.client_order_id in self._resting:
            self._cancel_resting(resting, "reduce_only: nothing left to reduce")

    def _fill(self, order: SubmitOrder, price: int, quantity: int, leaves: int, liquidity_side: LiquiditySide) -> None:
        self._position += order.side * quantity
        self._fills += 1
        self._sink.on_order_event(
            OrderFilled(
                client_order_id=order.client_order_id,
                ts_event=self._clock.now_ns(),
                price=price,
                quantity=quantity,
                leaves_quantity=leaves,
                liquidity_side=liquidity_side,
                fill_id=f"{self._instrument.instrument_id}-{self._fills}",
            )
        )

    def _cancel_arriving(self, order: SubmitOrder, reason: str) -> None:
        self._dues.pop(order.client_order_id, None)
        self._report_canceled(order, order.quantity, reason)

    def _cancel_resting(self, resting: Resting, reason: str) -> None:
        self._remove(resting)
        self._report_canceled(resting.command, resting.leaves, reason)

    def _report_canceled(self, order: SubmitOrder, leaves: int, reason: str) -> None:
        self._sink.on_order_event(
            OrderCanceled(
                client_order_id=order.client_order_id, ts_event=self._clock.now_ns(), leaves_quantity=leaves, reason=reason
            )
        )

    def _remove(self, resting: Resting) -> None:
        del self._resting[resting.command.client_order_id]
        levels = self._levels[resting.command.side]
        level = levels[resting.price]
        level.orders.remove(resting)
        if not level.orders:
            del levels[resting.price]
