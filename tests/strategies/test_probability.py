"""The strategy `probability`: its edge, its size, its thresholds, and what it refuses to start with."""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_fakes import INVERSE, KINDS, LINEAR, MS, SPOT, Bench, FixedRows, model_info, submit

from vtframe.builtin.strategies.hooks import register_strategies
from vtframe.builtin.strategies.probability import ProbabilityStrategy
from vtframe.builtin.strategies.sizing import Lots, kelly_notional, volatility_notional
from vtframe.domain import LiquiditySide, OrderFilled, OrderType, Side, TimeInForce
from vtframe.engine.lane_view import StrategyView
from vtframe.errors import ConfigError
from vtframe.portfolio.ledger import Ledger

UP = (0.05, 0.15, 0.80)  # down, flat, up
DOWN = (0.80, 0.15, 0.05)
FLAT = (0.2, 0.6, 0.2)


class Desk:
    """A strategy with a view of a book at 10,000.0 / 10,000.1 (half a spread: 0.05 bps)."""

    def __init__(self, instrument=LINEAR, model=None, *, rows=None, capital=10_000, **settings):
        self.bench = Bench(instrument, rows=rows)
        self.instrument = instrument
        scale = 10 ** (instrument.price_decimals - 1)
        self.bench.books.sides[0, Side.BUY][100_000 * scale] = 10**6
        self.bench.books.sides[0, Side.SELL][100_001 * scale] = 10**6
        self.ledger = Ledger()
        self.view = StrategyView(
            lane="lane1",
            capital=Decimal(capital),
            model=model or model_info(),
            market=self.bench.market,
            ledger=self.ledger,
            orders=self.bench.orders,
        )
        self.strategy = msgspec.convert(settings, ProbabilityStrategy)
        self.strategy.start(self.view)

    def ask(self, *outputs):
        return self.strategy.on_prediction(self.bench.prediction(*outputs), self.view)

    def hold(self, quantity):
        fill = OrderFilled(
            client_order_id="h",
            ts_event=1,
            price=100_000,
            quantity=abs(quantity),
            leaves_quantity=0,
            liquidity_side=LiquiditySide.TAKER,
        )
        self.ledger.apply(fill, submit(side=Side.BUY if quantity > 0 else Side.SELL), self.instrument)
        return self

    def working(self, signed):
        self.bench.orders.approve(submit("w", side=Side.BUY if signed > 0 else Side.SELL, quantity=abs(signed), price=100_000))
        return self


def free(**settings):
    return Desk(assume_fees_bps=0, **settings)


def test_it_is_registered():
    assert [strategy.name for strategy in register_strategies()] == ["probability"]


def test_the_edge_is_the_expected_move_less_fees_and_half_spreads_in_and_out():
    desk = Desk(model=model_info(moves=(-30, 0, 30)))
    intent = desk.ask(*UP)
    half_spread = 0.5 / 100_000.5 * 1e4
    assert intent.edge_bps == pytest.approx(0.75 * 30 - 2 * 5 - 2 * half_spread)
    assert Desk(model=model_info(moves=(-30, 0, 30)), costs="entry").ask(*UP).edge_bps == pytest.approx(22.5 - 5 - half_spread)


def test_with_real_fees_a_small_move_is_no_trade_however_probable():
    assert Desk().ask(0.0, 0.0, 1.0) is None
    assert free().ask(0.0, 0.0, 1.0) is not None


def test_a_probability_without_an_expected_move_is_no_edge():
    assert free(model=model_info(moves=(0, 0, 0))).ask(*UP) is None


def test_the_edge_comes_from_all_classes_and_decides_the_direction():
    contrary = model_info(moves=(1.0, 0.0, -9.0))  # "up" moved down out of sample: the direction is the move's
    assert free(model=contrary).ask(0.1, 0.2, 0.7) is None, "the class of that direction is not probable enough"
    skewed = model_info(moves=(-20.0, 0.0, 3.0))
    assert free(model=skewed, enter=0.7).ask(0.3, 0.0, 0.7) is None  # 0.7 x 3 - 0.3 x 20 is a move down


