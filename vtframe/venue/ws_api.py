"""The WebSocket API: requests with ids, signed one by one or on a session that logged on with Ed25519; user data of spot."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from vtframe.venue.account import Account
from vtframe.venue.asked import Asked, Operation, Security
from vtframe.venue.authorize import check_signature, check_time, known_account, sorted_payload
from vtframe.venue.connection import Connection
from vtframe.venue.faults import AnswerLost
from vtframe.venue.operations import API
from vtframe.venue.refusal import Refusal
from vtframe.venue.socket import Socket
from vtframe.venue.venue import Venue

_RATE = 400  # messages in a second, from one client


class _Request(msgspec.Struct):
    id: int | str | None
    method: str
    params: dict[str, msgspec.Raw] = {}


class ApiSession:
    """One client's connection to the WebSocket API of one market."""

    def __init__(self, venue: Venue, connection: Connection, market: str) -> None:
        self._venue = venue
        self._connection = connection
        self._market = market
        self._opened_ms = venue.own_ms()
        self._account: Account | None = None  # logged on
        self._since_ms: int | None = None
        self._subscriptions: dict[int, Account] = {}
        self._next = 0
        self._own: dict[str, Callable[[Asked], Any]] = {
            "session.logon": self._logon,
            "session.status": self._status,
            "session.logout": self._logout,
        }
        if market == "spot":
            self._own |= {
                "userDataStream.subscribe": self._subscribe,
                "userDataStream.subscribe.signature": self._subscribe_signed,
                "userDataStream.unsubscribe": self._unsubscribe,
                "session.subscriptions": self._list_subscriptions,
            }

    async def answer(self, text: str | bytes) -> None:
        """Answer one message, unless the answer is lost."""
        try:
            request = msgspec.json.decode(text, type=_Request)
        except (msgspec.DecodeError, RecursionError):
            error = {"code": -1135, "msg": "Invalid JSON Request"}
            self._connection.send_text(msgspec.json.encode({"id": None, "status": 400, "error": error}))
            return
        limiter, account, status = self._venue.limiters[self._market], None, 200
        body: dict[str, Any]
        name = ""
        try:
            asked = Asked(self._venue, self._market, {key: _text(raw) for key, raw in request.params.items()})
            operation = self._operation(request.method)
            name = operation.name
            limiter.spend(operation.weigh(asked), self._venue.own_ms())
            account = self._authorize(asked, operation)
            if operation.is_order and account is not None:
                limiter.count_order(account.name, self._venue.own_ms())
            await self._venue.faults.before(self._market, operation.name)
            body = {"result": operation.answer(asked._replace(account=account))}
            self._venue.faults.after(self._market, operation.name)
        except AnswerLost:
            return
        except Refusal as refusal:
            status = refusal.status
            body = {"error": {"code": refusal.code, "msg": refusal.message}}
            if "Retry-After" in refusal.headers:
                now_ms = self._venue.server_ms()
                retry = now_ms + int(refusal.headers["Retry-After"]) * 1000
                body["error"]["data"] = {"serverTime": now_ms, "retryAfter": retry}
        counts = limiter.counts(account.name if account is not None else None, self._venue.own_ms())
        answer = msgspec.json.encode({"id": request.id, "status": status, **body, "rateLimits": counts})
        self._venue.faults.answer(self._connection, self._market, name, answer)

    def _operation(self, method: str) -> Operation:
        own = self._own.get(method)
        operation = API[self._market].get(method) if own is None else Operation(own, 2, Security.NONE)
        if operation is None:
            raise Refusal(-1020, "This operation is not supported.")
        return operation

    def end(self) -> None:
        """The connection is gone."""
        for number in list(self._subscriptions):
            self._drop(number)

    def _authorize(self, asked: Asked, operation: Operation) -> Account | None:
        if operation.security == Security.NONE:
            return None
        parameters = asked.parameters
        if self._account is not None and "apiKey" not in parameters:
            if operation.security == Security.SIGNED:
                check_time(parameters, asked.now_ms)
            return self._account
        account = known_account(self._venue.accounts, parameters.get("apiKey", ""))
        if operation.security == Security.SIGNED:
            self._check_signed(account, asked)
        return account

    def _check_signed(self, account: Account, asked: Asked) -> None:
        check_time(asked.parameters, asked.now_ms)
        check_signature(account, sorted_payload(asked.parameters), asked.parameters.get("signature", ""))

    def _logon(self, asked: Asked) -> object:
        account = known_account(self._venue.accounts, asked.parameters.get("apiKey", ""))
        if not account.signs_ed25519:
            raise Refusal(-4056, "HMAC_SHA256 API key is not supported.")
        self._check_signed(account, asked)
        self._account, self._since_ms = account, self._venue.own_ms()
        return self._status(asked)

    def _status(self, asked: Asked) -> object:
        return {
            "apiKey": self._account.api_key if self._account is not None else None,
            "authorizedSince": self._since_ms,
            "connectedSince": self._opened_ms,
            "returnRateLimits": True,
            "serverTime": asked.now_ms,
            "userDataStream": bool(self._subscriptions),
        }

    def _logout(self, asked: Asked) -> object:
        self._account = self._since_ms = None
        return self._status(asked)

    def _subscribe(self, _: Asked) -> object:
        if self._account is None:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        return self._listen(self._account)

    def _subscribe_signed(self, asked: Asked) -> object:
        account = known_account(self._venue.accounts, asked.parameters.get("apiKey", ""))
        self._check_signed(account, asked)
        return self._listen(account)

    def _listen(self, account: Account) -> object:
        if account in self._subscriptions.values():
            raise Refusal(-2035, "User Data Stream subscription already active.")
        number, self._next = self._next, self._next + 1
        self._subscriptions[number] = account
        account.listeners["spot"][self._connection, number] = partial(self._tell, number)
        return {"subscriptionId": number}

    def _tell(self, number: int, event: str) -> None:
        self._venue.faults.tell(self._connection, self._market, f'{{"subscriptionId":{number},"event":{event}}}')

    def _unsubscribe(self, asked: Asked) -> object:
        text = asked.parameters.get("subscriptionId", "")
        for number in [number for number in self._subscriptions if text in ("", str(number))]:
            self._drop(number)
        return {}

    def _list_subscriptions(self, _: Asked) -> object:
        return [{"subscriptionId": number} for number in self._subscriptions]

    def _drop(self, number: int) -> None:
        self._subscriptions.pop(number).listeners["spot"].pop((self._connection, number), None)


def _text(raw: msgspec.Raw) -> str:
    """A parameter as it is signed: a string's text, anything else as it was written."""
    written = bytes(raw).decode("utf-8", "replace")
    return str(msgspec.json.decode(raw)) if written.startswith('"') else written


async def serve_api(venue: Venue, market: str, request: web.Request) -> web.StreamResponse:
    """From the upgrade to the end of the connection."""
    async with Socket(venue, request, market=market) as socket:
        session = ApiSession(venue, socket.connection, market)
        try:
            async for kind, data in socket.messages(rate=_RATE):
                if kind in (WSMsgType.TEXT, WSMsgType.BINARY):
                    await session.answer(data)
                    venue.hub.flush()
        finally:
            session.end()
    return socket.response
