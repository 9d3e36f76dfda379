"""The policies in the box: what they let pass, what they make smaller, and the numbers that a denial names."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_fakes import INVERSE, KINDS, LINEAR, MS, SPOT, Bench, submit

from vtframe.builtin.risk.hooks import register_risk_policies
from vtframe.builtin.risk.max_order_notional import MaxOrderNotional
from vtframe.builtin.risk.max_position import MaxPosition
from vtframe.builtin.risk.order_rate import OrderRate
from vtframe.builtin.risk.price_collar import PriceCollar
from vtframe.builtin.risk.room import Room
from vtframe.builtin.risk.stale_prediction import StalePrediction
from vtframe.domain import BookState, Denied, LiquiditySide, OrderFilled, Side, Verdict
from vtframe.portfolio.ledger import Ledger


def market(instrument=LINEAR, *, bid=100_000, ask=100_001, held=0, working=()):
    """A bench whose one lane holds ``held`` and has ``working`` orders; its account gate's context judges."""
    bench = Bench(instrument)
    if bid:
        bench.books.sides[0, Side.BUY][bid] = 1_000
    if ask:
        bench.books.sides[0, Side.SELL][ask] = 1_000
    ledger = bench.ledgers["lane1"] = Ledger()
    if held:
        fill = OrderFilled(
            client_order_id="h",
            ts_event=1,
            price=100_000,
            quantity=abs(held),
            leaves_quantity=0,
            liquidity_side=LiquiditySide.TAKER,
        )
        ledger.apply(fill, submit(side=Side.BUY if held > 0 else Side.SELL), instrument)
    for number, signed in enumerate(working):
        bench.orders.approve(submit(f"w{number}", side=Side.BUY if signed > 0 else Side.SELL, quantity=abs(signed)))
    return bench, bench.gate._context


def review(policy, order, context):
    policy.start(context)
    return policy.review(order, context)


def test_every_policy_is_registered_once():
    names = [policy.name for policy in register_risk_policies()]
    assert sorted(names) == ["max_order_notional", "max_position", "order_rate", "price_collar", "stale_prediction"]


# max_position: LINEAR trades at 10,000.0 / 10,000.1, so that 0.100 BTC are 1,000 USDT


def test_a_position_within_the_limit_passes_untouched():
    _, context = market(held=50)
    order = submit(quantity=40)
    assert review(MaxPosition(notional=1_000), order, context) is order


def test_an_order_beyond_the_limit_is_made_smaller():
    _, context = market(held=50)
    assert review(MaxPosition(notional=1_000), submit(quantity=90), context).quantity == 49  # 99 at 10,000.1 is under 1,000


def test_with_deny_it_is_denied_with_the_numbers():
    _, context = market(held=50)
    verdict = review(MaxPosition(notional=1_000, over="deny"), submit(quantity=90), context)
    assert isinstance(verdict, Denied)
    assert verdict.reason == ("notional 1400.01 USDT is over 1000 (position 0.050, working 0.000, order 0.090 at 10000.1)")


def test_working_orders_of_the_same_side_count_and_those_of_the_other_do_not():
    _, context = market(held=20, working=(30, -500))
    assert review(MaxPosition(notional=1_000), submit(quantity=90), context).quantity == 49


def test_a_short_position_is_limited_as_a_long_one():
    _, context = market(held=-50)
    assert review(MaxPosition(notional=1_000), submit(side=Side.SELL, quantity=90), context).quantity == 50


def test_a_full_position_is_denied():
    _, context = market(held=100)
    assert isinstance(review(MaxPosition(notional=1_000), submit(quantity=1), context), Denied)


def test_the_limit_keeps_to_whole_lots():
    _, context = market(msgspec.structs.replace(LINEAR, lot_size=20))
    assert review(MaxPosition(notional=1_000), submit(quantity=200), context).quantity == 80


def test_inverse_contracts_are_worth_their_multiplier_at_any_price():
    for bid in (100_000, 700_000):
        _, context = market(INVERSE, bid=bid, ask=bid + 1)
        assert review(MaxPosition(notional=1_050), submit(quantity=50), context).quantity == 10