def test_min_edge_must_be_exceeded():
    edge = free(model=model_info(moves=(-4, 0, 4))).ask(*UP).edge_bps
    assert free(model=model_info(moves=(-4, 0, 4)), min_edge_bps=edge).ask(*UP) is None
    assert free(model=model_info(moves=(-4, 0, 4)), min_edge_bps=edge - 1e-6).ask(*UP) is not None


def test_it_enters_at_the_threshold_and_not_below():
    assert free(enter=0.8).ask(*UP).target > 0
    assert free(enter=0.81).ask(*UP) is None
    assert free(enter=0.8).ask(*DOWN).target < 0


def test_taking_is_a_market_order_and_making_a_limit_that_joins_the_best_price():
    taken = free().ask(*UP)
    assert (taken.order_type, taken.price, taken.time_in_force) == (OrderType.MARKET, None, TimeInForce.IOC)
    made = free(order="make").ask(*UP)
    assert (made.order_type, made.price, made.post_only, made.time_in_force) == (
        OrderType.LIMIT,
        100_000,
        True,
        TimeInForce.GTC,
    )
    assert free(order="make").ask(*DOWN).price == 100_001
    assert made.edge_bps > taken.edge_bps, "only the way out crosses"


def test_the_maker_fee_is_charged_for_the_way_in_when_making():
    big = model_info(moves=(-30, 0, 30))
    half_spread = 0.5 / 100_000.5 * 1e4
    assert Desk(model=big, order="make").ask(*UP).edge_bps == pytest.approx(22.5 - 2 - 5 - half_spread)


def test_the_size_is_fractional_kelly_up_to_the_cap():
    small = free(model=model_info(variance=1e6), kelly_fraction=0.5)
    intent = small.ask(*UP)
    share = 0.5 * intent.edge_bps * 1e4 / 1e6
    assert 0 < share < 1
    notional = float(LINEAR.notional(100_001, intent.target))
    assert notional == pytest.approx(10_000 * share, abs=10.0001)  # a lot is worth 10
    assert notional <= 10_000 * share
    assert free(cap=2).ask(*UP).target == 1999  # 20,000 at 10,000.1, in lots of 0.001


def test_inverse_contracts_are_sized_by_their_quote_value():
    assert Desk(INVERSE, assume_fees_bps=0).ask(*UP).target == 100


def test_volatility_sizing_reads_its_column():
    rows = FixedRows(vol=4.0)
    desk = free(rows=rows, sizing="volatility", volatility_column="vol", volatility_target=2.0)
    assert float(LINEAR.notional(100_001, desk.ask(*UP).target)) == pytest.approx(5_000, abs=10.0001)
    rows.values["vol"] = math.nan
    assert desk.ask(*UP) is None
    rows.values["vol"] = 0.0
    assert desk.ask(*UP) is None


def test_less_than_a_lot_or_the_venues_minimum_is_no_intent():
    assert free(capital=9).ask(*UP) is None
    assert Desk(msgspec.structs.replace(LINEAR, minimum_notional=Decimal(50)), assume_fees_bps=0, capital=49).ask(*UP) is None


def test_spot_is_not_sold_short():
    assert Desk(SPOT, assume_fees_bps=0).ask(*UP).target > 0
    assert Desk(SPOT, assume_fees_bps=0).ask(*DOWN) is None
    held = Desk(SPOT, assume_fees_bps=0).hold(5)
    assert held.ask(*DOWN).target == 0


def test_what_it_holds_or_has_working_is_left_alone():
    assert free().hold(5).ask(*UP) is None
    assert free().working(5).ask(*UP) is None
    assert free().hold(-5).ask(*DOWN) is None


