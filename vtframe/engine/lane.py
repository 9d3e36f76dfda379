"""A lane: predictions in, risk-checked orders out. What a strategy or an adapter breaks ends here and stops no other lane."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Literal, ParamSpec

from vtframe.api import BundleInfo, ExecutionAdapter, ExecutionSink, Strategy
from vtframe.clock import LiveClock
from vtframe.domain import (
    Answer,
    DriftVerdict,
    Intent,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Prediction,
    Records,
    Verdict,
)
from vtframe.engine.exits import ExitWatch
from vtframe.engine.lane_view import AdapterContext, Journal, Market, StrategyView
from vtframe.engine.meters import Meters
from vtframe.engine.order_desk import AdapterError, LaneCounters, OrderDesk, problem_of
from vtframe.errors import InvariantError, PluginError, VtframeError
from vtframe.execution.client_order_ids import ClientOrderIds
from vtframe.execution.order_table import Order, OrderTable
from vtframe.journal.records import LaneFailed, OrderReported
from vtframe.portfolio.ledger import FillResult, Ledger
from vtframe.risk.gate import Gate
from vtframe.risk.restraint import DriftRestraint

P = ParamSpec("P")


class LaneMeters:
    """The stages that a lane meters, by the machine's clock whatever the session's is; adds nothing without meters."""

    def __init__(self, meters: Meters | None) -> None:
        self.now = LiveClock().monotonic_ns
        stages = ("strategy", "risk", "submit", "tick_to_order")
        self.strategy, self.risk, self.submit, self.tick_to_order = (
            meters.stage(name).add if meters is not None else _ignore for name in stages
        )


def _ignore(ns: int, /) -> None:
    """There is no meter for it."""


class Lane:
    """Model, strategy, limits, ledger and execution under one id.

    ``gate`` is the account's, ``limits`` the lane's own (they come first), ``restraint`` the one of these that knows of drift.
    ``active`` is true while an order works or an exit is watched: only then does the lane need frames. ``when_late`` is the
    answer to a prediction that cannot be traded: ``hold`` leaves what works, ``cancel`` cancels what would open a position in
    the instrument, ``flatten`` closes it as well. Whichever it is, an intent that waits for another order's end opens nothing
    any more. A conflated prediction is no answer: a newer row is on its way.

    A strategy or adapter that raises, and an order event that cannot be true, put the lane into ``failed``: entries are
    canceled and none follow, exits are still watched and still close, the session goes on.

    A ``shadow`` is on paper beside the account: whoever makes it gives it a gate, an order table and a ledger of its own.
    ``instruments`` (indexes) limits what the lane acts on; None: everything.
    """

    def __init__(
        self,
        lane_id: str,
        strategy: Strategy,
        adapter: ExecutionAdapter,
        *,
        gate: Gate,
        limits: Gate | None = None,
        restraint: DriftRestraint | None = None,
        ledger: Ledger,
        orders: OrderTable,
        ids: ClientOrderIds,
        capital: Decimal,
        when_late: Literal["hold", "cancel", "flatten"] = "hold",
        model: BundleInfo | None,
        market: Market,
        journal: Journal,
        meters: Meters | None = None,
        shadow: bool = False,
        instruments: Collection[int] | None = None,
    ) -> None:
        self.shadow = shadow
        self._chosen = None if instruments is None else frozenset(instruments)
        self.lane_id = lane_id
        self.ledger = ledger
        self.counters = LaneCounters()
        self.active = False
        self.failed = ""  # why, once it is
        self.strategy = strategy
        self.adapter = adapter
        self.limits = limits
        self._restraint = restraint
        self.view = StrategyView(lane=lane_id, capital=capital, model=model, market=market, ledger=ledger, orders=orders)
        self._market = market
        self.acts_on = tuple(k for k in range(len(market.instruments)) if instruments is None or k in instruments)
        self._clock = market.clock
        self._orders = orders
        self._journal = journal
        self._when_late = when_late
        self._exits = ExitWatch(market.books)
        self._meters = LaneMeters(meters)
        self._stopped = False
        self._wound_down = False
        self._desk = OrderDesk(
            lane=lane_id,
            adapter=adapter,
            gate=gate,
            limits=limits,
            ledger=ledger,
            orders=orders,
            ids=ids,
            market=market,
            journal=journal,
            stopwatch=self._meters,
            counters=self.counters,
        )
        self.view.can_enter = self._can_enter

    def start(self, sink: ExecutionSink | None = None) -> None:
        """Start limits, strategy and adapter, which reports to ``sink`` (None: to the lane, from within its own inputs).
        Raises what they say of their configuration, PluginError for anything else."""
        market = self._market
        if self.limits is not None:
            self.limits.start()
        context = AdapterContext(
            clock=market.clock,
            instruments=market.instruments,
            books=market.books,
            sink=self if sink is None else sink,
            traded=self.acts_on,
        )
        for part, start in (
            (self.strategy, lambda: self.strategy.start(self.view)),
            (self.adapter, lambda: self.adapter.start(context)),
        ):
            try:
                start()
            except VtframeError:
                raise
            except Exception as e:
                raise PluginError(type(part).name, f"lane {self.lane_id}: it cannot start: {e!r}") from e

    def on_prediction(self, prediction: Prediction, *, started: int = 0) -> None:
        """A row was answered. ``started``: monotonic time at which its input arrived, for the meter tick_to_order."""
        if self._stopped or (self._chosen is not None and prediction.instrument not in self._chosen):
            return
        desk = self._desk
        desk.number = prediction.input if prediction.arrived < 0 else prediction.arrived
        desk.started = started
        if prediction.verdict is not Verdict.OK:
            self._cannot_trade(prediction)
            return
        if not desk.entries_open:
            return
        before = self._meters.now()
        try:
            answer = self.strategy.on_prediction(prediction, self.view)
        except Exception as e:  # noqa: BLE001 - any error of a strategy stops its lane and nothing else
            self._fail(f"strategy {type(self.strategy).name} raised {e!r} on the prediction of row {prediction.row}")
            return
        self._meters.strategy(self._meters.now() - before)
        if answer is not None:
            self._act(answer)

    def on_frame(self, records: Records, index: int, *, started: int = 0) -> None:
        """A frame was applied: fills first, then exits. Called while ``active``. ``started``: as of ``on_prediction``."""
        if self._stopped:
            return
        self._desk.number = int(records.frames["input"][index])
        self._desk.started = started
        if self._orders.has_working(self.lane_id):
            try:
                self.adapter.on_frame(records, index)
            except Exception as e:  # noqa: BLE001 - any error of an adapter stops its lane and nothing else
                self._fail(f"adapter {type(self.adapter).name} raised {e!r} on input {self._desk.number}")
        if self._exits:
            for instrument, cause in self._exits.due(self._clock.now_ns()):
                self._close(instrument, cause)
        self._refresh()

    def on_model(self, model: BundleInfo, number: int) -> None:
        """From here on another model, or another version of it, answers: the strategy starts anew on it, positions stay."""
        self.view.model = model
        if self._stopped or self.failed:
            return
        self._desk.number = number
        self._desk.started = 0
        try:
            self.strategy.start(self.view)
        except Exception as e:  # noqa: BLE001 - any error of a strategy stops its lane and nothing else
            self._fail(f"strategy {type(self.strategy).name} cannot go on with model {model.name}: {e!r}")

    def exchange_restraint(self, other: Lane) -> None:
        """The lanes have each other's model from here on, and with it what rules on drift have said of it."""
        if self._restraint is not None and other._restraint is not None:
            self._restraint.exchange(other._restraint)

    def on_drift(self, verdict: DriftVerdict, number: int) -> None:
        """A verdict on the lane's model: its restraint has it from here on, and what must not open any more is canceled."""
        if self._stopped or self._restraint is None:
            return
        self._restraint.apply(verdict)
        if verdict.answer >= Answer.REDUCE_ONLY:
            self._desk.number = number
            self._desk.started = 0
            everywhere = verdict.answer is Answer.HALT
            self._try(self._desk.cancel_entries, None if everywhere else verdict.instrument, "drift")
            self._refresh()

    def on_venue_event(self, event: OrderEvent, number: int) -> None:
        """``on_order_event`` for one that came from a venue, as input ``number``."""
        self._desk.number = number
        self._desk.started = 0
        self.on_order_event(event)

    def on_entries(self, *, allowed: bool, reason: str = "") -> None:
        """The venue takes entries from here on, or does not: what would open is denied meanwhile."""
        self._desk.closed_for = "" if allowed else reason or "the venue takes no orders"

    def on_trading(self, instrument: int, number: int, *, trading: bool) -> None:
        """The venue trades an instrument no more, or again, as input ``number`` said."""
        if self._chosen is None or instrument in self._chosen:
            self._desk.note_trading(instrument, number, trading=trading)

    @property
    def closed_for(self) -> str:
        """Why the venue takes no entries now; empty while it does."""
        return self._desk.closed_for

    def on_order_event(self, event: OrderEvent) -> None:
        """The adapter reports: order table, ledger, journal, then the strategy."""
        try:
            order = self._orders.apply(event)
        except InvariantError as e:
            self._fail(f"adapter {type(self.adapter).name}: {e}")
            return
        if order is None:
            return
        result = self._book(order, event) if isinstance(event, OrderFilled) else None
        self._count(event)
        self._write_event(order, event, result)
        try:
            if order.status.final:
                self._desk.ended(order)
        except AdapterError as e:
            self._fail(str(e))
        if isinstance(event, OrderFilled) and not self.failed and not self._stopped:
            self._tell(event)
        self._refresh()

    def note_denials(self) -> None:
        """Write the denials that were only counted; called before a checkpoint."""
        self._desk.note_denials()

    def wind_down(self, cause: str) -> None:
        """While the adapter still hears its venue: enter nothing more and cancel every order. The ends come as events."""
        if self._stopped or self._wound_down:
            return
        self._wound_down = True
        with ExitStack() as steps:
            self._cancel_all(steps, cause)
            self._desk.finish()

    def working_orders(self) -> list[str]:
        """Those that are not final, by client order ID, oldest first."""
        return [order.command.client_order_id for order in self._orders.working_orders(self.lane_id)]

    def stop(self, cause: str = "stop") -> None:
        """Cancel every order and stop the adapter; the lane takes nothing more. Positions stay as they are.

        Each step is taken whatever became of those before it; what the journal raised meanwhile is raised at the end.
        """
        if self._stopped:
            return
        with ExitStack() as steps:  # the last that is pushed is taken first
            steps.callback(self._end)
            steps.callback(self._stop_adapter)
            if not self._wound_down:
                self._cancel_all(steps, cause)
                self._desk.finish()

    def _cancel_all(self, steps: ExitStack, cause: str) -> None:
        for order in reversed(tuple(self._orders.working_orders(self.lane_id))):
            steps.callback(self._try, self._desk.cancel, order, cause)

    def _can_enter(self) -> bool:
        return self._desk.entries_open and not self._desk.closed_for

    def _stop_adapter(self) -> None:
        try:
            self.adapter.stop()
        except Exception as e:  # noqa: BLE001 - the other lanes and the journal are still to be closed
            self._fail(f"adapter {type(self.adapter).name} raised {e!r} while it stopped")

    def _end(self) -> None:
        self._stopped = True
        self.active = False

    def _act(self, answer: Intent | Sequence[Intent]) -> None:
        intents = (answer,) if isinstance(answer, Intent) else answer
        if not isinstance(intents, Sequence):
            intents = (answer,)
        for intent in intents:
            problem = problem_of(intent, len(self._market.instruments))
            if problem:
                self._fail(f"strategy {type(self.strategy).name}: {problem}")
                return
            self._try(self._desk.pursue, intent)
        self._refresh()

    def _cannot_trade(self, prediction: Prediction) -> None:
        self.counters.late[prediction.verdict.value] += 1
        if prediction.verdict is Verdict.CONFLATED:
            return
        self._desk.hold_back(prediction.instrument)
        if self._when_late == "hold":
            return
        self._try(self._desk.cancel_entries, prediction.instrument, "when_late")
        if self._when_late == "flatten":
            self._close(prediction.instrument, "when_late")
        self._refresh()

    def _close(self, instrument: int, cause: str) -> None:
        self._try(self._desk.close, instrument, cause)

    def _book(self, order: Order, fill: OrderFilled) -> FillResult:
        index = order.command.instrument
        instrument = self._market.instruments[index]
        result = self.ledger.apply(fill, order.command, instrument)
        self._exits.update(index, instrument, result.position, self._desk.exits_of(order), self._clock.now_ns())
        return result

    def _tell(self, fill: OrderFilled) -> None:
        try:
            answer = self.strategy.on_fill(fill, self.view)
        except Exception as e:  # noqa: BLE001 - any error of a strategy stops its lane and nothing else
            self._fail(f"strategy {type(self.strategy).name} raised {e!r} on a fill of {fill.client_order_id}")
            return
        if answer is not None and self._desk.entries_open:
            self._act(answer)

    def _count(self, event: OrderEvent) -> None:
        counters = self.counters
        match event:
            case OrderFilled():
                counters.fills += 1
            case OrderRejected():
                counters.rejected += 1
            case OrderCanceled():
                counters.canceled += 1
            case OrderExpired():
                counters.expired += 1

    def _write_event(self, order: Order, event: OrderEvent, result: FillResult | None) -> None:
        index = order.command.instrument
        instrument = self._market.instruments[index]
        self._journal.write(
            OrderReported(
                lane=self.lane_id,
                input=self._desk.number,
                event=event,
                instrument=instrument.instrument_id,
                fee=f"{result.fee:f}" if result is not None else "0",
                fee_currency=result.fee_currency if result is not None and result.fee_currency != result.currency else "",
                realized=f"{result.realized:f}" if result is not None else "0",
                currency=instrument.settlement,
                position=self.ledger.position(index).quantity,
            )
        )

    def _fail(self, problem: str) -> None:
        """The first failure is journalled and cancels entries; what fails after it is only a consequence."""
        if self.failed:
            return
        self.failed = problem
        self._desk.close_entries()
        self._journal.write(LaneFailed(lane=self.lane_id, input=self._desk.number, ts=self._clock.now_ns(), problem=problem))
        self._try(self._desk.cancel_entries, None, "lane failed")
        self._refresh()

    def _try(self, send: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            send(*args, **kwargs)
        except AdapterError as e:
            self._fail(str(e))

    def _refresh(self) -> None:
        self.active = not self._stopped and (bool(self._exits) or self._orders.has_working(self.lane_id))
