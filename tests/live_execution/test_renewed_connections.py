"""Connections are replaced before the venue ends them, with orders on their way: none is lost, doubled or unheard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from embedded import KEY, SECRET, accounts_file, embedded_venue
from order_venue import ScriptedVenue
from trading import Trader

from vtframe.domain import OrderStatus
from vtframe.journal.records import EntriesChanged, OrderApproved, OrderReported

S = OrderStatus
MARKETS = pytest.mark.parametrize("market", ["spot", "usdm"])
RENEW_S = 0.4


def trading(scenario: Callable[[ScriptedVenue, Trader], Awaitable[None]], market: str, **settings: Any) -> None:
    async def play() -> None:
        async with ScriptedVenue() as venue, Trader(venue, market, **{"renew_s": RENEW_S, **settings}) as trader:
            await scenario(venue, trader)
            assert not trader.lane.failed
            placed = [params["newClientOrderId"] for method, params in venue.seen if method == "order.place"]
            assert len(placed) == len(set(placed)), "an order was sent twice"
            assert venue.refusals == []

    asyncio.run(play())


def renewals(trader: Trader) -> int:
    """Of the connection for orders."""
    return int(trader.adapter._link._orders.renewals)


def before_the_change(trader: Trader, act: Callable[[], Awaitable[None]]) -> None:
    """Have something done when a successor is ready, and not yet in use."""
    entry = trader.adapter._link._entry
    begin = entry._begin

    async def begin_and_act(api: Any) -> None:
        await begin(api)
        await act()

    entry._begin = begin_and_act


@MARKETS
def test_an_answer_that_is_due_on_the_old_connection_is_waited_for_there(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        kept: list[Any] = []

        async def keep(*answer: Any) -> None:
            kept.append(answer)

        venue.on_place = venue.on_cancel = keep
        name = trader.want(1, price=4_990_000)
        await trader.until(lambda: kept, "the order at the venue")
        old = venue.sockets[0]
        await trader.until(lambda: len(venue.sockets) > 1 and trader.adapter._link._api.is_open, "a second connection")
        await trader.until(lambda: renewals(trader), "the change")
        await asyncio.sleep(1.2)  # longer than it lingers for nothing
        assert kept[0][0] is old
        assert not old.closed
        assert trader.status(name) is not S.UNKNOWN
        await venue.acknowledge(*kept[0])
        await venue.tell(venue.orders[name], "NEW")  # or its silence would be looked into
        await trader.until_status(name, S.ACCEPTED)
        assert trader.events(name) == ["OrderAccepted"]
        trader.cancel(name)
        await trader.until(lambda: len(kept) > 1, "the cancel at the venue")
        assert kept[1][0] is not old
        await venue.cancel_at_once(*kept[1])
        await trader.until_status(name, S.CANCELED)
        await trader.until(lambda: old.closed, "the end of the old connection")
        assert trader.bench.journal.of(EntriesChanged) == []
        assert trader.adapter.report()["reconnects"] == 0

    trading(scenario, market, ack_timeout_ms=5_000)


@MARKETS
def test_an_answer_that_never_comes_on_the_old_connection_is_asked_for_on_the_new_one(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def silent(*answer: Any) -> None:
            """The venue has the order, and says nothing."""

        venue.on_place = silent
        name = trader.want(1, price=4_990_000)
        await trader.until(lambda: renewals(trader), "the change")
        assert trader.status(name) is S.SUBMITTED
        await trader.until_status(name, S.ACCEPTED)
        assert trader.events(name) == ["OrderLost", "OrderAccepted"]

    trading(scenario, market, ack_timeout_ms=1_000)


@MARKETS
def test_what_both_connections_tell_of_a_fill_counts_once(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, S.ACCEPTED)
        await trader.until(lambda: len(venue.user_data) > 1, "user data on two connections")
        order = venue.orders[name]
        await venue.tell(order, "TRADE", venue.trade(order, "0.004", maker=True))
        await venue.tell(order, "TRADE", venue.trade(order, "0.006", maker=True))
        await trader.until_status(name, S.FILLED)
        await trader.until(lambda: trader.adapter.report()["repeated"] >= 1, "the copies")
        assert trader.position == 1
        assert trader.events(name).count("OrderFilled") == 2

    trading(scenario, market)


@MARKETS
def test_a_connection_that_cannot_be_replaced_works_on_and_is_tried_again(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        venue.refuse_connections = True  # to the WebSocket API
        await asyncio.sleep(3 * RENEW_S)
        assert renewals(trader) == 0
        await trader.until_status(trader.want(1), S.FILLED)
        venue.refuse_connections = False
        await trader.until(lambda: renewals(trader), "the change")
        await trader.until_status(trader.want(2), S.FILLED)
        assert trader.bench.journal.of(EntriesChanged) == []

    trading(scenario, market)


@MARKETS
def test_a_connection_that_ends_while_its_successor_is_made_ready_is_a_loss_that_the_successor_mends(market: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def end_the_first() -> None:
            (first, _) = venue.sockets
            assert first._req is not None
            assert first._req.transport is not None
            first._req.transport.abort()
            await trader.until(lambda: not trader.lane.view.trading_available, "the loss")

        before_the_change(trader, end_the_first)
        await trader.until(lambda: renewals(trader), "the change")
        await trader.until(lambda: trader.lane.view.trading_available, "entries")
        await trader.until_status(trader.want(1), S.FILLED)
        assert trader.adapter.report()["reconnects"] == 0

    trading(scenario, market, renew_s=1.0)


def venue_of(folder: Path, *, seconds: float, public_key: str = "") -> tuple[str, str]:
    """Options of a venue that ends connections after so long."""
    path = accounts_file(folder, public_key) if public_key else folder / "venue.toml"
    more = path.read_text() if public_key else ""
    path.write_text(f"connection_hours = {seconds / 3600}\n{more}")
    return "--config", str(path)


@pytest.mark.parametrize("key", ["hmac", "ed25519"])
@MARKETS
def test_orders_go_on_through_every_change_at_a_venue_that_ends_old_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, market: str, key: str
) -> None:
    """Connections live for 2 s there, and are replaced at 1 s: with orders on their way all the time, no loss is told."""
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)
    public = ""
    if key == "ed25519":
        private = Ed25519PrivateKey.generate()
        monkeypatch.setenv("VENUE_SECRET", private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    async def play(url: Any) -> tuple[int, Decimal]:
        async with Trader(url, market, renew_s=1.0) as trader:
            on_the_way, ends = [], asyncio.get_running_loop().time() + 6

            async def order() -> None:
                if not trader.lane.working_orders():
                    on_the_way.append(trader.want(1 - trader.position))

            before_the_change(trader, order)
            while asyncio.get_running_loop().time() < ends:
                if not trader.lane.working_orders():
                    trader.want(1 - trader.position)
                    await trader.until(lambda: not trader.lane.working_orders(), "the end of an order")
                await asyncio.sleep(0.1)  # the venue takes a hundred in ten seconds
            assert len(on_the_way) >= 3
            assert {trader.status(name) for name in on_the_way} == {S.FILLED}
            report = trader.adapter.report()
            assert report["reconnects"] == 0
            assert report["renewals"] >= (4 if market == "spot" else 8)
            assert trader.bench.journal.of(EntriesChanged) == []
            events = [type(one.event).__name__ for one in trader.bench.journal.of(OrderReported)]
            assert "OrderLost" not in events
            assert "OrderRejected" not in events
            fees = sum(Decimal(one.fee) for one in trader.bench.journal.of(OrderReported) if one.fee_currency == "BTC")
            assert not trader.lane.failed
            return len(trader.bench.journal.of(OrderApproved)), Decimal(str(trader.position)) / 100 - fees

    with embedded_venue(*venue_of(tmp_path, seconds=2, public_key=public)) as own:
        before = own.position() if market == "usdm" else own.balance("BTC")
        sent, held = asyncio.run(play(own))
        assert sent > 20
        path = {"spot": "/api/v3/allOrders", "usdm": "/fapi/v1/allOrders"}[market]
        orders = own.ask(path, signed=True, symbol="BTCUSDT", limit=1000)
        assert len(orders) == sent
        assert (own.position() if market == "usdm" else own.balance("BTC")) - before == held
