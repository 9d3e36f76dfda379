"""Order entry and account questions: one function for each, with the venue's parameters and answers."""

from __future__ import annotations

from typing import Any

from vtframe.venue import order_body
from vtframe.venue.asked import Asked
from vtframe.venue.desk import Desk
from vtframe.venue.order import Order
from vtframe.venue.order_request import read_client_id, read_order
from vtframe.venue.refusal import Refusal, malformed, unknown_order

_TRADES = 500


def place_order(asked: Asked) -> Any:
    """``POST order``, ``order.place``."""
    place = asked.place
    request = read_order(place.listing, asked.parameters)
    order = _desk(asked).place(asked.owner, place, request, now_ns=asked.venue.clock.now_ns())
    return order_body.new_order(order, request.response)


def try_order(asked: Asked) -> Any:
    """``POST order/test``: read, and not placed."""
    read_order(asked.place.listing, asked.parameters)
    return {}


def cancel_order(asked: Asked) -> Any:
    """``DELETE order``, ``order.cancel``."""
    order = _find(asked, only_open=True)
    cancel_id = read_client_id(asked.parameters, "newClientOrderId")
    _desk(asked).cancel(order, asked.place, now_ns=asked.venue.clock.now_ns(), cancel_id=cancel_id)
    return order_body.canceled_order(order)


def query_order(asked: Asked) -> Any:
    """``GET order``, ``order.status``."""
    _bring_up(asked)
    return order_body.order_state(_find(asked, only_open=False))


def open_orders(asked: Asked) -> Any:
    """``GET openOrders``, ``openOrders.status``."""
    _bring_up(asked)
    return [order_body.order_state(order) for order in _desk(asked).open_orders(asked.owner, _symbol(asked))]


def all_orders(asked: Asked) -> Any:
    """``GET allOrders``: the newest at the end."""
    _bring_up(asked)
    orders = _desk(asked).orders(asked.owner, asked.place.listing.symbol)
    return [order_body.order_state(order) for order in orders[-_limit(asked) :]]


def cancel_open_orders(asked: Asked) -> Any:
    """``DELETE openOrders`` (spot) and ``allOpenOrders`` (futures)."""
    desk, place = _desk(asked), asked.place
    _bring_up(asked)
    orders = desk.open_orders(asked.owner, place.listing.symbol)
    if not orders and asked.market == "spot":
        raise unknown_order()
    for order in orders:
        desk.cancel(order, place, now_ns=asked.venue.clock.now_ns())
    if asked.market == "spot":
        return [order_body.canceled_order(order) for order in orders]
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def trades(asked: Asked) -> Any:
    """``GET myTrades`` (spot) and ``userTrades`` (futures): of one order, or the newest."""
    _bring_up(asked)
    orders = _desk(asked).orders(asked.owner, asked.place.listing.symbol)
    wanted = asked.parameters.get("orderId", "")
    body = order_body.spot_trade if asked.market == "spot" else order_body.futures_trade
    found = [body(order, fill) for order in orders for fill in order.fills if not wanted or wanted == str(order.order_id)]
    return sorted(found, key=lambda one: (one["time"], one["id"]))[-_limit(asked) :]


def account(asked: Asked) -> Any:
    """``GET account``, ``account.status``."""
    _bring_up(asked)
    if asked.market == "spot":
        return order_body.spot_account(asked.owner, asked.now_ms)
    return order_body.futures_account(asked.owner, _desk(asked), asked.now_ms)


def balance(asked: Asked) -> Any:
    _bring_up(asked)
    return order_body.futures_balances(asked.owner, _desk(asked), asked.now_ms)


def position_risk(asked: Asked) -> Any:
    _bring_up(asked)
    symbol = _symbol(asked)
    found = order_body.positions(asked.owner, _desk(asked), asked.now_ms)
    return [one for one in found if symbol is None or one["symbol"] == symbol]


def position_mode(_: Asked) -> Any:
    return {"dualSidePosition": False}


def change_leverage(asked: Asked) -> Any:
    """Of the whole account; the answer names the instrument asked for."""
    text = asked.parameters.get("leverage", "")
    if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= 125:
        raise Refusal(-4028, f"Leverage {text} is not valid")
    asked.owner.margin.leverage = int(text)
    return {"leverage": int(text), "maxNotionalValue": "1000000000", "symbol": asked.place.listing.symbol}


def leverage_brackets(asked: Asked) -> Any:
    """One bracket for each instrument: any size, up to 125 times."""
    bracket = {
        "bracket": 1,
        "initialLeverage": 125,
        "notionalCap": 1_000_000_000,
        "notionalFloor": 0,
        "maintMarginRatio": 0.004,
        "cum": 0.0,
    }
    symbol = _symbol(asked)
    listed = _desk(asked).places
    return [{"symbol": name, "brackets": [bracket]} for name in listed if symbol in (None, name)]


def _desk(asked: Asked) -> Desk:
    return asked.venue.desks[asked.market]


def _bring_up(asked: Asked) -> None:
    asked.venue.advance()


def _symbol(asked: Asked) -> str | None:
    return asked.place.listing.symbol if asked.parameters.get("symbol") else None


def _find(asked: Asked, *, only_open: bool) -> Order:
    return _desk(asked).find(
        asked.owner,
        asked.place.listing.symbol,
        order_id=asked.parameters.get("orderId", ""),
        client_order_id=asked.parameters.get("origClientOrderId", ""),
        only_open=only_open,
    )


def _limit(asked: Asked) -> int:
    text = asked.parameters.get("limit", str(_TRADES))
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise malformed("limit", "^[0-9]{1,20}$")
    return max(1, min(1000, int(text)))
