"""The ledger against cash-flow accounting in exact fractions, for every kind of instrument."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_fakes import INVERSE, KINDS, LINEAR, SPOT, submit

from vtframe.domain import InstrumentKind, LiquiditySide, OrderFilled, Side
from vtframe.portfolio.ledger import Ledger

fills = st.lists(
    st.tuples(st.sampled_from(list(Side)), st.integers(1, 10**7), st.integers(1, 10**6), st.sampled_from(list(LiquiditySide))),
    min_size=1,
    max_size=25,
)


def fill(price, quantity, liquidity=LiquiditySide.TAKER, ts=1):
    return OrderFilled(
        client_order_id="o", ts_event=ts, price=price, quantity=quantity, leaves_quantity=0, liquidity_side=liquidity
    )


def book(ledger, instrument, trades, index=0):
    return [
        ledger.apply(fill(price, quantity, liquidity), submit(side=side, quantity=quantity, instrument=index), instrument)
        for side, price, quantity, liquidity in trades
    ]


def units(instrument, price, quantity):
    return Fraction(price, 10**instrument.price_decimals), Fraction(quantity, 10**instrument.quantity_decimals) * Fraction(
        instrument.multiplier
    )


def cash_flow(instrument, trades, mark):
    """Total profit by cash flows alone: what was paid and received, and what the rest is worth. No average price in it."""
    total = Fraction(0)
    held = 0
    for side, price, quantity, _ in trades:
        p, q = units(instrument, price, quantity)
        total += side * q / p if instrument.kind is InstrumentKind.INVERSE else -side * q * p
        held += side * quantity
    p, q = units(instrument, mark, held)
    return total + (-q / p if instrument.kind is InstrumentKind.INVERSE else q * p)


@pytest.mark.parametrize("kind", KINDS)
@given(trades=fills, mark=st.integers(1, 10**7))
def test_realized_plus_unrealized_is_the_cash_flow(kind, trades, mark):
    instrument = KINDS[kind]
    ledger = Ledger()
    results = book(ledger, instrument, trades)
    got = sum(Fraction(result.realized) for result in results) + Fraction(ledger.unrealized(0, mark))
    error = abs(got - cash_flow(instrument, trades, mark))
    # spot and linear are exact; an inverse value is a quotient, rounded to 1e-18 for each fill
    assert error == 0 if instrument.kind is not InstrumentKind.INVERSE else error < Fraction(len(trades) + 1, 10**18)


@pytest.mark.parametrize("kind", KINDS)
@given(trades=fills, data=st.data())
def test_the_order_of_fills_does_not_matter_once_the_position_is_closed(kind, trades, data):
    instrument = KINDS[kind]
    held = sum(side * quantity for side, _, quantity, _ in trades)
    if held:
        trades = [*trades, (Side.SELL if held > 0 else Side.BUY, 500_000, abs(held), LiquiditySide.TAKER)]
    shuffled = data.draw(st.permutations(trades))
    realized = []
    for order in (trades, shuffled):
        ledger = Ledger()
        results = book(ledger, instrument, order)
        assert ledger.position(0).quantity == 0
        assert ledger.position(0).average_price == 0
        realized.append((sum(result.realized for result in results), sum(result.fee for result in results)))
    assert realized[0] == realized[1]


@pytest.mark.parametrize("kind", KINDS)
@given(
    entry=st.integers(1, 10**7),
    leave=st.integers(1, 10**7),
    quantity=st.integers(1, 10**6),
    side=st.sampled_from(list(Side)),
)
def test_a_round_trip_earns_what_the_instrument_says(kind, entry, leave, quantity, side):
    instrument = KINDS[kind]
    ledger = Ledger()
    trades = [(side, entry, quantity, LiquiditySide.TAKER), (Side(-side), leave, quantity, LiquiditySide.TAKER)]
    realized = book(ledger, instrument, trades)[1].realized
    stated = instrument.profit(instrument.price(entry), instrument.price(leave), side * quantity)
    assert realized == pytest.approx(stated, rel=Decimal("1e-14"), abs=Decimal("1e-14"))


def test_a_flip_realizes_the_old_position_and_opens_the_new_one_at_the_fill():
    ledger = Ledger()
    order = submit(side=Side.BUY, quantity=100)
    ledger.apply(fill(1_000, 100, ts=5), order, LINEAR)
    result = ledger.apply(fill(1_100, 150, ts=9), submit(side=Side.SELL, quantity=150), LINEAR)
    assert result.realized == Decimal("0.1") * 10  # 0.100 BTC x (110.0 - 100.0)
    assert result.position.quantity == -50
    assert result.position.average_price == Decimal("110.0")
    assert result.position.opened_at == 9
    assert ledger.unrealized(0, 1_000) == Decimal("0.05") * 10


def test_a_partial_close_keeps_average_price_and_opening_time():
    ledger = Ledger()
    ledger.apply(fill(1_000, 30, ts=5), submit(side=Side.BUY), LINEAR)
    ledger.apply(fill(2_000, 60, ts=6), submit(side=Side.BUY), LINEAR)
    before = ledger.position(0)
    assert before.average_price == Decimal("166.666666666666666667")
    after = ledger.apply(fill(3_000, 45, ts=7), submit(side=Side.SELL), LINEAR).position
    assert (after.quantity, after.opened_at) == (45, 5)
    assert after.average_price == pytest.approx(before.average_price, abs=Decimal("1e-15"))


def test_an_inverse_position_averages_harmonically_and_settles_in_the_coin():
    ledger = Ledger()
    ledger.apply(fill(200_000, 1), submit(side=Side.BUY), INVERSE)
    result = ledger.apply(fill(500_000, 1), submit(side=Side.BUY), INVERSE)
    assert result.currency == "BTC"
    assert float(result.position.average_price) == pytest.approx(2 / (1 / 20_000 + 1 / 50_000))
    assert result.fee == Decimal(100) / 50_000 * INVERSE.taker_fee


def test_fees_follow_the_liquidity_side():
    ledger = Ledger()
    taken = ledger.apply(fill(100_000, 1_000), submit(side=Side.BUY), LINEAR)
    made = ledger.apply(fill(100_000, 1_000, LiquiditySide.MAKER), submit(side=Side.BUY), LINEAR)
    assert taken.fee == Decimal(10_000) * LINEAR.taker_fee
    assert made.fee == Decimal(10_000) * LINEAR.maker_fee
    assert taken.realized == made.realized == 0


def test_currencies_are_kept_apart():
    ledger = Ledger()
    spot = book(ledger, SPOT, [(Side.BUY, 6_000_000, 10, LiquiditySide.TAKER)], index=0)
    inverse = book(ledger, INVERSE, [(Side.BUY, 600_000, 10, LiquiditySide.TAKER)], index=1)
    assert [result.currency for result in (*spot, *inverse)] == ["USDT", "BTC"]
    assert set(ledger.open_positions()) == {0, 1}
    assert ledger.position(7).quantity == 0
    assert ledger.unrealized(7, 1) == 0


def test_an_average_price_is_written_plainly():
    ledger = Ledger()
    position = ledger.apply(fill(600_000, 7), submit(side=Side.BUY), LINEAR).position
    assert str(position.average_price) == "60000"


@pytest.mark.parametrize(("price", "quantity"), [(0, 1), (-5, 1), (5, 0), (5, -1)])
def test_a_fill_without_price_or_quantity_is_refused(price, quantity):
    with pytest.raises(ValueError, match="must be positive"):
        Ledger().apply(fill(price, quantity), submit(), LINEAR)


def test_a_fee_that_the_venue_states_is_the_fee_in_its_currency():
    order = submit(side=Side.BUY)
    charged = msgspec.structs.replace(fill(100_000, 1_000), fee="0.00012345", fee_currency="BNB")
    result = Ledger().apply(charged, order, LINEAR)
    assert (result.fee, result.fee_currency, result.currency) == (Decimal("0.00012345"), "BNB", "USDT")
    silent = Ledger().apply(fill(100_000, 1_000), order, LINEAR)
    assert (silent.fee_currency, silent.currency) == ("USDT", "USDT")


@pytest.mark.parametrize("fee", ["much", "nan", "Infinity"])
def test_a_fee_that_is_no_number_is_refused_and_changes_nothing(fee):
    ledger = Ledger()
    with pytest.raises(ValueError, match="fee"):
        ledger.apply(msgspec.structs.replace(fill(100_000, 1_000), fee=fee, fee_currency="BNB"), submit(side=Side.BUY), LINEAR)
    assert ledger.position(0).quantity == 0
