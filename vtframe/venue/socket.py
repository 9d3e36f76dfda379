"""A WebSocket of a client, from upgrade to end: pings, the limit on messages in, the venue's own limit on its age."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

from aiohttp import WSMsgType, web

from vtframe.venue.connection import Connection
from vtframe.venue.frame import PING, PONG, frame
from vtframe.venue.venue import Venue

_MESSAGE_LIMIT = 64 * 1024  # bytes that a client may send at once


class Socket:
    """``async with``: the connection is known to the hub while it lasts."""

    def __init__(self, venue: Venue, request: web.Request, *, market: str, combined: bool = False) -> None:
        self._market = market
        self.response = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=_MESSAGE_LIMIT)
        self._venue = venue
        self._request = request
        self._combined = combined

    async def __aenter__(self) -> Self:
        try:
            await self.response.prepare(self._request)
        except ConnectionError:
            raise _left() from None
        transport = self._request.transport
        if transport is None:
            raise _left()
        self.connection = Connection(
            transport,
            market=self._market,
            path=self._request.path_qs,
            combined=self._combined,
            limit=self._venue.settings.buffer_bytes,
        )
        self._venue.hub.connections.add(self.connection)
        self._loop = asyncio.get_running_loop()
        self._pong_at = self._loop.time()
        self._keeper = self._loop.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.cancel()
        self._venue.hub.forget(self.connection)
        self.connection.closed = True

    async def messages(self, *, rate: int) -> AsyncIterator[tuple[WSMsgType, Any]]:
        """Text and binary messages; a client that sends more than ``rate`` frames in a second is thrown out."""
        second, count = 0, 0
        async for message in self.response:
            now = int(self._loop.time())
            second, count = (now, 1) if now != second else (second, count + 1)
            if self.connection.deaf:
                continue
            if count > rate:
                self.connection.close(1008, "Too many requests")
                return
            if message.type == WSMsgType.PING:
                self.connection.send_frame(frame(bytes(message.data), PONG))
            elif message.type == WSMsgType.PONG:
                self._pong_at = self._loop.time()
            else:
                yield message.type, message.data
            if self.connection.closed:
                return

    async def _keep(self) -> None:
        """Ping, and end what does not answer or is too old."""
        settings = self._venue.settings
        opened = self._loop.time()
        ends = opened + settings.connection_hours * 3600
        while not self.connection.closed:
            wait = min(settings.ping_s, max(0.0, ends - self._loop.time()))
            await asyncio.sleep(wait)
            now = self._loop.time()
            if now >= ends:
                self.connection.close(1001, "24h")
            elif self.connection.deaf:
                continue
            elif now - self._pong_at > settings.pong_s:
                self.connection.abort()
            else:
                self.connection.send_frame(frame(str(self._venue.clock.now_ns() // 1_000_000).encode(), PING))


def _left() -> web.HTTPException:
    """The client has gone during the upgrade: an answer that nobody hears, and nothing to be told of the venue."""
    return web.HTTPServiceUnavailable()
