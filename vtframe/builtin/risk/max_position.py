"""The largest position, in quote currency; every working order counts as if it were filled."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from vtframe.api import RiskContext, RiskPolicy
from vtframe.builtin.risk.room import Room, reference_price
from vtframe.domain import Denied, InstrumentKind, SubmitOrder

Notional = Annotated[float, Meta(gt=0)]


class MaxPosition(RiskPolicy):
    """Keeps position + working orders of the order's side + the order within ``notional``, per instrument, long and short.

    All of it is valued at the order's limit price, or at the touch that a market order takes. An order that goes beyond is
    made smaller, in whole lots, or denied with ``over = "deny"``. A spot instrument is never sold short.
    """

    name: ClassVar[str] = "max_position"
    pure: ClassVar[bool] = True
    notional: Notional  # in quote currency
    over: Literal["resize", "deny"] = "resize"

    def start(self, context: RiskContext) -> None:
        self._room = Room(self.notional)

    def review(self, order: SubmitOrder, context: RiskContext) -> SubmitOrder | Denied:
        instrument = context.instrument(order.instrument)
        price = reference_price(order, context)
        if price is None:
            return self.denied(order, f"{instrument.instrument_id} has no price to value the order at")
        held = order.side * context.position(order.instrument).quantity
        working = order.side * context.working(order.instrument, order.side)
        if instrument.kind is InstrumentKind.SPOT and order.side < 0:
            room = -held - working
            if order.quantity > room:
                return self.denied(
                    order,
                    f"{instrument.instrument_id} is spot and cannot be short: sells {instrument.quantity(order.quantity)}, "
                    f"holds {instrument.quantity(-held)}, already selling {instrument.quantity(working)}",
                )
            return order
        allowed = self._room.lots(price, instrument)
        room = allowed - held - working
        if order.quantity <= room:
            return order
        fitting = room - room % instrument.lot_size
        if self.over == "resize" and fitting > 0:
            return self.resized(order, fitting)
        worth = instrument.notional(price, held + working + order.quantity)
        return self.denied(
            order,
            f"notional {worth:.2f} {instrument.quote} is over {self._room.notional} "
            f"(position {instrument.quantity(order.side * held)}, working {instrument.quantity(working)}, "
            f"order {instrument.quantity(order.quantity)} at {instrument.price(price)})",
        )
