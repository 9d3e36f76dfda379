"""Lanes on recorded markets: every paper fill is checked against a book that is kept apart from the session's."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from trading_fakes import MS, Bench, DictBooks, model_info

from vtframe.api import FeedContext
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.paper.adapter import PaperAdapter
from vtframe.builtin.recorded.feed import RecordedFeed
from vtframe.builtin.risk.max_position import MaxPosition
from vtframe.builtin.risk.price_collar import PriceCollar
from vtframe.builtin.risk.stale_prediction import StalePrediction
from vtframe.builtin.strategies.probability import ProbabilityStrategy
from vtframe.clock import EventClock
from vtframe.domain import (
    BookState,
    EventFlag,
    EventKind,
    FrameKind,
    InstrumentKind,
    LiquiditySide,
    OrderFilled,
    Records,
    Side,
)
from vtframe.engine.lane_view import Market
from vtframe.engine.newest_rows import NewestRows
from vtframe.engine.risk_view import RiskView
from vtframe.features.pipeline import Pipeline
from vtframe.journal.records import OrderApproved, OrderReported
from vtframe.risk.gate import Gate

FILES = {
    "spot": ("spot_btcusdt_20240808.gz",),
    "linear": ("usdm_btcusdt_20240808.gz",),
    "inverse": ("cm_btcusd_perp_20240808.gz",),
}
MESSAGES = 16_000
LATENCY_US = 3_000
LIMIT = 5_000


class Session(Bench):
    """A feed's sink in small: books of the session, lanes, and beside them the checks."""

    def __init__(self, instruments, codec, *, watchful=False):
        super().__init__(*instruments)
        self.watchful = watchful  # adapters see every frame, not only those that their lanes show them
        codec.open(self.instruments)
        self.decode = codec.decode
        self.clock = EventClock(measured=False)
        self.pipeline = Pipeline([], instruments, [codec.sequence_rule(0)])
        self.market = Market(
            clock=self.clock,
            instruments=self.instruments,
            books=self.pipeline.books,
            rows=NewestRows(self.pipeline.ring, self.pipeline.columns),
        )
        view = RiskView(market=self.market, orders=self.orders, ledgers=self.ledgers)
        self.gate = Gate([StalePrediction(max_age_ms=50.0), PriceCollar(bps=20.0), MaxPosition(notional=float(LIMIT))], view)
        self.gate.start()
        self.records = Records()
        self.checks = Checks(self)
        self.count = 0

    @property
    def stopping(self):
        return self.count >= MESSAGES

    def on_damage(self, where, problem):
        raise AssertionError(f"{where}: {problem}")

    def on_message(self, data, ts_recv, *, connection=0):
        self.count += 1
        self.number += 1
        self.clock.advance(ts_recv)
        self.records.clear()
        self.decode(data, self.records)
        self.records.stamp(number=self.number, ts_recv=ts_recv)
        for index in range(self.records.n_frames):
            self.pipeline.process(self.records, index, index + 1)
            self.checks.look(self.records, index)
            for lane in self.lanes:
                if self.watchful and not self.orders.has_working(lane.lane_id):
                    lane.adapter.on_frame(self.records, index)
                if lane.active:
                    lane.on_frame(self.records, index)
                position = lane.ledger.position(0).quantity
                assert position >= 0 or self.instruments[0].kind is not InstrumentKind.SPOT
        self.checks.end_of_frame()
        if self.pipeline.books.state(0) is BookState.LIVE and self.count % 40 == 0:
            self.predict(*((0.05, 0.1, 0.85) if self.count // 400 % 2 else (0.85, 0.1, 0.05)))


class Checks:
    """An independent book, what it still displays, and the frames so far."""

    def __init__(self, session):
        self.session = session
        self.books = DictBooks()
        self.left = {}
        self.frames = []  # (ts_recv, input)
        self.trades = []
        self.fills = Counter()
        self.orders = {}
        self.made = 0
        self.waiting = []  # depth frames that arrived before the snapshot

    def look(self, records, index):
        frame = records.frames[index]
        self.frames.append((int(frame["ts_recv"]), int(frame["input"])))
        first = int(frame["first_event"])
        events = records.events[first : first + int(frame["n_events"])]
        live = self.session.pipeline.books.state(0) is BookState.LIVE
        if frame["kind"] == FrameKind.DEPTH and not live:
            kept = SimpleNamespace(frames=records.frames[index : index + 1].copy(), events=events.copy())
            kept.frames["first_event"] = 0
            self.waiting.append(kept)
        if frame["kind"] == FrameKind.SNAPSHOT or (frame["kind"] == FrameKind.DEPTH and live and self.follows(frame)):
            self.books.apply(records, index)
            for event in events:
                self.left.pop((int(event["side"]), int(event["price"])), None)
            if frame["kind"] == FrameKind.SNAPSHOT:
                self.left.clear()
                for earlier in self.waiting:
                    if earlier.frames["last_id"][0] > frame["last_id"]:
                        self.books.apply(earlier, 0)
        self.trades = [
            (int(event["side"]), int(event["price"]), int(event["quantity"]))
            for event in events
            if event["kind"] == EventKind.TRADE and not event["flags"] & EventFlag.NON_MARKET
        ]

    def follows(self, frame):
        return int(frame["last_id"]) == self.session.pipeline.books.update_id(0)

    def end_of_frame(self):
        """What resting orders got from the frame's trades is no more than traded."""
        traded = sum(quantity for _, _, quantity in self.trades)
        if traded:
            assert self.made <= traded * len(self.session.lanes), "each lane has a market of its own"
        self.made = 0

    def fill(self, lane, event):
        order = self.session.orders[event.client_order_id].command
        ts, number = self.frames[-1]
        assert ts >= order.ts_created + LATENCY_US * 1_000
        assert number > order.input
        self.fills[lane.lane_id, event.liquidity_side] += 1
        if event.liquidity_side is LiquiditySide.TAKER:
            before = [frame for frame in self.frames[:-1][-50:] if frame[1] > order.input]
            assert all(earlier < order.ts_created + LATENCY_US * 1_000 for earlier, _ in before), (
                "met a later frame than the first"
            )
            key = (-int(order.side), event.price)
            displayed = self.books.quantity_at(0, Side(-order.side), event.price)
            own = self.left.setdefault(key, {})
            own[lane.lane_id] = own.get(lane.lane_id, 0) + event.quantity
            assert own[lane.lane_id] <= displayed, "took more than is displayed"
            best = self.books.top(0)
            assert event.price >= best.ask if order.side > 0 else event.price <= best.bid
        else:
            assert event.price == order.price
            hit = sum(q for side, price, q in self.trades if side == -order.side and order.side * (price - order.price) <= 0)
            best = self.books.top(0)
            crossed = order.price >= best.ask if order.side > 0 else order.price <= best.bid
            assert crossed or event.quantity <= hit, "nothing traded at the price of a resting order that was filled"
            self.made += 0 if crossed else event.quantity


def play(data: Path, kind: str, *, watchful: bool = False) -> Session:
    feed = RecordedFeed(paths=tuple(str(data / "binance" / name) for name in FILES[kind]))
    context = FeedContext(codecs={"binance": BinanceCodec}, folder=data, clock=EventClock())
    instruments = feed.open(context)
    session = Session(instruments, feed.codec(), watchful=watchful)
    for order in ("take", "make"):
        strategy = ProbabilityStrategy(
            assume_fees_bps=0.0, order=order, horizon_ms=700.0, stop_loss_bps=1.0, take_profit_bps=3.0, cap=0.3
        )
        lane = session.lane(strategy, PaperAdapter(latency_us=LATENCY_US), lane_id=order, model=model_info())
        report = lane.on_order_event

        def checked(event, lane=lane, report=report):
            if isinstance(event, OrderFilled):
                session.checks.fill(lane, event)
            report(event)

        lane.on_order_event = checked
    asyncio.run(feed.run(session))
    for lane in session.lanes:
        lane.stop()
    return session


@pytest.fixture(scope="module", params=sorted(FILES))
def session(request, data):
    return play(data, request.param)


def test_every_fill_on_a_recorded_market_was_there_to_be_had(session):
    # the checks ran at every fill; here: they ran, on both lanes, and nothing broke
    assert [lane.failed for lane in session.lanes] == ["", ""]
    assert session.checks.fills["take", LiquiditySide.TAKER] > 30
    assert session.checks.fills["make", LiquiditySide.MAKER] > 5
    assert session.checks.fills["take", LiquiditySide.MAKER] == 0


def test_the_books_that_checked_are_the_books_that_filled(session):
    mine, theirs = session.checks.books, session.pipeline.books
    assert mine.top(0) == theirs.top(0)
    for side in Side:
        assert [column.tolist() for column in mine.levels(0, side, 100)] == [c.tolist() for c in theirs.levels(0, side, 100)]


def test_the_ledger_is_the_cash_flow_of_the_journal(session):
    instrument = session.instruments[0]
    unit = Fraction(instrument.multiplier) / 10**instrument.quantity_decimals
    for lane in session.lanes:
        cash = realized = Fraction(0)
        held = 0
        orders = {record.order.client_order_id: record.order for record in session.journal.of(OrderApproved)}
        for record in session.journal.of(OrderReported):
            if record.lane == lane.lane_id and isinstance(record.event, OrderFilled):
                side = orders[record.event.client_order_id].side
                price = Fraction(record.event.price, 10**instrument.price_decimals)
                count = side * record.event.quantity * unit
                cash += count / price if instrument.kind is InstrumentKind.INVERSE else -count * price
                held += side * record.event.quantity
                assert record.position == held
                realized += Fraction(record.realized)
                assert Decimal(record.fee) > 0
        assert lane.ledger.position(0).quantity == held
        mark = session.pipeline.books.top(0).bid
        price = Fraction(mark, 10**instrument.price_decimals)
        worth = -held * unit / price if instrument.kind is InstrumentKind.INVERSE else held * unit * price
        assert abs(realized + Fraction(lane.ledger.unrealized(0, mark)) - (cash + worth)) < Fraction(1, 10**14)


def test_positions_stay_within_the_account_limit(session):
    instrument = session.instruments[0]
    # at the price at which it was opened a position is within the limit; the market moves by far less than 1% in the file
    worst = max(abs(record.position) for record in session.journal.of(OrderReported))
    assert instrument.notional(session.pipeline.books.top(0).bid, worst) <= Decimal(LIMIT) * Decimal("1.01")


def test_exits_closed_positions_within_their_horizon(session):
    causes = Counter(record.order.cause for record in session.journal.of(OrderApproved))
    assert causes["enter"] > 10
    assert causes["stop_loss"] + causes["horizon"] + causes["take_profit"] > 5
    opened = None
    longest = 0
    for record in session.journal.of(OrderReported):
        if record.lane == "take" and isinstance(record.event, OrderFilled):
            opened = opened if opened is not None and record.position else record.event.ts_event
            longest = max(longest, record.event.ts_event - opened)
            opened = opened if record.position else None
    assert longest <= 700 * MS + 1_500 * MS  # the horizon, the latency, and the longest silence of the recording


KINDS = {InstrumentKind.SPOT: "spot", InstrumentKind.LINEAR: "linear", InstrumentKind.INVERSE: "inverse"}


def test_the_same_recording_gives_the_same_decisions(session, data):
    again = play(data, KINDS[session.instruments[0].kind])
    assert again.journal.records == session.journal.records


def test_resting_orders_fill_alike_whether_or_not_the_venue_saw_the_frames_before_them(session, data):
    watched = play(data, KINDS[session.instruments[0].kind], watchful=True)
    assert maker_fills(watched) == maker_fills(session) != []


def maker_fills(session):
    fills = [report.event for report in session.journal.of(OrderReported) if isinstance(report.event, OrderFilled)]
    return [(f.ts_event, f.price, f.quantity) for f in fills if f.liquidity_side is LiquiditySide.MAKER]
