"""HTTP and WebSocket on one port: which path goes where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web

from vtframe.venue.control import add_control
from vtframe.venue.refusal import Refusal
from vtframe.venue.rest_market import PUBLIC, Asked
from vtframe.venue.stream_socket import serve_streams
from vtframe.venue.venue import Venue

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REST = {"spot": ("/api/v3",), "usdm": ("/fapi/v1", "/fapi/v2", "/fapi/v3"), "coinm": ("/dapi/v1", "/dapi/v2")}


def make_application(venue: Venue) -> web.Application:
    """Every path of the venue."""
    application = web.Application(client_max_size=64 * 1024)
    for market, prefixes in REST.items():
        for name, answer in PUBLIC.items():
            application.router.add_get(f"{prefixes[0]}/{name}", _public(venue, market, answer))
    for market, routes in venue.routes.items():
        for route in routes:
            base = f"/{market}/{route}" if route else f"/{market}"
            handler: Handler = partial(_streams, venue, market, route)
            application.router.add_get(f"{base}/ws", handler)
            application.router.add_get(f"{base}/ws/{{names:.*}}", handler)
            application.router.add_get(f"{base}/stream", handler)
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


def _public(venue: Venue, market: str, answer: Callable[[Asked], bytes]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            body, status = answer(Asked(venue, market, request.query)), 200
        except Refusal as refusal:
            body, status = refusal.body(), refusal.status
        venue.hub.flush()
        return web.Response(body=body, status=status, content_type="application/json")

    return handle


async def _streams(venue: Venue, market: str, route: str, request: web.Request) -> web.StreamResponse:
    return await serve_streams(venue, request, market=market, route=route)
