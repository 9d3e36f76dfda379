"""Runs a venue until it is told to stop: start-up, main loop, shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

import uvloop
from aiohttp import web

from vtframe.errors import InputError
from vtframe.venue.server import make_application, urls
from vtframe.venue.settings import Settings
from vtframe.venue.venue import Venue

_GRACE_S = 1.0
_LOOK_S = 0.5  # between two looks at whether the parent is there


def serve(settings: Settings, *, ready: Callable[[dict[str, Any]], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is told the URLs. Raises InputError where the port cannot be had."""
    uvloop.run(_serve(settings, ready))


async def _serve(settings: Settings, ready: Callable[[dict[str, Any]], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    venue = Venue(settings)
    runner = web.AppRunner(make_application(venue), access_log=None, shutdown_timeout=_GRACE_S)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port)
    try:
        await site.start()
    except OSError as e:
        await runner.cleanup()
        raise InputError(f"port {settings.port}", f"cannot listen on {settings.host}: {e.strerror}") from None
    market = loop.create_task(venue.run())
    stopping = loop.create_task(stop.wait() if settings.parent is None else _orphaned(stop, settings.parent))
    port = runner.addresses[0][1]
    ready(urls(f"http://{settings.host}:{port}"))
    try:
        await asyncio.wait((market, stopping), return_when=asyncio.FIRST_COMPLETED)
        if market.done() and not venue.clock.virtual:
            market.result()  # it failed: say why
        await stopping
    finally:
        market.cancel()
        stopping.cancel()
        for connection in list(venue.hub.connections):
            connection.close(1001)
        await runner.cleanup()


async def _orphaned(stop: asyncio.Event, parent: int) -> None:
    """Until ``stop`` is set, or the process that started this one is gone."""
    while not stop.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_S)
