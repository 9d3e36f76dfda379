"""One REST request, from its bytes to its answer: limits, who asks, the operation, and the headers that count."""

from __future__ import annotations

from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from vtframe.venue.account import Account
from vtframe.venue.asked import Asked, Operation, Security
from vtframe.venue.authorize import check_signature, check_time, known_account, unsigned_part
from vtframe.venue.faults import AnswerLost
from vtframe.venue.refusal import Refusal
from vtframe.venue.venue import Venue


async def serve_rest(venue: Venue, market: str, operation: Operation, request: web.Request) -> web.Response:
    """Refusals are answers too."""
    limiter = venue.limiters[market]
    body = (await request.read()).decode("utf-8", "replace") if request.can_read_body else ""
    now_ms, account = venue.own_ms(), None
    headers: dict[str, str] = {}
    try:
        parameters = dict(parse_qsl(f"{request.query_string}&{body}", keep_blank_values=True))
        asked = Asked(venue, market, parameters)
        limiter.spend(operation.weigh(asked), now_ms)
        account = _authorize(asked, operation, request, body)
        if operation.is_order and account is not None:
            limiter.count_order(account.name, now_ms)
        await venue.faults.before(market, operation.name)
        content, status = msgspec.json.encode(operation.answer(asked._replace(account=account))), 200
        venue.faults.after(market, operation.name)
    except AnswerLost:
        venue.hub.flush()
        if request.transport is not None:
            request.transport.abort()
        raise web.HTTPServiceUnavailable from None  # the client is gone
    except Refusal as refusal:
        content, status, headers = refusal.body(), refusal.status, refusal.headers
    venue.hub.flush()
    content = venue.faults.spoil(market, operation.name, content)
    headers = {**limiter.weight_headers(), **headers}
    if operation.is_order and account is not None:
        headers.update(limiter.order_headers(account.name, now_ms))
    return web.Response(body=content, status=status, headers=headers, content_type="application/json")


def _authorize(asked: Asked, operation: Operation, request: web.Request, body: str) -> Account | None:
    if operation.security == Security.NONE:
        return None
    account = known_account(asked.venue.accounts, request.headers.get("X-MBX-APIKEY", ""))
    if operation.security == Security.SIGNED:
        check_time(asked.parameters, asked.now_ms)
        payload = unsigned_part(request.url.raw_query_string) + unsigned_part(body)
        check_signature(account, payload, asked.parameters.get("signature", ""))
    return account