def test_it_closes_under_the_exit_threshold_and_turns_on_a_contrary_signal():
    assert free(exit=0.3).hold(5).ask(0.2, 0.5, 0.3) is None
    closing = free(exit=0.3).hold(5).ask(0.2, 0.51, 0.29)
    assert (closing.target, closing.cause, closing.order_type) == (0, "exit", OrderType.MARKET)
    assert free(exit=0.3).hold(-5).ask(0.29, 0.51, 0.2).target == 0
    assert free().hold(5).ask(*DOWN).target < 0


def test_a_working_entry_is_given_up_when_its_signal_is_gone():
    assert free(order="make").working(5).ask(*FLAT).target == 0


def test_an_empty_side_is_no_entry_and_no_obstacle_to_an_exit():
    desk = free()
    desk.bench.books.sides[0, Side.SELL].clear()
    assert desk.ask(*UP) is None
    assert desk.hold(5).ask(*FLAT).target == 0


def test_exits_are_attached_with_the_models_horizon_or_another():
    exits = free(stop_loss_bps=12, take_profit_bps=30).ask(*UP).exits
    assert (exits.stop_loss_bps, exits.take_profit_bps, exits.horizon_ns) == (12, 30, 1_000 * MS)
    assert free(horizon_ms=250).ask(*UP).exits.horizon_ns == 250 * MS
    assert free(horizon_exit=False).ask(*UP).exits.horizon_ns is None


def test_the_intent_carries_its_prediction():
    desk = free()
    prediction = desk.bench.prediction(*UP)
    assert desk.strategy.on_prediction(prediction, desk.view).prediction is prediction


@given(
    p=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).filter(lambda p: sum(p) > 0.1),
    moves=st.tuples(st.floats(-50, 50), st.floats(-5, 5), st.floats(-50, 50)),
    kind=st.sampled_from(sorted(KINDS)),
    cap=st.floats(0.1, 5),
)
def test_every_entry_pays_for_its_costs_and_stays_within_the_cap(p, moves, kind, cap):
    instrument = KINDS[kind]
    total = sum(p)
    outputs = tuple(value / total for value in p)
    desk = Desk(instrument, model=model_info(moves=moves), cap=cap)
    intent = desk.ask(*outputs)
    if intent is None:
        return
    expected = sum(a * b for a, b in zip(outputs, moves, strict=True))
    fees = 2 * float(instrument.taker_fee) * 1e4
    assert intent.target * expected > 0
    assert abs(expected) - fees > intent.edge_bps > 0
    top = desk.bench.books.top(0)
    price = top.ask if intent.target > 0 else top.bid
    assert (
        instrument.minimum_notional <= instrument.notional(price, intent.target) <= Decimal(10_000 * cap) * Decimal("1.000001")
    )
    assert intent.target % instrument.lot_size == 0
    assert intent.target > 0 or kind != "spot"


@given(
    edge=st.floats(-10, 100), variance=st.floats(0, 1e4, exclude_min=True), fraction=st.floats(0.01, 1), cap=st.floats(0.1, 10)
)
def test_kelly_is_between_nothing_and_the_cap_and_grows_with_the_edge(edge, variance, fraction, cap):
    def notional(edge_bps):
        return kelly_notional(edge_bps=edge_bps, variance_bps2=variance, fraction=fraction, cap=cap, capital=100)

    assert 0 <= notional(edge) <= 100 * cap
    assert notional(edge) <= notional(edge + 1)
    assert (notional(edge) == 0) is (edge <= 0) or edge * fraction < 1e-300


