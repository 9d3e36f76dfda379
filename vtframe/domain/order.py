"""Orders: commands (imperative), events (past tense), and the one table of states an order can be in."""

from __future__ import annotations

from enum import Enum, IntEnum

import msgspec

_BY_IDENTITY = object.__hash__  # a member is alone of its kind, and Enum's own hash, of its name, is a call of Python's


class Side(IntEnum):
    """Signs multiply: a signed quantity is ``side * quantity``."""

    BUY = 1
    SELL = -1


class OrderType(Enum):
    __hash__ = _BY_IDENTITY

    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(Enum):
    __hash__ = _BY_IDENTITY

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"
    DAY = "day"


class LiquiditySide(Enum):
    MAKER = "maker"
    TAKER = "taker"


class OrderStatus(Enum):
    """Every order is in exactly one of these."""

    __hash__ = _BY_IDENTITY

    APPROVED = "approved"  # journalled, not yet sent
    SUBMITTED = "submitted"  # sent, not acknowledged
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"  # by the venue
    DENIED = "denied"  # by our own risk
    UNKNOWN = "unknown"  # sent, acknowledgement lost; query, never resend

    @property
    def final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.DENIED})


class SubmitOrder(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Ask for an order. ``price`` and ``quantity`` are fixed point; ``price`` is None for a market order."""

    client_order_id: str
    lane: str
    instrument: int  # index in the session's instrument table
    side: Side
    order_type: OrderType
    quantity: int
    price: int | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    ts_created: int = 0  # market time of the decision
    cause: str = ""  # why: "enter", "exit", "stop_loss", "take_profit", "horizon", "when_late", "stop"
    input: int = -1  # the input that caused it
    row: int = -1  # the row whose prediction caused it; -1 for none


class CancelOrder(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    client_order_id: str
    ts_created: int = 0
    cause: str = ""


class ModifyOrder(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    client_order_id: str
    price: int
    quantity: int
    ts_created: int = 0


class Denied(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Our own risk refused an order; ``reason`` names the policy's numbers."""

    client_order_id: str
    policy: str
    reason: str


class OrderAccepted(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    client_order_id: str
    ts_event: int
    venue_order_id: str = ""


class OrderRejected(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The venue refused an order."""

    client_order_id: str
    ts_event: int
    reason: str


class OrderFilled(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The venue executed part or all of an order."""

    client_order_id: str
    ts_event: int
    price: int  # fixed point
    quantity: int
    leaves_quantity: int
    liquidity_side: LiquiditySide
    fill_id: str = ""
    fee: str = ""  # as the venue charged it, decimal, in fee_currency; empty where it does not say
    fee_currency: str = ""


class OrderCanceled(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    client_order_id: str
    ts_event: int
    leaves_quantity: int = 0
    reason: str = ""


class OrderExpired(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Its time in force ended it: an IOC's rest, a FOK that could not fill."""

    client_order_id: str
    ts_event: int
    leaves_quantity: int = 0
    reason: str = ""


class OrderLost(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Nobody can say what became of an order: it was sent, and its answer was lost. It is asked for, and never sent again."""

    client_order_id: str
    ts_event: int
    reason: str


OrderEvent = OrderAccepted | OrderRejected | OrderFilled | OrderCanceled | OrderExpired | OrderLost
OrderCommand = SubmitOrder | CancelOrder | ModifyOrder
