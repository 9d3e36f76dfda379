"""What a venue refuses whatever the book says: orders that are malformed, or off the instrument's grid."""

from __future__ import annotations

from vtframe.domain import Instrument, OrderType, SubmitOrder, TimeInForce

_SUPPORTED = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)


def refusal(order: SubmitOrder, instrument: Instrument) -> str:
    """Why the order cannot be; empty where it can."""
    if order.time_in_force not in _SUPPORTED:
        return f"time in force {order.time_in_force.value} is not supported on paper"
    if order.quantity <= 0 or order.quantity % instrument.lot_size:
        lot = instrument.quantity(instrument.lot_size)
        return f"quantity {instrument.quantity(order.quantity)} is not a positive multiple of the lot size {lot}"
    market = order.order_type is OrderType.MARKET
    if market and order.price is not None:
        return f"a market order has no price, found {instrument.price(order.price)}"
    if not market and order.price is None:
        return "a limit order needs a price"
    if order.price is not None and (order.price <= 0 or order.price % instrument.tick_size):
        tick = instrument.price(instrument.tick_size)
        return f"price {instrument.price(order.price)} is not a positive multiple of the tick size {tick}"
    if order.post_only and (market or order.time_in_force is not TimeInForce.GTC):
        return "post_only needs a limit order with time in force gtc"
    return ""
