"""How many orders may be sent in a while."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from vtframe.api import RiskContext, RiskPolicy
from vtframe.domain import Denied, SubmitOrder


class OrderRate(RiskPolicy):
    """At most ``orders`` approved orders in any ``interval_ms``, by the market clock.

    Orders that reduce exposure count, and are never held up.
    """

    name: ClassVar[str] = "order_rate"
    pure: ClassVar[bool] = True
    orders: Annotated[int, Meta(ge=1, le=100_000)]
    interval_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 1_000

    def review(self, order: SubmitOrder, context: RiskContext) -> SubmitOrder | Denied:
        count = context.orders_since(context.now_ns() - self.interval_ms * 1_000_000 + 1)
        if count >= self.orders:
            return self.denied(order, f"{count} orders in the last {self.interval_ms} ms, allowed {self.orders}")
        return order
