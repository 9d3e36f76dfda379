"""Where a lane's wishes become orders: what is missing is worked out, reviewed, journalled, and only then sent."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import Protocol

import msgspec

from vtframe.api import ApprovedOrder, ExecutionAdapter
from vtframe.domain import (
    CancelOrder,
    Denied,
    Exits,
    Instrument,
    InstrumentKind,
    Intent,
    OrderStatus,
    OrderType,
    Side,
    SubmitOrder,
    TimeInForce,
)
from vtframe.engine.denials import DenialRuns
from vtframe.engine.exit_pace import ExitPace
from vtframe.engine.lane_view import Journal, Market
from vtframe.execution.client_order_ids import ClientOrderIds
from vtframe.execution.order_table import Order, OrderTable
from vtframe.journal.records import CancelSent, IntentFormed, OrderApproved, OrderDenied, TradingChanged
from vtframe.portfolio.ledger import Ledger
from vtframe.risk.gate import Gate, Notes

VENUE_CLOSED = "venue_closed"  # what denies entries while the venue cannot be reached, or does not take them
NOT_TRADING = "not_trading"  # and while the venue does not trade the instrument


class LaneCounters(msgspec.Struct, kw_only=True):
    """What one lane has done so far."""

    intents: int = 0  # that led to an order or a denial
    orders: int = 0  # approved and sent
    fills: int = 0
    rejected: int = 0
    canceled: int = 0
    expired: int = 0
    denials: Counter[str] = msgspec.field(default_factory=Counter)  # by policy
    late: Counter[str] = msgspec.field(default_factory=Counter)  # predictions that could not be traded, by verdict


class AdapterError(Exception):
    """An adapter raised; the lane that catches it stops entering."""


class Stopwatch(Protocol):
    """Meters the stages that an order passes here; ns of the monotonic clock."""

    def now(self) -> int: ...
    def risk(self, ns: int, /) -> None: ...
    def submit(self, ns: int, /) -> None: ...
    def tick_to_order(self, ns: int, /) -> None: ...


class OrderDesk:
    """Orders of one lane: at most what is missing between what it wants, holds and has working.

    An intent that goes through zero is two orders, reviewed apart: the reducing one now, the opening one when nothing of the
    first works any more. Working orders that stand in the way are canceled first. Either way the intent waits here, and the
    newest of an instrument takes the place of an older one.
    """

    def __init__(
        self,
        *,
        lane: str,
        adapter: ExecutionAdapter,
        gate: Gate,
        limits: Gate | None,
        ledger: Ledger,
        orders: OrderTable,
        ids: ClientOrderIds,
        market: Market,
        journal: Journal,
        stopwatch: Stopwatch,
        counters: LaneCounters,
    ) -> None:
        self._lane = lane
        self._adapter = adapter
        self._gate = gate
        self._limits = limits
        self._ledger = ledger
        self._orders = orders
        self._ids = ids
        self._market = market
        self._journal = journal
        self._stopwatch = stopwatch
        self._counters = counters
        self._names = tuple(instrument.instrument_id for instrument in market.instruments)
        self._minimums = tuple(least_product(instrument) for instrument in market.instruments)
        self._waiting: dict[int, Intent] = {}
        self._pace = ExitPace()
        self._exits: dict[str, Exits] = {}  # of working orders that open
        self._denials = DenialRuns(lane, journal)
        self.note_denials = self._denials.note
        self.entries_open = True
        self.closed_for = ""  # why the venue takes no entries now; empty while it does
        self._halted: set[int] = set()  # instruments that the venue does not trade now
        self.number = -1  # the input in hand
        self.started = 0  # monotonic time at which it arrived; 0 where that is not known

    def close_entries(self) -> None:
        """From here on only what reduces is sent."""
        self.entries_open = False
        self._waiting.clear()

    def note_trading(self, index: int, number: int, *, trading: bool) -> None:
        """The venue trades an instrument no more, or again. Said twice it is once."""
        if trading == (index not in self._halted):
            return
        self._halted ^= {index}
        now, name = self._market.clock.now_ns(), self._names[index]
        self._journal.write(TradingChanged(lane=self._lane, input=number, ts=now, instrument=name, trading=trading))

    def pursue(self, intent: Intent) -> None:
        """Send what is missing. Raises AdapterError."""
        index = intent.instrument
        self._waiting.pop(index, None)
        held = self._ledger.position(index).quantity
        need = intent.target - held
        total = 0
        orders = self._orders
        if orders.working(index, lane=self._lane, side=Side.BUY) or orders.working(index, lane=self._lane, side=Side.SELL):
            working = tuple(orders.working_orders(self._lane, index))
            total = sum(order.working for order in working)
            blocking = [order for order in working if order.working * need <= 0]
            if not blocking and abs(total) > abs(need):
                blocking = list(working)
            if blocking:
                self._waiting[index] = intent
                for order in blocking:
                    if order.command.time_in_force is TimeInForce.GTC:  # the others end by themselves
                        self.cancel(order, intent.cause)
                return
        missing = need - total
        if not missing:
            return
        if held * missing >= 0:
            if self.entries_open:
                self._send(intent, missing, reduces=False)
            return
        if not self._pace.allows(index, self._market.clock.now_ns()):
            return
        reducible = abs(held) - abs(total)
        if abs(missing) > reducible:
            self._waiting[index] = intent
        if reducible > 0:
            quantity = min(abs(missing), reducible)
            self._send(intent, quantity if missing > 0 else -quantity, reduces=True, whole=quantity == reducible)

    def close(self, index: int, cause: str) -> None:
        """Close the whole position at the market, unless an order that does so is already working. Raises AdapterError.

        Working orders that would open, and limit orders that wait to reduce, are canceled. An attempt that came to nothing
        is repeated after a pause (``ExitPace``).
        """
        self._waiting.pop(index, None)
        held = self._ledger.position(index).quantity
        closing = 0
        for order in self._orders.working_orders(self._lane, index):
            if order.working * held < 0 and order.command.time_in_force is not TimeInForce.GTC:
                closing += order.leaves_quantity
            else:
                self.cancel(order, cause)
        missing = abs(held) - closing
        if missing > 0 and self._pace.allows(index, self._market.clock.now_ns()):
            intent = Intent(instrument=index, target=0, cause=cause)
            self._send(intent, -missing if held > 0 else missing, reduces=True, whole=True)

    def cancel_entries(self, index: int | None, cause: str) -> None:
        """Cancel what would open, and forget what waits to. Raises AdapterError."""
        for order in self._orders.working_orders(self._lane, index):
            if not order.command.reduce_only:
                self.cancel(order, cause)
        if index is None:
            self._waiting.clear()
        else:
            self._waiting.pop(index, None)

    def hold_back(self, index: int) -> None:
        """An intent that waits for another order's end is too old to open anything; what it reduces, it still reduces."""
        if (intent := self._waiting.get(index)) is None:
            return
        held = self._ledger.position(index).quantity
        if held * intent.target < 0:
            self._waiting[index] = msgspec.structs.replace(intent, target=0)
        elif abs(intent.target) > abs(held):
            del self._waiting[index]

    def finish(self) -> None:
        """Nothing more is sent, and no run of denials goes on."""
        self.close_entries()
        self._denials.end()

    def exits_of(self, order: Order) -> Exits | None:
        """The exits that go with an order's fills."""
        return self._exits.get(order.command.client_order_id)

    def ended(self, order: Order) -> None:
        """An order is final: an intent that waited for it goes on, unless the order came to nothing. Raises AdapterError."""
        command = order.command
        self._exits.pop(command.client_order_id, None)
        index = command.instrument
        failed = order.status is OrderStatus.REJECTED or (order.status is OrderStatus.EXPIRED and not order.filled_quantity)
        if failed:
            self._waiting.pop(index, None)
            if command.reduce_only:
                self._pace.failed(index, self._market.clock.now_ns())
            return
        if command.reduce_only:
            self._pace.worked(index)
        if index in self._waiting:
            self.pursue(self._waiting[index])

    def _send(self, intent: Intent, signed: int, *, reduces: bool, whole: bool = False) -> None:
        """One order of ``signed`` quantity; ``whole``: it closes all that is left, and no minimum holds it up."""
        index = intent.instrument
        instrument = self._market.instruments[index]
        quantity = abs(signed) if whole else abs(signed) - abs(signed) % instrument.lot_size
        if not quantity:
            return
        prediction = intent.prediction
        order = SubmitOrder(
            client_order_id=self._ids.next(),
            lane=self._lane,
            instrument=index,
            side=Side.BUY if signed > 0 else Side.SELL,
            order_type=intent.order_type,
            quantity=quantity,
            price=intent.price,
            time_in_force=intent.time_in_force,
            post_only=intent.post_only,
            reduce_only=reduces,
            ts_created=self._market.clock.now_ns(),
            cause=intent.cause,
            input=self.number,
            row=prediction.row if prediction is not None else -1,
        )
        self._orders.propose(order.client_order_id, prediction)
        watch = self._stopwatch
        if not reduces and (self.closed_for or index in self._halted):
            name = order.client_order_id
            denied = Denied(client_order_id=name, policy=NOT_TRADING, reason=f"the venue does not trade {self._names[index]}")
            if self.closed_for:
                denied = Denied(client_order_id=name, policy=VENUE_CLOSED, reason=self.closed_for)
            self._deny(intent, order, denied)
            return
        before = watch.now()
        approved, notes = self._review(order, reduces=reduces)
        watch.risk(watch.now() - before)
        if isinstance(approved, Denied):
            self._deny(intent, order, approved)
            return
        command = approved.command
        if not whole and (reason := self._too_small(command, instrument)):
            name = command.client_order_id
            self._deny(intent, command, Denied(client_order_id=name, policy="minimum_notional", reason=reason))
            return
        before = watch.now()
        self._approve(intent, command, asked=order.quantity, notes=notes)
        self._counters.orders += 1
        if intent.exits is not None and not reduces:
            self._exits[command.client_order_id] = intent.exits
        self._orders.submitted(command.client_order_id)
        try:
            self._adapter.submit(approved)
        except Exception as e:
            self._orders.lost(command.client_order_id)  # it may have gone out; it is never sent again
            raise AdapterError(f"submit of {command.client_order_id} raised {e!r}") from e
        now = watch.now()
        watch.submit(now - before)
        if self.started:
            watch.tick_to_order(now - self.started)

    def _review(self, order: SubmitOrder, *, reduces: bool) -> tuple[ApprovedOrder | Denied, Notes]:
        """The lane's own limits, then the account's gate."""
        if self._limits is None:
            return self._gate.review(order, reduces=reduces)
        limited, notes = self._limits.limit(order, reduces=reduces)
        if isinstance(limited, Denied):
            return limited, notes
        approved, more = self._gate.review(limited, reduces=reduces)
        return approved, notes if more == notes else notes + more

    def _approve(self, intent: Intent, command: SubmitOrder, *, asked: int, notes: Notes) -> None:
        """Into the table and the journal; an order that is not in the journal is not sent."""
        self._orders.approve(command)
        name = self._names[command.instrument]
        try:
            self._denials.end(name)
            approved = OrderApproved(order=command, instrument=name, asked_quantity=asked, notes=notes)
            self._journal.write(self._formed(intent, command), approved)
        except BaseException:
            self._orders.withdraw(command.client_order_id)
            raise

    def cancel(self, order: Order, cause: str) -> None:
        """Cancel one working order, unless that is under way: a journal that cannot be written is no reason to leave it
        working. Raises AdapterError."""
        if order.status is OrderStatus.PENDING_CANCEL:
            return
        name = order.command.client_order_id
        command = CancelOrder(client_order_id=name, ts_created=self._market.clock.now_ns(), cause=cause)
        try:
            self._journal.write(CancelSent(command=command))
        finally:
            self._orders.cancel_sent(name)
            try:
                self._adapter.cancel(command)
            except Exception as e:
                raise AdapterError(f"cancel of {name} raised {e!r}") from e

    def _too_small(self, order: SubmitOrder, instrument: Instrument) -> str:
        """Why the venue would not take the quantity; empty where it would."""
        by_price, least = self._minimums[order.instrument]
        if not least:
            return ""
        top = self._market.books.top(order.instrument)
        price = order.price if order.price is not None else top.ask if order.side is Side.BUY else top.bid
        if not price or order.quantity * (price if by_price else 1) >= least:
            return ""
        notional = instrument.notional(price, order.quantity)
        return (
            f"notional {notional:.2f} {instrument.quote} is under the venue's minimum {instrument.minimum_notional} "
            f"({instrument.quantity(order.quantity)} at {instrument.price(price)})"
        )

    def _deny(self, intent: Intent, order: SubmitOrder, denied: Denied) -> None:
        name = self._names[order.instrument]
        self._counters.denials[denied.policy] += 1
        self._waiting.pop(order.instrument, None)
        if self._denials.repeats(order, name, denied):
            self._counters.intents += 1
            self._orders.forget(order.client_order_id)
            return
        self._orders.deny(order)
        self._journal.write(self._formed(intent, order), OrderDenied(order=order, instrument=name, denied=denied))

    def _formed(self, intent: Intent, order: SubmitOrder) -> IntentFormed:
        index = intent.instrument
        top = self._market.books.top(index)
        self._counters.intents += 1
        return IntentFormed(
            lane=self._lane,
            instrument=self._names[index],
            input=self.number,
            ts=order.ts_created,
            target=intent.target,
            position=self._ledger.position(index).quantity,
            cause=intent.cause,
            edge_bps=intent.edge_bps,
            prediction=intent.prediction,
            row=tuple(self._market.rows.row(index)),
            bid=top.bid,
            bid_quantity=top.bid_quantity,
            ask=top.ask,
            ask_quantity=top.ask_quantity,
        )


def least_product(instrument: Instrument) -> tuple[bool, int]:
    """The minimum notional as a least product quantity x price, or (False) as a least quantity; fixed point, exact."""
    by_price = instrument.kind is not InstrumentKind.INVERSE
    decimals = instrument.quantity_decimals + (instrument.price_decimals if by_price else 0)
    return by_price, math.ceil(Fraction(instrument.minimum_notional) * 10**decimals / Fraction(instrument.multiplier))


def problem_of(intent: object, instruments: int) -> str:
    """What makes a strategy's answer unusable; empty where nothing does."""
    if not isinstance(intent, Intent):
        return f"it answered {type(intent).__name__}, expected Intent, a sequence of Intent, or None"
    if not 0 <= intent.instrument < instruments:
        return f"it wants instrument {intent.instrument}, and the session has {instruments}"
    if type(intent.target) is not int:
        return f"its target is {intent.target!r}, expected a whole number (fixed point)"
    if (intent.price is None) is not (intent.order_type is OrderType.MARKET):
        return f"a limit order needs a price and a market order has none, found {intent.order_type.value} at {intent.price!r}"
    return ""
