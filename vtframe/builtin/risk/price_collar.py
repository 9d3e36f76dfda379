"""How far from the mid an order may trade; and no order at all where the mid cannot be trusted."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from vtframe.api import RiskContext, RiskPolicy
from vtframe.builtin.risk.room import reference_price
from vtframe.domain import BookState, Denied, SubmitOrder


class PriceCollar(RiskPolicy):
    """Denies an order whose limit price (a market order: the touch that it takes) is more than ``bps`` from the mid.

    Both ways: a price far on the passive side is as likely a mistake. Denies while the book is not LIVE or a side is empty.
    """

    name: ClassVar[str] = "price_collar"
    pure: ClassVar[bool] = True
    bps: Annotated[float, Meta(gt=0, le=10_000)]

    def review(self, order: SubmitOrder, context: RiskContext) -> SubmitOrder | Denied:
        instrument = context.instrument(order.instrument)
        state = context.book_state(order.instrument)
        if state is not BookState.LIVE:
            return self.denied(order, f"the book of {instrument.instrument_id} is {state.name}, not LIVE")
        top = context.top(order.instrument)
        price = reference_price(order, context)
        if price is None or top.bid_quantity <= 0 or top.ask_quantity <= 0:
            return self.denied(order, f"the book of {instrument.instrument_id} has an empty side")
        twice_mid = top.bid + top.ask
        distance = abs(2 * price - twice_mid) * 10_000 / twice_mid
        if distance > self.bps:
            return self.denied(
                order,
                f"price {instrument.price(price)} is {distance:.2f} bps from the mid "
                f"{instrument.price(twice_mid) / 2}, over {self.bps:g}",
            )
        return order
