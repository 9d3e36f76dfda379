"""The contract of a risk policy: an order and a context in, the order (perhaps smaller) or a denial out."""

from __future__ import annotations

from typing import ClassVar, Protocol

import msgspec

from vtframe.api.part import Part
from vtframe.domain import BookState, Denied, Instrument, Position, Prediction, Side, SubmitOrder, Top


class RiskContext(Protocol):
    """What a policy may see of the account (or of the lane, for a lane's own limits)."""

    def now_ns(self) -> int: ...
    def instrument(self, instrument: int) -> Instrument: ...
    def top(self, instrument: int) -> Top: ...
    def book_state(self, instrument: int) -> BookState: ...
    def position(self, instrument: int) -> Position: ...
    def working(self, instrument: int, side: Side | None = None) -> int:
        """Signed quantity of orders that are not final (of one side where it is given), the reviewed one not included."""
        ...

    def prediction(self, order: SubmitOrder) -> Prediction | None:
        """The prediction that caused the order; None where none did."""
        ...

    def orders_since(self, ts_ns: int) -> int:
        """How many orders were approved at or after ``ts_ns`` (market clock)."""
        ...


class RiskPolicy(Part):
    """One limit. Orders that reduce exposure are not shown to policies: no limit ever blocks a stop-loss.

    ``pure``: ``review`` answers and leaves no trace. Such a policy is rehearsed as well, on orders that are never sent, so that
    its code is in the caches when one comes that is.
    """

    pure: ClassVar[bool] = False

    def start(self, context: RiskContext) -> None:
        """Called once before the first order."""

    def review(self, order: SubmitOrder, context: RiskContext) -> SubmitOrder | Denied:
        """The order, ``self.resized(...)``, or ``self.denied(...)``. Raising denies."""
        raise NotImplementedError

    def denied(self, order: SubmitOrder, reason: str) -> Denied:
        """A denial in this policy's name; ``reason`` names the numbers."""
        return Denied(client_order_id=order.client_order_id, policy=type(self).name, reason=reason)

    def resized(self, order: SubmitOrder, quantity: int) -> SubmitOrder:
        """The same order with a smaller quantity."""
        return msgspec.structs.replace(order, quantity=quantity)
