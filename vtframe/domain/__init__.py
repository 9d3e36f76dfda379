"""The words of the trade: instruments, records, orders, predictions, intents."""

from vtframe.domain.book_state import BookState
from vtframe.domain.checksum import ChecksumRule
from vtframe.domain.drift import Answer, DriftVerdict
from vtframe.domain.fixed_point import decimals, to_decimal, to_fixed
from vtframe.domain.input import InputKind
from vtframe.domain.instrument import Instrument, InstrumentKind
from vtframe.domain.intent import Exits, Intent, Position
from vtframe.domain.order import (
    CancelOrder,
    Denied,
    LiquiditySide,
    ModifyOrder,
    OrderAccepted,
    OrderCanceled,
    OrderCommand,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderLost,
    OrderRejected,
    OrderStatus,
    OrderType,
    Side,
    SubmitOrder,
    TimeInForce,
)
from vtframe.domain.prediction import Prediction, Verdict
from vtframe.domain.records import EVENT, FRAME, PREDICTION, ROW, EventFlag, EventKind, FrameKind, Records
from vtframe.domain.sequence import SequenceRule
from vtframe.domain.top import Top

__all__ = [
    "EVENT",
    "FRAME",
    "PREDICTION",
    "ROW",
    "Answer",
    "BookState",
    "CancelOrder",
    "ChecksumRule",
    "Denied",
    "DriftVerdict",
    "EventFlag",
    "EventKind",
    "Exits",
    "FrameKind",
    "InputKind",
    "Instrument",
    "InstrumentKind",
    "Intent",
    "LiquiditySide",
    "ModifyOrder",
    "OrderAccepted",
    "OrderCanceled",
    "OrderCommand",
    "OrderEvent",
    "OrderExpired",
    "OrderFilled",
    "OrderLost",
    "OrderRejected",
    "OrderStatus",
    "OrderType",
    "Position",
    "Prediction",
    "Records",
    "SequenceRule",
    "Side",
    "SubmitOrder",
    "TimeInForce",
    "Top",
    "Verdict",
    "decimals",
    "to_decimal",
    "to_fixed",
]
