"""The largest single order, in quote currency."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from vtframe.api import RiskContext, RiskPolicy
from vtframe.builtin.risk.room import Room, reference_price
from vtframe.domain import Denied, SubmitOrder


class MaxOrderNotional(RiskPolicy):
    """Denies an order that is worth more than ``notional``, or makes it smaller with ``over = "resize"``.

    Valued at its limit price, or at the touch that a market order takes.
    """

    name: ClassVar[str] = "max_order_notional"
    pure: ClassVar[bool] = True
    notional: Annotated[float, Meta(gt=0)]  # in quote currency
    over: Literal["resize", "deny"] = "deny"

    def start(self, context: RiskContext) -> None:
        self._room = Room(self.notional)

    def review(self, order: SubmitOrder, context: RiskContext) -> SubmitOrder | Denied:
        instrument = context.instrument(order.instrument)
        price = reference_price(order, context)
        if price is None:
            return self.denied(order, f"{instrument.instrument_id} has no price to value the order at")
        allowed = self._room.lots(price, instrument)
        if order.quantity <= allowed:
            return order
        if self.over == "resize" and allowed > 0:
            return self.resized(order, allowed)
        worth = instrument.notional(price, order.quantity)
        return self.denied(
            order,
            f"notional {worth:.2f} {instrument.quote} is over {self._room.notional} "
            f"({instrument.quantity(order.quantity)} at {instrument.price(price)})",
        )
