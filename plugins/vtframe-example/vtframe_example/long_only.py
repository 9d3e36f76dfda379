"""A risk policy: an order and the account in, the order or a denial with its numbers out."""

from __future__ import annotations

from vtframe.api import RiskContext, RiskPolicy
from vtframe.domain import Denied, Side, SubmitOrder


class LongOnly(RiskPolicy):
    """Denies a sale of more than is held: no position is ever short."""

    name = "long_only"

    def review(self, order: SubmitOrder, context: RiskContext) -> SubmitOrder | Denied:
        held = context.position(order.instrument).quantity
        selling = -context.working(order.instrument, Side.SELL)  # by orders that are still open
        if order.side is Side.SELL and order.quantity + selling > held:
            told = [str(context.instrument(order.instrument).quantity(n)) for n in (order.quantity, selling, held)]
            return self.denied(order, "sells {}, already selling {}, holds {}".format(*told))
        return order
