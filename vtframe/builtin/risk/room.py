"""How much of an instrument a sum of quote currency buys: shared by the policies that limit notional."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from vtframe.api import RiskContext
from vtframe.domain import Instrument, Side, SubmitOrder


def reference_price(order: SubmitOrder, context: RiskContext) -> int | None:
    """What the order is valued at: its limit price, else the touch that it takes; None while that side is empty."""
    if order.price is not None:
        return order.price
    top = context.top(order.instrument)
    price, quantity = (top.ask, top.ask_quantity) if order.side is Side.BUY else (top.bid, top.bid_quantity)
    return price if quantity > 0 else None


def lots_within(notional: Decimal, price: int, instrument: Instrument) -> int:
    """The largest quantity, in whole lots (fixed point), whose notional at ``price`` is not above ``notional``."""
    lot = instrument.notional(price, instrument.lot_size)
    return int((notional / lot).to_integral_value(ROUND_FLOOR)) * instrument.lot_size
