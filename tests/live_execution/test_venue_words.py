"""What a venue says is written down in part where it says very much, and never with a secret in it, whole or cut."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from order_venue import KEY, SECRET, ScriptedVenue
from trading import Trader

from vtframe.api import VtframeError
from vtframe.domain import OrderStatus

WORDS = "x" * 250 + SECRET + KEY + "y" * 900_000
"""A cut at 256 characters would leave the beginning of a secret."""


def trading(scenario: Callable[[ScriptedVenue, Trader], Awaitable[None]]) -> None:
    async def play() -> None:
        async with ScriptedVenue() as venue, Trader(venue, "usdm", ack_timeout_ms=100) as trader:
            await scenario(venue, trader)

    asyncio.run(play())


@pytest.mark.parametrize(("code", "event"), [(-2010, "OrderRejected"), (-1006, "OrderLost")])
def test_a_refusal_is_journalled_with_the_beginning_of_its_words(code: int, event: str) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def talk(socket: Any, request_id: Any, params: Any) -> bool:
            await venue.refuse(socket, request_id, code, WORDS)
            return False

        venue.before_place = talk
        name = trader.want(1)
        await trader.until(lambda: trader.events(name)[:1] == [event], event)
        reason = trader.reasons(name)[0]
        assert len(reason) <= len("-2010: ") + 256
        assert reason.endswith("x" * 250 + "******")

    trading(scenario)


def test_what_is_logged_and_raised_of_it_is_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    class Talking(ScriptedVenue):
        async def _rest(self, request: web.Request) -> web.Response:
            if request.path.endswith("/account"):
                return web.json_response({"code": -2015, "msg": WORDS}, status=401)
            return await super()._rest(request)

    async def scenario(venue: ScriptedVenue, trader: Trader) -> None:
        async def refuse(socket: Any, request_id: Any, order: Any) -> None:
            await venue.refuse(socket, request_id, -2011, WORDS)
            await venue.refuse(socket, request_id, -1100, WORDS)

        venue.on_cancel = refuse
        name = trader.want(1, price=4_990_000)
        await trader.until_status(name, OrderStatus.ACCEPTED)
        trader.cancel(name)
        await trader.until(lambda: "was refused" in caplog.text, "the refusal")
        venue.on_cancel = venue.cancel_at_once
        trader.cancel(name)
        await trader.until_status(name, OrderStatus.CANCELED)

    async def start() -> str:
        async with Talking() as venue:
            trader = Trader(venue, "usdm")
            with pytest.raises(VtframeError) as caught:
                await trader.adapter.open()
            await trader.adapter.close()
            return str(caught.value)

    with caplog.at_level(logging.INFO, "vtframe.execution"):
        trading(scenario)
    assert all(len(line) < 500 for line in caplog.messages)
    assert SECRET[:6] not in caplog.text
    told = asyncio.run(start())
    assert len(told) < 500
    assert SECRET[:6] not in told
