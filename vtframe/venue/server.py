"""HTTP and WebSocket on one port: which path goes where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web

from vtframe.venue.control import add_control
from vtframe.venue.operations import MARKET_OF, REST
from vtframe.venue.rest import serve_rest
from vtframe.venue.stream_socket import serve_streams
from vtframe.venue.venue import Venue
from vtframe.venue.ws_api import serve_api

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_application(venue: Venue) -> web.Application:
    """Every path of the venue."""
    application = web.Application(client_max_size=64 * 1024)
    add = application.router.add_route
    for base, operations in REST.items():
        for (method, path), operation in operations.items():
            add(method, f"{base}/{path}", partial(serve_rest, venue, MARKET_OF[base], operation))
    for market, routes in venue.routes.items():
        for route in routes:
            base = f"/{market}/{route}" if route else f"/{market}"
            handler: Handler = partial(serve_streams, venue, market, route)
            for path in ("ws", "ws/{names:.*}", "stream"):
                add("GET", f"{base}/{path}", handler)
    add("GET", "/spot/ws-api/v3", partial(serve_api, venue, "spot"))
    add("GET", "/usdm/ws-fapi/v1", partial(serve_api, venue, "usdm"))
    add_control(application, venue)
    return application


def urls(base: str) -> dict[str, Any]:
    """Where everything is, as ``--print-url`` prints it."""
    socket = base.replace("http", "ws", 1)
    return {
        "url": base,
        "spot": {"rest": base, "stream": f"{socket}/spot", "ws_api": f"{socket}/spot/ws-api/v3"},
        "usdm": {
            "rest": base,
            "public": f"{socket}/usdm/public",
            "market": f"{socket}/usdm/market",
            "private": f"{socket}/usdm/private",
            "ws_api": f"{socket}/usdm/ws-fapi/v1",
        },
        "coinm": {"rest": base, "stream": f"{socket}/coinm"},
        "control": f"{base}/venue",
    }
