"""Orders from outside stand in the simulated flow's queues by price and time; what moves conserves what there is."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtframe.domain import Side
from vtframe.venue.account import TEST_ACCOUNT, Account, AccountTable
from vtframe.venue.desk import Desk
from vtframe.venue.digits import Digits
from vtframe.venue.order import Order
from vtframe.venue.order_request import OrderRequest
from vtframe.venue.place import Place
from vtframe.venue.refusal import Refusal
from vtframe.venue.settings import Settings
from vtframe.venue.venue import Venue


class Exchange:
    """A venue without sockets, on a virtual clock."""

    def __init__(self, market: str, seed: int = 7) -> None:
        self.venue = Venue(Settings(virtual=True, seed=seed, instruments=(f"{market}:BTCUSDT",)))
        self.place: Place = self.venue.places[market, "BTCUSDT"]
        self.desk: Desk = self.venue.desks[market]
        self.account: Account = next(iter(self.venue.accounts.values()))

    def order(self, side: Side, price: int, quantity: int, *, kind: str = "LIMIT", time: str = "GTC") -> Order:
        request = OrderRequest(
            side=side,
            kind=kind,
            time_in_force=time,
            price=price,
            quantity=quantity,
            quote_quantity=Decimal(0),
            reduce_only=False,
            client_order_id="",
            response="ACK",
        )
        return self.desk.place(self.account, self.place, request, now_ns=self.venue.clock.now_ns())

    def best(self, side: Side) -> tuple[int, int]:
        return self.place.tape.book.top(side)


def test_an_order_joins_the_end_of_its_queue_and_is_published() -> None:
    exchange = Exchange("usdm")
    price, before = exchange.best(Side.BUY)
    exchange.order(Side.BUY, price, 50)
    assert exchange.best(Side.BUY) == (price, before + 50)


def test_what_stood_before_is_filled_before() -> None:
    exchange = Exchange("usdm")
    price, ahead = exchange.best(Side.BUY)
    first, second = exchange.order(Side.BUY, price, 5), exchange.order(Side.BUY, price, 5)
    exchange.order(Side.SELL, price, ahead, time="IOC")
    assert (first.filled, second.filled) == (0, 0)  # the flow's orders were there first
    exchange.order(Side.SELL, price, 5, time="IOC")
    assert (first.status, second.status) == ("FILLED", "NEW")
    exchange.order(Side.SELL, price, 5, time="IOC")
    assert second.status == "FILLED"


def test_a_better_price_is_filled_before_an_older_order() -> None:
    exchange = Exchange("usdm")
    price, ahead = exchange.best(Side.BUY)
    older, better = exchange.order(Side.BUY, price - 1, 5), exchange.order(Side.BUY, price, 5)
    exchange.order(Side.SELL, price - 1, ahead + 3, time="IOC")
    assert (older.filled, better.filled) == (0, 3)
    assert better.fills[-1].price == price


def test_the_flow_fills_a_resting_order_in_its_turn() -> None:
    exchange = Exchange("usdm")
    price, _ = exchange.best(Side.BUY)
    order = exchange.order(Side.BUY, price, 5)
    for _ in range(2000):
        exchange.venue.move(100_000_000)
        if not order.is_open:
            break
    assert order.status == "FILLED"
    assert {(fill.price, fill.maker) for fill in order.fills} == {(price, True)}


Moves = st.lists(
    st.tuples(
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(-30, 30),
        st.integers(1, 400),
        st.sampled_from(["GTC", "IOC", "FOK", "MARKET", "CANCEL", "WAIT"]),
    ),
    max_size=25,
)


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_balances_conserve_and_orders_add_up(market: str) -> None:
    exchange = Exchange(market)

    @settings(max_examples=25, deadline=None)
    @given(moves=Moves)
    def conserved(moves: list[tuple[Side, int, int, str]]) -> None:
        exchange.account = exchange.venue.add_account(_fresh(exchange))
        placed: list[Order] = []
        refused: set[int] = set()
        for side, distance, quantity, what in moves:
            if what == "WAIT":
                exchange.venue.move(quantity * 1_000_000)
            elif what == "CANCEL":
                for order in exchange.desk.open_orders(exchange.account):
                    exchange.desk.cancel(order, exchange.place, now_ns=exchange.venue.clock.now_ns())
            else:
                price = 0 if what == "MARKET" else exchange.place.tape.last_price + distance
                kind, time = ("MARKET", "GTC") if what == "MARKET" else ("LIMIT", what)
                try:
                    placed.append(exchange.order(side, price, quantity, kind=kind, time=time))
                except Refusal as refusal:
                    refused.add(refusal.code)
            _check(exchange, placed)
        assert refused <= {-1013, -2010, -4164, -2019}  # too small, or no funds

    conserved()


def _fresh(exchange: Exchange) -> AccountTable:
    number = len(exchange.venue.accounts)
    return msgspec.structs.replace(TEST_ACCOUNT, name=f"n{number}", api_key=f"k{number}")


def _check(exchange: Exchange, orders: list[Order]) -> None:
    """Every order's fills add up to it; what the account has is what it began with, plus and minus its fills."""
    account, listing = exchange.account, exchange.place.listing
    base, quote, locked = Decimal(0), Decimal(0), {listing.base: Decimal(0), listing.quote: Decimal(0)}
    lots = 0
    for order in orders:
        assert sum(fill.quantity for fill in order.fills) == order.filled <= order.quantity
        assert order.is_open == (order in exchange.desk.open_orders(account))
        assert (order.status == "FILLED") == (order.leaves == 0)
        if order.locked_asset:
            locked[order.locked_asset] += order.locked
            assert order.is_open or not order.locked
        for fill in order.fills:
            assert order.kind == "MARKET" or (order.price - fill.price) * order.side >= 0
            amount, cost = listing.amount(fill.quantity), listing.notional(fill.price, fill.quantity)
            lots += order.side * fill.quantity
            base += order.side * amount
            quote -= order.side * cost
            if fill.commission_asset == listing.base:
                base -= fill.commission
            else:
                quote -= fill.commission
    if listing.market == "spot":
        wallet = account.wallet
        assert {asset: wallet.locked.get(asset, Decimal(0)) for asset in locked} == locked
        assert wallet.free[listing.base] + locked[listing.base] == TEST_ACCOUNT.spot[listing.base] + base
        assert wallet.free[listing.quote] + locked[listing.quote] == TEST_ACCOUNT.spot[listing.quote] + quote
        assert all(amount >= 0 for amount in (*wallet.free.values(), *wallet.locked.values()))
    else:
        position = account.margin.position(listing)
        assert position.lots == lots
        balance = account.margin.balances[listing.quote]
        assert balance == pytest.approx(TEST_ACCOUNT.usdm[listing.quote] + quote + position.cost, abs=Decimal("1e-15"))


@given(decimals=st.integers(0, 8), step=st.integers(1, 1000), steps=st.integers(0, 10**9))
def test_a_number_reads_back_as_it_was_printed(decimals: int, step: int, steps: int) -> None:
    digits = Digits(decimals, step)
    assert digits.parse(digits.text(steps)) == steps
    assert Decimal(digits.text(steps)) == Decimal(steps * step).scaleb(-decimals)
