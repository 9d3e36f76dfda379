"""Orders that are not sent: in idle time the whole way of a lane's order is walked, so that a real one finds its code in the
caches.

Orders are rare, and between two of them thousands of frames have taken their code out of every cache: cold, the same steps take
several times as long. What walks is a lane of the same make with tables of its own: nothing of it is in the order table, the
ledger, the journal or the report, and no byte of it goes to the venue.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal

from vtframe.api import ApprovedOrder, ExecutionAdapter, LaneView, Strategy
from vtframe.clock import LiveClock
from vtframe.domain import (
    BookState,
    CancelOrder,
    Instrument,
    InstrumentKind,
    Intent,
    OrderCanceled,
    OrderType,
    Prediction,
    Side,
    Verdict,
)
from vtframe.engine.lane import Lane
from vtframe.engine.lane_view import Market
from vtframe.engine.order_desk import least_product
from vtframe.engine.risk_view import RiskView
from vtframe.execution.client_order_ids import ClientOrderIds
from vtframe.execution.order_table import OrderTable
from vtframe.journal.scratch import ScratchJournal
from vtframe.portfolio.ledger import Ledger
from vtframe.risk.gate import Gate

_NAME: Final = "rehearsal"
_LONG_NS: Final = 3_600_000_000_000
_log = logging.getLogger("vtframe.execution")


class _Wish(Strategy):
    """Wants what it is told to want."""

    name: ClassVar[str] = _NAME
    wanted: Intent | None = None

    def on_prediction(self, prediction: Prediction, view: LaneView) -> Intent | None:
        return self.wanted


class _Stage(ExecutionAdapter):
    """In a real adapter's place, which it has walk through ``submit``."""

    name: ClassVar[str] = _NAME
    guarantee: ClassVar[Literal["exactly_once", "at_most_once"]] = "at_most_once"
    adapter: Any

    def submit(self, order: ApprovedOrder) -> None:
        self.adapter.rehearse(order)

    def cancel(self, command: CancelOrder) -> None:
        """Nothing works here for longer than a rehearsal."""


class Rehearsal:
    """Walks the way of one lane's orders. ``gate`` is the account's; ``journal`` takes what is to be forgotten.

    ``done`` counts. What raises on the way ends the rehearsals, not the session: a real order will find it, too.
    """

    def __init__(self, lane: Lane, *, gate: Gate, market: Market, journal: ScratchJournal) -> None:
        self.done = 0
        self.problem = ""
        self.lane_id = lane.lane_id
        self._lane = lane
        self._journal = journal
        self._market = market
        self._instruments = lane.acts_on
        self._now = LiveClock().monotonic_ns
        self._orders = OrderTable()
        self._wish = _Wish()
        ledgers = {lane.lane_id: Ledger()}
        mine, whole = (
            RiskView(market=market, orders=self._orders, ledgers=ledgers, lane=name) for name in (lane.lane_id, None)
        )
        self._twin = Lane(
            lane.lane_id,
            self._wish,
            _Stage(adapter=lane.adapter),
            gate=gate.rehearsal(whole),
            limits=None if lane.limits is None else lane.limits.rehearsal(mine),
            ledger=ledgers[lane.lane_id],
            orders=self._orders,
            ids=ClientOrderIds(_NAME),
            capital=Decimal(0),
            model=None,
            market=market,
            journal=journal,
        )

    def walk(self) -> bool:
        """Once, where there is a book to make a price of. Returns whether it was."""
        if self.problem or self._lane.failed:
            return False
        twin, orders = self._twin, self._orders
        try:
            index = self._instruments[self.done % len(self._instruments)]
            prediction = _prediction(index, self._market.clock.now_ns())
            self._wish.wanted = self._intent(prediction)
            if self._wish.wanted is None:
                return False
            twin.on_prediction(prediction, started=self._now())
            for name in twin.working_orders():
                twin.on_order_event(OrderCanceled(client_order_id=name, ts_event=0, leaves_quantity=0, reason=_NAME))
            self._journal.tidy()
        except Exception as e:  # noqa: BLE001 - it was nobody's order
            self._fail(repr(e))
        if twin.failed:
            self._fail(twin.failed)
        orders.clear()
        self.done += 1
        return True

    def _fail(self, problem: str) -> None:
        self.problem = problem
        _log.warning("lane %s: its orders are not rehearsed any more: %s", self._lane.lane_id, problem)

    def _intent(self, prediction: Prediction) -> Intent | None:
        """The smallest order that the venue would take, at the touch."""
        books, index = self._market.books, prediction.instrument
        top = books.top(index)
        if books.state(index) is not BookState.LIVE or top.bid_quantity <= 0 or top.ask_quantity <= 0:
            return None
        instrument = self._market.instruments[index]
        side = Side.BUY if instrument.kind is InstrumentKind.SPOT or self.done % 2 else Side.SELL
        price = top.ask if side is Side.BUY else top.bid
        return Intent(
            instrument=index,
            target=side * smallest(instrument, price),
            order_type=OrderType.LIMIT,
            price=price,
            cause=_NAME,
            prediction=prediction,
        )


def smallest(instrument: Instrument, price: int) -> int:
    """The smallest quantity, in whole lots (fixed point), whose notional at ``price`` a venue takes."""
    by_price, least = least_product(instrument)
    quantity = -(-least // (price if by_price else 1)) or 1
    return -(-quantity // instrument.lot_size) * instrument.lot_size


def _prediction(index: int, now_ns: int) -> Prediction:
    return Prediction(
        model=_NAME,
        model_hash="",
        instrument=index,
        input=0,
        row=0,
        update_id=0,
        ts_event=now_ns,
        ts_recv=now_ns,
        ts_done=now_ns,
        age_ns=0,
        deadline_ns=_LONG_NS,
        verdict=Verdict.OK,
        outputs=(0.0, 0.0, 1.0),
    )


class Rehearsals:
    """Those of a session's lanes, in turn."""

    def __init__(self, rehearsals: list[Rehearsal], journal: ScratchJournal) -> None:
        self.close = journal.close
        self._rehearsals = rehearsals
        self._turn = 0

    def walk(self) -> None:
        """One lane's."""
        self._turn += 1
        self._rehearsals[self._turn % len(self._rehearsals)].walk()

    def report(self) -> dict[str, int]:
        """How many there were, by lane."""
        return {one.lane_id: one.done for one in self._rehearsals}
