"""What a strategy wants. The lane turns it into orders; risk decides."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from vtframe.domain.order import OrderType, TimeInForce
from vtframe.domain.prediction import Prediction


class Exits(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Exits attached to a position; the lane watches them on every frame. Distances are in bps of the entry price."""

    stop_loss_bps: float | None = None
    take_profit_bps: float | None = None
    horizon_ns: int | None = None  # close after so long


class Intent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Hold ``target`` (a signed quantity, fixed point) of ``instrument``."""

    instrument: int
    target: int
    order_type: OrderType = OrderType.MARKET
    price: int | None = None  # limit price, fixed point
    time_in_force: TimeInForce = TimeInForce.IOC
    post_only: bool = False
    exits: Exits | None = None
    cause: str = "signal"
    edge_bps: float | None = None  # expected move after costs, for the record
    prediction: Prediction | None = None


class Position(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a lane holds of one instrument."""

    quantity: int  # signed, fixed point
    average_price: Decimal  # of the open quantity; 0 when flat
    opened_at: int = 0  # ns UTC of the fill that opened it; 0 when flat