def test_spot_is_sold_down_to_nothing_and_not_beyond():
    _, context = market(SPOT, bid=6_000_000, ask=6_000_001, held=50, working=(-20,))
    policy = MaxPosition(notional=1)
    order = submit(side=Side.SELL, quantity=30)
    assert review(policy, order, context) is order
    verdict = review(policy, submit(side=Side.SELL, quantity=31), context)
    assert verdict.reason == (
        "BTCUSDT@binance is spot and cannot be short: sells 0.00031, holds 0.00050, already selling 0.00020"
    )


def test_a_book_without_a_price_denies():
    _, context = market(ask=0)
    assert "no price" in review(MaxPosition(notional=1_000), submit(), context).reason
    assert "no price" in review(MaxOrderNotional(notional=1_000), submit(), context).reason


@pytest.mark.parametrize("kind", ["linear", "inverse"])
@given(
    limit=st.integers(1, 100_000),
    price=st.integers(1_000, 1_000_000),
    targets=st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(1, 100_000), st.floats(0, 1)), max_size=20),
)
def test_no_sequence_of_orders_takes_the_position_beyond_the_limit(kind, limit, price, targets):
    instrument = KINDS[kind]
    policy = MaxPosition(notional=limit)
    bench, context = market(instrument, bid=price, ask=price)
    policy.start(context)
    for number, (side, quantity, share) in enumerate(targets):
        verdict = policy.review(submit(f"t{number}", side=side, quantity=quantity), context)
        if isinstance(verdict, Denied):
            continue
        bench.orders.approve(verdict)
        bench.orders.submitted(verdict.client_order_id)
        filled = int(verdict.quantity * share)  # the rest keeps working
        if filled:
            fill = OrderFilled(
                client_order_id=verdict.client_order_id,
                ts_event=1,
                price=price,
                quantity=filled,
                leaves_quantity=verdict.quantity - filled,
                liquidity_side=LiquiditySide.TAKER,
            )
            bench.orders.apply(fill)
            bench.ledgers["lane1"].apply(fill, verdict, instrument)
        position = context.position(0).quantity
        assert instrument.notional(price, position) <= limit
        for worst in (position + context.working(0, Side.BUY), position + context.working(0, Side.SELL)):
            assert instrument.notional(price, worst) <= limit


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(
    notional=st.decimals(Decimal("0.01"), Decimal(10**7), places=2),
    price=st.integers(1, 10**8),
    lot=st.integers(1, 1000),
    multiplier=st.sampled_from(["1", "0.001", "10", "100"]),
)
def test_the_room_is_the_exact_number_of_lots_within_the_notional(kind, notional, price, lot, multiplier):
    instrument = msgspec.structs.replace(KINDS[kind], lot_size=lot, multiplier=Decimal(multiplier))
    quantity = Room(float(notional)).lots(price, instrument)
    assert quantity % lot == 0
    assert instrument.notional(price, quantity) <= notional < instrument.notional(price, quantity + lot)


# max_order_notional


def test_an_order_worth_too_much_is_denied_or_made_smaller_as_configured():
    _, context = market()
    order = submit(quantity=200, price=100_000)
    verdict = review(MaxOrderNotional(notional=1_000), order, context)
    assert verdict.reason == "notional 2000.00 USDT is over 1000 (0.200 at 10000.0)"
    assert review(MaxOrderNotional(notional=1_000, over="resize"), order, context).quantity == 100
    assert isinstance(review(MaxOrderNotional(notional=5, over="resize"), order, context), Denied)


def test_exactly_the_limit_passes():
    _, context = market()
    order = submit(quantity=100, price=100_000)
    assert review(MaxOrderNotional(notional=1_000), order, context) is order


@given(quantity=st.integers(1, 10**6), notional=st.decimals(Decimal("0.01"), Decimal(10**6), places=2))
def test_a_resized_order_is_within_the_limit_and_one_lot_more_is_not(quantity, notional):
    _, context = market()
    verdict = review(
        MaxOrderNotional(notional=float(notional), over="resize"), submit(quantity=quantity, price=100_000), context
    )
    if isinstance(verdict, Denied):
        assert LINEAR.notional(100_000, 1) > notional
    else:
        assert LINEAR.notional(100_000, verdict.quantity) <= notional
        assert verdict.quantity == quantity or LINEAR.notional(100_000, verdict.quantity + 1) > notional


