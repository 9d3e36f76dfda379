"""A lane on the Binance adapter in a test's event loop: real order table, ledger and journal, and waits that are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, Self

import pytest
from order_venue import ScriptedVenue
from trading_fakes import Bench

from vtframe.api import Strategy
from vtframe.builtin.binance.execution.adapter import BinanceAdapter
from vtframe.builtin.binance.known import SPOT, USDM, known_instrument
from vtframe.domain import Intent, OrderStatus, OrderType, TimeInForce
from vtframe.execution.client_order_ids import ClientOrderIds
from vtframe.journal.records import OrderReported

INSTRUMENTS = {"spot": known_instrument(SPOT, "BTCUSDT"), "usdm": known_instrument(USDM, "BTCUSDT")}
PATIENCE_S = 10.0
_TRADERS = count()


class Idle(Strategy):
    """Leaves all to the test."""

    name = "idle"

    def on_prediction(self, prediction, view):
        return None


class Trader:
    """One lane that trades one unit (0.01 BTC) at a time on ``venue``; entered, its adapter is open."""

    def __init__(self, venue: ScriptedVenue, market: str = "spot", **settings: Any) -> None:
        self.venue = venue
        settings = {"key": "env:VENUE_KEY", "secret": "env:VENUE_SECRET", "url": venue.url, "stop_timeout_s": 2.0} | settings
        self.adapter = BinanceAdapter(market=market, **settings)
        self.bench = Bench(INSTRUMENTS[market])
        self.bench.ids = ClientOrderIds(f"t{next(_TRADERS)}")  # a venue may outlive a trader, and finds orders by these names
        self.bench.depth(bids={4_999_900: 10**9}, asks={5_000_100: 10**9})
        self.lane = self.bench.lane(Idle(), self.adapter)
        self.unit = 10 ** INSTRUMENTS[market].quantity_decimals // 100

    async def __aenter__(self) -> Self:
        try:
            await self.adapter.open()
        except BaseException:
            await self.adapter.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.lane.wind_down("the test is over")
        await self.adapter.close()

    def want(self, units: float, *, price: int | None = None, tif: TimeInForce | None = None, **more: Any) -> str:
        """Pursue a position; the client order ID of the order that was sent for it."""
        before = set(self.names())
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        tif = tif or (TimeInForce.IOC if price is None else TimeInForce.GTC)
        intent = Intent(instrument=0, target=int(units * self.unit), order_type=kind, price=price, time_in_force=tif, **more)
        self.lane._act(intent)
        sent = [name for name in self.names() if name not in before]
        assert len(sent) <= 1
        return sent[0] if sent else ""

    async def want_until_sent(self, units: float) -> str:
        """Want it as a strategy does, again and again: an exit that came to nothing is sent again after a pause."""
        sent = ""

        def wanted() -> str:
            nonlocal sent
            self.bench.clock.advance(self.bench.clock.now_ns() + 10_000_000)
            sent = self.want(units)
            return sent

        await self.until(wanted, "an order")
        return sent

    def cancel(self, name: str) -> None:
        self.lane._desk.cancel(self.bench.orders[name], "test")

    def names(self) -> list[str]:
        table = self.bench.orders
        return [*table._open, *table._final]

    def status(self, name: str) -> OrderStatus:
        return self.bench.orders[name].status

    @property
    def position(self) -> float:
        """In units."""
        return self.lane.ledger.position(0).quantity / self.unit

    def events(self, name: str) -> list[str]:
        """Names of what was reported of an order, in order."""
        reported = self.bench.journal.of(OrderReported)
        return [type(one.event).__name__ for one in reported if one.event.client_order_id == name]

    def reasons(self, name: str) -> list[str]:
        reported = self.bench.journal.of(OrderReported)
        return [one.event.reason for one in reported if one.event.client_order_id == name and hasattr(one.event, "reason")]

    async def until(self, condition: Callable[[], Any], what: str = "") -> None:
        """Wait for it; never for longer than PATIENCE_S."""
        give_up = asyncio.get_running_loop().time() + PATIENCE_S
        while not condition():
            if asyncio.get_running_loop().time() > give_up:
                states = {name: self.status(name).value for name in self.names()}
                reasons = [self.reasons(one) for one in states]
                pytest.fail(f"{what or 'it'} did not come: {states}, {reasons}, failed: {self.lane.failed!r}")
            await asyncio.sleep(0.005)

    async def until_status(self, name: str, status: OrderStatus) -> None:
        await self.until(lambda: self.status(name) is status, f"{name} {status.value}")
