"""Where a resting paper order stands in its level's queue, as far as trades and level totals (L2) can tell.

Trades at the price move it forward. A level that shrinks by more than its trades had cancellations; where in the queue they
were, L2 does not say:

- ``conservative``: behind us, as far as possible (the RiskAdverseQueueModel of hftbacktest).
- ``proportional``: evenly along the queue, so that the share ahead of us goes (Rigtorp, "Estimating order queue position",
  with f(x) = x; hftbacktest's ProbQueueModel follows it as well).

A depth update that reports a trade already counted is not counted again, and neither is a trade that arrives after the depth
update which contains it. Both are told apart by the venue's time.
"""

from __future__ import annotations

from collections import deque

from vtframe.domain import SubmitOrder


class Resting:
    """One order in the book."""

    __slots__ = ("ahead", "command", "credit", "credit_until", "joined", "leaves", "price")

    def __init__(self, command: SubmitOrder, *, price: int, leaves: int, ahead: int, joined: int) -> None:
        self.command = command
        self.price = price
        self.leaves = leaves
        self.ahead = ahead  # quantity in front of it
        self.joined = joined  # venue time of the book that it joined: trades up to then were never ahead of it
        self.credit = 0  # how far depth updates moved it, not yet explained by trades
        self.credit_until = 0  # venue time of the last such update

    def traded(self, ts_event: int, quantity: int) -> int:
        """A trade at its price; how much of it reaches the order (at most ``leaves``)."""
        if ts_event <= self.joined:
            return 0
        if ts_event <= self.credit_until:
            known = min(self.credit, quantity)
            self.credit -= known
            quantity -= known
        passed = min(self.ahead, quantity)
        self.ahead -= passed
        return min(self.leaves, quantity - passed)


class Level:
    """One price at which orders rest: they stand in order of arrival."""

    __slots__ = ("_unreported", "_updated", "orders", "proportional", "quantity")

    def __init__(self, quantity: int, *, proportional: bool) -> None:
        self.quantity = quantity  # displayed
        self.proportional = proportional
        self.orders: list[Resting] = []
        self._unreported: deque[tuple[int, int]] = deque()  # trades that no depth update has shown yet: (ts_event, quantity)
        self._updated = 0  # venue time of the last depth update

    def trade(self, ts_event: int, quantity: int) -> list[tuple[Resting, int]]:
        """A trade of ``quantity`` at this price; what each order gets, in order of arrival, never more than it in all."""
        if ts_event > self._updated:
            self._unreported.append((ts_event, quantity))
        fills = []
        for order in self.orders:
            filled = order.traded(ts_event, quantity)
            if filled:
                fills.append((order, filled))
                quantity -= filled
        return fills

    def update(self, ts_event: int, quantity: int) -> None:
        """The level's new total, as of ``ts_event``."""
        waiting = deque((when, traded) for when, traded in self._unreported if when > ts_event)
        later = sum(traded for _, traded in waiting)
        reported = sum(traded for _, traded in self._unreported) - later
        self._unreported = waiting
        self._updated = max(self._updated, ts_event)
        before = self.quantity - reported  # what would stand here had nobody canceled or joined
        canceled = before - quantity
        for order in self.orders:
            was = order.ahead
            if self.proportional and canceled > 0:
                order.ahead -= canceled * min(order.ahead, before) // before
            order.ahead = max(0, min(order.ahead, quantity - later))
            order.credit += was - order.ahead
            order.credit_until = max(order.credit_until, ts_event)
        self.quantity = quantity

    def rejoin(self, ts_event: int, quantity: int) -> None:
        """The book was rebuilt: nothing is known of the queue any more, so everything displayed is ahead."""
        self._unreported.clear()
        self.quantity = quantity
        for order in self.orders:
            order.ahead = quantity
            order.joined = max(order.joined, ts_event)
            order.credit = 0
