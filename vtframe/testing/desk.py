"""A lane and an account that stand still: ask a strategy or a risk policy on trial what it would do."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from vtframe.api import BundleInfo, Label
from vtframe.domain import (
    BookState,
    Instrument,
    OrderType,
    Position,
    Prediction,
    Side,
    SubmitOrder,
    TimeInForce,
    Top,
    Verdict,
)
from vtframe.testing.market import INSTRUMENT

START_NS = 1_700_000_000_000_000_000
MODEL = BundleInfo(
    name="on_trial",
    path=Path("on_trial"),
    hash="0" * 64,
    backend="none",
    file="none",
    features=(),
    window=1,
    dtype="float32",
    classes=("down", "flat", "up"),
    label=Label(horizon_rows=10),
    expected_move_bps=(-5.0, 0.0, 5.0),
    variance_bps2=25.0,
    horizon_ns=1_000_000_000,
    sampling="every frame",
)


class Desk:
    """A ``LaneView`` and a ``RiskContext`` of one instrument, whose numbers are attributes: set them, then ask.

    Prices and quantities are fixed point. ``working_buys`` and ``working_sells`` are of orders that are not final, both
    positive. The best prices are one tick apart, unless ``quote`` is set.
    """

    def __init__(self, instrument: Instrument = INSTRUMENT, *, capital: int = 10_000, model: BundleInfo | None = MODEL) -> None:
        self.lane = "on_trial"
        self.capital = Decimal(capital)
        self.model = model
        self.traded = instrument
        middle = 100_000 * instrument.tick_size
        self.quote = Top(middle, 50 * instrument.lot_size, middle + instrument.tick_size, 50 * instrument.lot_size)
        self.state = BookState.LIVE
        self.held = 0
        self.average_price = Decimal(0)
        self.working_buys = self.working_sells = 0
        self.columns: dict[str, float] = {}  # of the newest row
        self.now = START_NS
        self.approved: list[int] = []  # times of orders
        self.cause: Prediction | None = None
        self.model_available = self.trading_available = True

    def now_ns(self) -> int:
        return self.now

    def instrument(self, instrument: int) -> Instrument:
        return (self.traded,)[instrument]

    def top(self, instrument: int) -> Top:
        return self.quote

    def book_state(self, instrument: int) -> BookState:
        return self.state

    def position(self, instrument: int) -> Position:
        return Position(quantity=self.held, average_price=self.average_price)

    def working(self, instrument: int, side: Side | None = None) -> int:
        if side is None:
            return self.working_buys - self.working_sells
        return self.working_buys if side is Side.BUY else -self.working_sells

    def feature(self, instrument: int, column: str) -> float:
        return self.columns[column]

    def prediction(self, order: SubmitOrder) -> Prediction | None:
        return self.cause

    def orders_since(self, ts_ns: int) -> int:
        return sum(time >= ts_ns for time in self.approved)

    def predicted(self, *outputs: float, **more: Any) -> Prediction:
        """A tradable prediction with these outputs; ``more`` are other fields of it."""
        settled = Prediction(
            model="on_trial",
            model_hash="0" * 64,
            instrument=0,
            input=1,
            row=1,
            update_id=1,
            ts_event=self.now,
            ts_recv=self.now,
            ts_done=self.now,
            age_ns=0,
            deadline_ns=50_000_000,
            verdict=Verdict.OK,
            outputs=outputs,
        )
        return msgspec.structs.replace(settled, **more)

    def order(self, side: Side, quantity: int, price: int | None = None, **more: Any) -> SubmitOrder:
        """A market order, or with ``price`` a limit order; ``more`` are other fields of it."""
        settled = SubmitOrder(
            client_order_id="on_trial-1",
            lane=self.lane,
            instrument=0,
            side=side,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            quantity=quantity,
            price=price,
            time_in_force=TimeInForce.IOC if price is None else TimeInForce.GTC,
            ts_created=self.now,
        )
        return msgspec.structs.replace(settled, **more)
