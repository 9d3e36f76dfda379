"""A small independent book, tape and lane bench for the tests of risk, paper execution, strategies and lanes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np

from vtframe.api import BundleInfo, ExecutionAdapter, Label
from vtframe.clock import EventClock
from vtframe.domain import (
    BookState,
    EventKind,
    FrameKind,
    Instrument,
    InstrumentKind,
    Prediction,
    Records,
    Side,
    SubmitOrder,
    Top,
    Verdict,
)
from vtframe.domain.order import OrderType, TimeInForce
from vtframe.engine.lane import Lane
from vtframe.engine.lane_view import Market
from vtframe.engine.risk_view import RiskView
from vtframe.execution.client_order_ids import ClientOrderIds
from vtframe.execution.order_table import OrderTable
from vtframe.portfolio.ledger import Ledger
from vtframe.risk.gate import Gate

SPOT = Instrument(
    venue="binance",
    symbol="BTCUSDT",
    kind=InstrumentKind.SPOT,
    base="BTC",
    quote="USDT",
    settlement="USDT",
    price_decimals=2,
    quantity_decimals=5,
    tick_size=1,
    lot_size=1,
    minimum_notional=Decimal(5),
    maker_fee=Decimal("0.001"),
    taker_fee=Decimal("0.001"),
)
LINEAR = Instrument(
    venue="binance_usdm",
    symbol="BTCUSDT",
    kind=InstrumentKind.LINEAR,
    base="BTC",
    quote="USDT",
    settlement="USDT",
    price_decimals=1,
    quantity_decimals=3,
    tick_size=1,
    lot_size=1,
    minimum_notional=Decimal(5),
    maker_fee=Decimal("0.0002"),
    taker_fee=Decimal("0.0005"),
)
INVERSE = Instrument(
    venue="binance_coinm",
    symbol="BTCUSD_PERP",
    kind=InstrumentKind.INVERSE,
    base="BTC",
    quote="USD",
    settlement="BTC",
    price_decimals=1,
    quantity_decimals=0,
    tick_size=1,
    lot_size=1,
    multiplier=Decimal(100),
    maker_fee=Decimal("0.0002"),
    taker_fee=Decimal("0.0005"),
)
KINDS = {"spot": SPOT, "linear": LINEAR, "inverse": INVERSE}


class Instruments(tuple):
    """A tuple serves as an instrument table."""

    __slots__ = ()

    def find(self, venue, symbol):
        return next((i for i, one in enumerate(self) if (one.venue, one.symbol) == (venue, symbol)), None)


class DictBooks:
    """Books as dictionaries, by instrument and side: a reference with nothing to go wrong."""

    def __init__(self, count=1):
        self.sides = {(index, side): {} for index in range(count) for side in Side}
        self.states = [BookState.LIVE] * count
        self.ids = [-1] * count
        self.times = [0] * count

    def apply(self, records, index):
        frame = records.frames[index]
        if frame["kind"] not in (FrameKind.DEPTH, FrameKind.SNAPSHOT):
            return
        self.ids[frame["instrument"]] = int(frame["last_id"])
        first = frame["first_event"]
        times = [int(event["ts_event"]) for event in records.events[first : first + frame["n_events"]]]
        self.times[frame["instrument"]] = max([self.times[frame["instrument"]], *times])
        for event in records.events[first : first + frame["n_events"]]:
            if event["kind"] == EventKind.BOOK_CLEAR:
                for side in Side:
                    self.sides[int(frame["instrument"]), side].clear()
            else:
                levels = self.sides[int(frame["instrument"]), Side(int(event["side"]))]
                levels.pop(int(event["price"]), None)
                if event["quantity"]:
                    levels[int(event["price"])] = int(event["quantity"])

    def top(self, instrument):
        bids, asks = self.sides[instrument, Side.BUY], self.sides[instrument, Side.SELL]
        bid, ask = max(bids, default=0), min(asks, default=0)
        return Top(bid, bids.get(bid, 0), ask, asks.get(ask, 0))

    def state(self, instrument):
        return self.states[instrument]

    def update_id(self, instrument):
        return self.ids[instrument]

    def ts_event(self, instrument):
        return self.times[instrument]

    def quantity_at(self, instrument, side, price):
        return self.sides[instrument, side].get(price, 0)

    def levels(self, instrument, side, count):
        levels = self.sides[instrument, side]
        prices = sorted(levels, reverse=side is Side.BUY)[:count]
        return np.array(prices, np.int64), np.array([levels[price] for price in prices], np.int64)


class FixedRows:
    """Rows whose values a test sets."""

    def __init__(self, **values):
        self.values = values

    def row(self, instrument):
        return tuple(self.values.values())

    def value(self, instrument, column):
        return self.values[column]


class ListJournal:
    def __init__(self):
        self.records = []

    def write(self, *records):
        self.records.extend(records)

    def of(self, kind):
        return [record for record in self.records if isinstance(record, kind)]


MS = 1_000_000
START = 1_700_000_000_000_000_000


class Bench:
    """One session in small: books, clock, order table, account gate, and any number of lanes on them."""

    def __init__(self, *instruments, policies=(), rows=None):
        self.instruments = Instruments(instruments or (LINEAR,))
        self.books = DictBooks(len(self.instruments))
        self.clock = EventClock(start_ns=START, measured=False)
        self.journal = ListJournal()
        self.orders = OrderTable()
        self.ids = ClientOrderIds("test")
        self.market = Market(clock=self.clock, instruments=self.instruments, books=self.books, rows=rows or FixedRows())
        self.ledgers = {}
        self.gate = Gate(policies, RiskView(market=self.market, orders=self.orders, ledgers=self.ledgers))
        self.gate.start()
        self.lanes = []
        self.number = 0
        self.row = 0

    def lane(
        self,
        strategy,
        adapter,
        *,
        lane_id=None,
        limits=None,
        model=None,
        capital=10_000,
        when_late="hold",
        meters=None,
        start=True,
    ):
        lane_id = lane_id or f"lane{len(self.lanes) + 1}"
        ledger = self.ledgers[lane_id] = Ledger()
        view = RiskView(market=self.market, orders=self.orders, ledgers=self.ledgers, lane=lane_id)
        lane = Lane(
            lane_id,
            strategy,
            adapter,
            gate=self.gate,
            limits=None if limits is None else Gate(limits, view),
            ledger=ledger,
            orders=self.orders,
            ids=self.ids,
            capital=Decimal(capital),
            when_late=when_late,
            model=model,
            market=self.market,
            journal=self.journal,
            meters=meters,
        )
        if start:
            lane.start()
        self.lanes.append(lane)
        return lane

    def frame(self, events, *, kind=FrameKind.DEPTH, after_ms=1.0, instrument=0, lag_ms=0.0):
        """One frame, ``after_ms`` later: applied to its book, then shown to lanes. Events: (kind, side, price, quantity)."""
        self.clock.advance(self.clock.now_ns() + int(after_ms * MS))
        now = self.clock.now_ns()
        records = Records()
        rows = [
            (0, now - int(lag_ms * MS), price, quantity, 0, instrument, flags, event_kind, side)
            for event_kind, side, price, quantity, flags in ((*event, 0)[:5] for event in events)
        ]
        self.number += 1
        records.append(kind=kind, instrument=instrument, events=rows, ts_recv=now, number=self.number, last_id=self.number)
        self.books.apply(records, 0)
        for lane in self.lanes:
            if lane.active:
                lane.on_frame(records, 0)

    def depth(self, *, bids=(), asks=(), **more):
        """Level totals, price to quantity."""
        deltas = [(EventKind.BOOK_DELTA, 1, *level) for level in dict(bids).items()]
        deltas += [(EventKind.BOOK_DELTA, -1, *level) for level in dict(asks).items()]
        self.frame(deltas, **more)

    def trade(self, side, price, quantity, *, flags=0, **more):
        self.frame([(EventKind.TRADE, side, price, quantity, flags)], kind=FrameKind.TRADE, **more)

    def wait(self, ms=10.0, **more):
        """A frame that changes nothing."""
        self.frame([], kind=FrameKind.OTHER, after_ms=ms, **more)

    def prediction(self, *outputs, verdict=Verdict.OK, instrument=0, age_ms=0.0):
        now = self.clock.now_ns()
        self.row += 1
        return Prediction(
            model="m",
            model_hash="h",
            instrument=instrument,
            input=self.number,
            row=self.row,
            update_id=self.number,
            ts_event=now,
            ts_recv=now - int(age_ms * MS),
            ts_done=now,
            age_ns=int(age_ms * MS),
            deadline_ns=50 * MS,
            verdict=verdict,
            outputs=outputs,
        )

    def predict(self, *outputs, **more):
        prediction = self.prediction(*outputs, **more)
        for lane in self.lanes:
            lane.on_prediction(prediction)


class RecordingAdapter(ExecutionAdapter):
    """Keeps what it is given; the test says what the venue answers."""

    name = "recording"
    guarantee = "exactly_once"

    def start(self, context):
        self.sink = context.sink
        self.submitted = []
        self.canceled = []
        self.stopped = False

    def submit(self, order):
        self.submitted.append(order.command)

    def cancel(self, command):
        self.canceled.append(command)

    def stop(self):
        self.stopped = True


def model_info(*, moves=(-3.0, 0.0, 3.0), variance=25.0, classes=("down", "flat", "up"), horizon_ms=1_000):
    return BundleInfo(
        name="demo",
        path=Path("demo"),
        hash="0" * 64,
        backend="onnx",
        file="model.onnx",
        features=(),
        window=1,
        dtype="float32",
        classes=classes,
        label=Label(horizon_rows=10),
        expected_move_bps=moves,
        variance_bps2=variance,
        horizon_ns=horizon_ms * MS,
        sampling="every frame",
    )


def submit(
    name="o-1", *, side=Side.BUY, quantity=10, price=None, tif=None, lane="lane1", instrument=0, order_type=None, **more
):
    """A market order, or with ``price`` a limit order (GTC)."""
    order_type = order_type or (OrderType.MARKET if price is None else OrderType.LIMIT)
    return SubmitOrder(
        client_order_id=name,
        lane=lane,
        instrument=instrument,
        side=side,
        order_type=order_type,
        quantity=quantity,
        price=price,
        time_in_force=tif or (TimeInForce.IOC if order_type is OrderType.MARKET else TimeInForce.GTC),
        **more,
    )