# price_collar


@pytest.mark.parametrize(("price", "passes"), [(100_100, True), (99_900, True), (100_200, False), (99_800, False)])
def test_a_limit_price_too_far_from_the_mid_is_denied_either_way(price, passes):
    _, context = market(bid=99_999, ask=100_001)
    verdict = review(PriceCollar(bps=15), submit(price=price), context)
    assert isinstance(verdict, Denied) is not passes
    if not passes:
        assert verdict.reason == f"price {price / 10} is 20.00 bps from the mid 10000.0, over 15"


def test_a_market_order_into_a_wide_spread_is_denied():
    _, context = market(bid=90_000, ask=110_000)
    assert "over 15" in review(PriceCollar(bps=15), submit(), context).reason


@pytest.mark.parametrize("state", [state for state in BookState if state is not BookState.LIVE])
def test_a_book_that_is_not_live_denies(state):
    bench, context = market()
    bench.books.states[0] = state
    assert state.name in review(PriceCollar(bps=15), submit(), context).reason


@pytest.mark.parametrize("side", list(Side))
def test_an_empty_side_denies(side):
    _, context = market(bid=0) if side is Side.BUY else market(ask=0)
    for order in (submit(), submit(price=100_000)):
        assert "empty side" in review(PriceCollar(bps=15), order, context).reason


# order_rate


def test_the_order_after_the_last_allowed_one_is_denied_until_the_interval_has_passed():
    bench, context = market()
    policy = OrderRate(orders=2, interval_ms=100)
    for number in range(2):
        order = submit(f"r{number}", ts_created=bench.clock.now_ns())
        assert policy.review(order, context) is order
        bench.orders.approve(order)
        bench.wait(10)
    verdict = policy.review(submit("r2"), context)
    assert verdict.reason == "2 orders in the last 100 ms, allowed 2"
    bench.wait(79.9)
    assert isinstance(policy.review(submit("r2"), context), Denied)
    bench.wait(0.1)
    assert not isinstance(policy.review(submit("r2"), context), Denied)


# stale_prediction


def with_prediction(bench, prediction):
    bench.orders.propose("o-1", prediction)
    return submit("o-1")


def test_a_fresh_prediction_passes_and_one_that_aged_on_the_way_is_denied():
    bench, context = market()
    policy = StalePrediction(max_age_ms=5)
    order = with_prediction(bench, bench.prediction(0.1, 0.1, 0.8))
    assert policy.review(order, context) is order
    bench.wait(5)
    assert policy.review(order, context) is order
    bench.wait(0.5)
    assert policy.review(order, context).reason == "the prediction of row 1 is 5.500 ms old, over 5"


def test_the_backlog_that_a_prediction_states_counts():
    bench, context = market()
    prediction = msgspec.structs.replace(bench.prediction(0.8), age_ns=7 * MS)
    assert "7.000 ms old" in StalePrediction(max_age_ms=5).review(with_prediction(bench, prediction), context).reason


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.OK])
def test_a_prediction_that_is_not_ok_is_denied(verdict):
    bench, context = market()
    order = with_prediction(bench, bench.prediction(verdict=verdict))
    assert f"is {verdict.value}, not ok" in StalePrediction(max_age_ms=1e6).review(order, context).reason


def test_an_order_without_a_prediction_is_denied_unless_the_policy_allows_it():
    _, context = market()
    assert "no prediction" in StalePrediction(max_age_ms=5).review(submit(), context).reason
    order = submit()
    assert StalePrediction(max_age_ms=5, require=False).review(order, context) is order


@pytest.mark.parametrize(
    ("policy", "settings"),
    [
        (MaxPosition, {"notional": 0}),
        (MaxPosition, {"notional": -1}),
        (MaxPosition, {}),
        (MaxPosition, {"notional": 5, "over": "ignore"}),
        (MaxOrderNotional, {"notional": "much"}),
        (PriceCollar, {"bps": 0}),
        (PriceCollar, {"bps": 20_000}),
        (OrderRate, {"orders": 0}),
        (OrderRate, {"orders": 5, "interval_ms": 0}),
        (StalePrediction, {"max_age_ms": 0}),
    ],
)
def test_settings_out_of_range_are_refused(policy, settings):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, policy)
