"""What risk policies see: one lane's positions and orders, or the sum over the lanes of the account."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from vtframe.domain import BookState, Instrument, Position, Prediction, Side, SubmitOrder, Top
from vtframe.engine.lane_view import Market
from vtframe.execution.order_table import OrderTable
from vtframe.portfolio.ledger import Ledger


class RiskView:
    """An ``api.RiskContext``: of ``lane``, or of all lanes in ``ledgers`` where it is None.

    ``ledgers`` may be filled after it was handed over: a view is made before the lanes that it watches.
    """

    def __init__(self, *, market: Market, orders: OrderTable, ledgers: Mapping[str, Ledger], lane: str | None = None) -> None:
        self._market = market
        self._orders = orders
        self._ledgers = ledgers
        self._lane = lane

    def now_ns(self) -> int:
        return self._market.clock.now_ns()

    def instrument(self, instrument: int) -> Instrument:
        return self._market.instruments[instrument]

    def top(self, instrument: int) -> Top:
        return self._market.books.top(instrument)

    def book_state(self, instrument: int) -> BookState:
        return self._market.books.state(instrument)

    def position(self, instrument: int) -> Position:
        """Net over the lanes; the average price is that of the one lane which holds it, 0 where several do."""
        if self._lane is not None:
            return self._ledgers[self._lane].position(instrument)
        held = [position for ledger in self._ledgers.values() if (position := ledger.position(instrument)).quantity]
        if len(held) == 1:
            return held[0]
        return Position(quantity=sum(position.quantity for position in held), average_price=Decimal(0))

    def working(self, instrument: int, side: Side | None = None) -> int:
        return self._orders.working(instrument, lane=self._lane, side=side)

    def prediction(self, order: SubmitOrder) -> Prediction | None:
        return self._orders.cause(order.client_order_id)

    def orders_since(self, ts_ns: int) -> int:
        return self._orders.approved_since(ts_ns, lane=self._lane)