def test_kelly_is_the_mean_over_the_variance():
    # a bet on +-100 bps with a mean of 1 bp: 1e-4 / (1e-2)^2 = 1 times the capital
    assert kelly_notional(edge_bps=1, variance_bps2=1e4, fraction=1, cap=9, capital=500) == pytest.approx(500)
    assert kelly_notional(edge_bps=math.nan, variance_bps2=1e4, fraction=1, cap=9, capital=500) == 0
    for unknown in (0.0, -1.0, math.nan):
        assert kelly_notional(edge_bps=1, variance_bps2=unknown, fraction=1, cap=9, capital=500) == 0
    assert volatility_notional(target=1, volatility=math.nan, cap=9, capital=500) == 0


@given(
    notional=st.floats(0, 1e7),
    price=st.integers(1, 10**7),
    lot=st.sampled_from([1, 7, 100]),
    kind=st.sampled_from(sorted(KINDS)),
)
def test_a_quantity_is_the_most_whole_lots_that_fit(notional, price, lot, kind):
    instrument = msgspec.structs.replace(KINDS[kind], lot_size=lot)
    quantity = Lots(instrument).quantity(notional, price)
    slack = Decimal(1) + Decimal("1e-9")  # floats decide here; the gate decides in decimals
    assert quantity % lot == 0
    assert instrument.notional(price, quantity) <= Decimal(notional) * slack
    next_size = instrument.notional(price, quantity + lot) * slack
    assert next_size >= Decimal(notional) or Decimal(notional) <= instrument.minimum_notional * slack or not quantity
    if quantity:
        assert instrument.notional(price, quantity) * slack >= instrument.minimum_notional
    else:
        most = instrument.notional(price, lot)
        assert most * slack >= Decimal(notional) or Decimal(notional) - most <= instrument.minimum_notional * slack


@pytest.mark.parametrize(
    ("settings", "model", "problem"),
    [
        ({"enter": 0.5, "exit": 0.6}, model_info(), "exit 0.6 is above enter 0.5"),
        ({}, model_info(classes=("lower", "flat", "up")), "has no class 'down'; its classes are lower, flat, up"),
        ({}, model_info(moves=(1.0, 2.0)), "states 2 expected moves for 3 classes"),
        ({}, model_info(variance=0.0), "states a variance of 0 bps^2, and Kelly sizing divides by it"),
        ({"sizing": "volatility"}, model_info(), "needs volatility_column and volatility_target"),
    ],
)
def test_settings_that_do_not_go_with_the_model_are_configuration_errors(settings, model, problem):
    with pytest.raises(ConfigError) as caught:
        Desk(model=model, **settings)
    assert problem in str(caught.value)
    told = msgspec.convert(settings, ProbabilityStrategy).check(model, ("a",))
    assert [str(fault) for fault in told] == [str(fault) for fault in caught.value.faults], "vtframe check says the same"


def test_a_volatility_column_that_rows_do_not_have_is_told_before_the_session():
    strategy = ProbabilityStrategy(sizing="volatility", volatility_column="nope", volatility_target=1.0)
    faults = strategy.check(model_info(), ("vol", "book_imbalance"))
    assert [(fault.key, fault.problem) for fault in faults] == [
        ("volatility_column", "rows have no column 'nope'; they have vol, book_imbalance")
    ]
    assert strategy.check(model_info(), ("vol", "nope")) == []


def test_volatility_sizing_needs_no_variance():
    strategy = ProbabilityStrategy(sizing="volatility", volatility_column="vol", volatility_target=1.0)
    assert strategy.check(model_info(variance=0.0), ("vol",)) == []


def test_a_lane_without_a_model_is_a_configuration_error():
    desk = Desk()
    desk.view.model = None
    with pytest.raises(ConfigError, match="needs a model"):
        desk.strategy.start(desk.view)


@pytest.mark.parametrize(
    "settings",
    [{"enter": 1.5}, {"exit": -0.1}, {"kelly_fraction": 0}, {"kelly_fraction": 1.1}, {"cap": 0}, {"stop_loss_bps": 0},
     {"assume_fees_bps": -0.1},      {"horizon_ms": 0}, {"order": "guess"}, {"costs": "none"}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, ProbabilityStrategy)
