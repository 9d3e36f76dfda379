"""Market streams over WebSocket: names in the URL, and SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS with ids."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from vtframe.venue.connection import Connection
from vtframe.venue.hub import Hub
from vtframe.venue.socket import Socket
from vtframe.venue.stream import parse_stream
from vtframe.venue.venue import Venue

STREAMS_LIMIT = 1024
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_ID = re.compile(r"[A-Za-z0-9-_]{1,36}", re.ASCII)


class _Invalid(Exception):  # noqa: N818 - what the client sent
    def __init__(self, code: int, message: str, request_id: object = None) -> None:
        self.code, self.message, self.request_id = code, message, request_id
        super().__init__(message)


class StreamSocket:
    """One client's subscriptions on one route of one market."""

    def __init__(self, venue: Venue, connection: Connection, market: str, route: str) -> None:
        self._hub: Hub = venue.hub
        self._connection = connection
        self._market = market
        self._loaded = venue.load is not None
        self._kinds = venue.routes[market][route]
        self._listen_keys = venue.listen_keys.get(market) if route == "private" else None

    def subscribe(self, name: str) -> None:
        """Hear ``name``; a stream of another route, or none at all, stays silent."""
        if name in self._connection.streams:
            return
        self._connection.streams.append(name)
        stream = parse_stream(self._market, name)
        is_key = self._listen_keys is not None and self._listen_keys.knows(name)
        if is_key or (stream is not None and stream.kind in self._kinds):
            self._connection.heard.append(name)
            if is_key or not self._loaded:
                self._hub.subscribe(self._connection, self._market, name)

    def unsubscribe(self, name: str) -> None:
        if name in self._connection.streams:
            self._connection.streams.remove(name)
            if name in self._connection.heard:
                self._connection.heard.remove(name)
            self._hub.unsubscribe(self._connection, self._market, name)

    def answer(self, text: str) -> bytes:
        """What the venue says to a request."""
        try:
            request_id, result = self._obey(text)
        except _Invalid as e:
            answer: dict[str, Any] = {"error": {"code": e.code, "msg": e.message}}
            if e.request_id is not None:
                answer["id"] = e.request_id
            return msgspec.json.encode(answer)
        return msgspec.json.encode({"result": result, "id": request_id})

    def _obey(self, text: str) -> tuple[object, object]:
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            raise _Invalid(3, "Invalid JSON: expected value at line 1 column 1") from None
        if not isinstance(request, dict):
            raise _Invalid(2, "Invalid request: expected an object at line 1 column 1")
        method, request_id = request.get("method"), request.get("id")
        if not _is_id(request_id):
            raise _Invalid(2, "Invalid request: request ID must be an unsigned integer")
        if method is None:
            raise _Invalid(2, "Invalid request: missing field `method` at line 1 column 1", request_id)
        if method not in _METHODS:
            expected = ", ".join(f"`{name}`" for name in _METHODS)
            raise _Invalid(2, f"Invalid request: unknown variant `{method}`, expected one of {expected}", request_id)
        if method == "LIST_SUBSCRIPTIONS":
            return request_id, list(self._connection.streams)
        parameters = request.get("params")
        if not isinstance(parameters, list):
            raise _Invalid(2, "Invalid request: missing field `params` at line 1 column 1", request_id)
        if method in {"SET_PROPERTY", "GET_PROPERTY"}:
            return request_id, self._property(method, parameters, request_id)
        if not all(isinstance(name, str) for name in parameters):
            raise _Invalid(2, "Invalid request: stream name must be a string", request_id)
        if method == "SUBSCRIBE" and len({*self._connection.streams, *parameters}) > STREAMS_LIMIT:
            raise _Invalid(2, "Invalid request: too many parameters", request_id)
        for name in parameters:
            if method == "SUBSCRIBE":
                self.subscribe(name)
            else:
                self.unsubscribe(name)
        return request_id, None

    def _property(self, method: str, parameters: list[Any], request_id: object) -> object:
        if not parameters or parameters[0] != "combined":
            raise _Invalid(0, "Unknown property", request_id)
        if method == "GET_PROPERTY":
            return self._connection.combined
        if len(parameters) != 2 or not isinstance(parameters[1], bool):
            raise _Invalid(1, "Invalid value type: expected Boolean", request_id)
        self._connection.combined = parameters[1]
        return None


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return _ID.fullmatch(value) is not None
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64)


async def serve_streams(venue: Venue, market: str, route: str, request: web.Request) -> web.StreamResponse:
    """From the upgrade to the end of the connection."""
    combined = request.path.rstrip("/").endswith("/stream")
    names = request.query.get("streams", "") if combined else request.match_info.get("names", "")
    chosen = [name for name in (*names.split("/"), request.query.get("listenKey", "")) if name]
    if len(chosen) > STREAMS_LIMIT:
        raise web.HTTPBadRequest(text="too many streams")
    async with Socket(venue, request, market=market, combined=combined) as socket:
        streams = StreamSocket(venue, socket.connection, market, route)
        for name in chosen:
            streams.subscribe(name)
        load = asyncio.ensure_future(venue.load.feed(socket.connection)) if venue.load is not None else None
        async for kind, data in socket.messages(rate=5 if market == "spot" else 10):
            if kind == WSMsgType.TEXT:
                socket.connection.send_text(streams.answer(data))
        if load is not None:
            load.cancel()
    return socket.response
