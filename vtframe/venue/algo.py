"""USD-M's conditional orders: ids of their own, triggered by the last or the mark price, then an order like any other."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from vtframe.domain import Side
from vtframe.venue.account import Account
from vtframe.venue.asked import Asked
from vtframe.venue.desk import Desk
from vtframe.venue.filters import check_price, check_quantity
from vtframe.venue.order_request import (
    OrderRequest,
    read_client_id,
    read_flag,
    read_price,
    read_quantity,
    read_side,
)
from vtframe.venue.place import Place
from vtframe.venue.refusal import Refusal, missing
from vtframe.venue.trailing import KIND, Trail, read_trail
from vtframe.venue.user_event import side_name

_FIRST_ID = 2_146_000_000
_KINDS = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", KIND)
_MS = 1_000_000
_KEPT = 5000


class AlgoOrder(msgspec.Struct, kw_only=True, eq=False):
    """Waits for its trigger. Prices are ticks, quantities lots."""

    algo_id: int
    client_algo_id: str
    account: Account
    place: Place
    side: Side
    kind: str
    time_in_force: str
    quantity: int  # 0 with close_position
    price: int  # 0: market
    trigger: int  # 0 where it trails
    by_mark: bool
    rises: bool  # it triggers at or above the trigger
    reduce_only: bool
    close_position: bool
    trail: Trail | None
    created_ms: int
    updated_ms: int
    status: str = "NEW"
    triggered_ms: int = 0
    order_id: int = 0  # the order that it became
    problem: str = ""


class AlgoBook:
    """Every account's conditional orders on one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._last_id = _FIRST_ID
        self._waiting: dict[int, AlgoOrder] = {}
        self._orders: dict[int, AlgoOrder] = {}
        self._closed: deque[int] = deque()

    def place(self, account: Account, place: Place, parameters: Mapping[str, str], *, now_ns: int) -> AlgoOrder:
        """Raises Refusal."""
        self._desk.bring_up(place, now_ns)
        kind = parameters.get("type", "")
        if parameters.get("algoType", "CONDITIONAL") != "CONDITIONAL":
            raise Refusal(-4500, "Invalid algoType.")
        if not kind:
            raise missing("type")
        if kind not in _KINDS:
            raise Refusal(-1116, "Invalid orderType.")
        listing, side = place.listing, read_side(parameters)
        working = parameters.get("workingType", "CONTRACT_PRICE")
        if working not in ("CONTRACT_PRICE", "MARK_PRICE"):
            raise Refusal(-4112, "Invalid workingType.")
        close = read_flag(parameters, "closePosition")
        by_mark, trails = working == "MARK_PRICE", kind == KIND
        trail = read_trail(listing, parameters, side, _price(place, by_mark=by_mark)) if trails else None
        trigger = 0 if trails else read_price(listing, parameters, "triggerPrice")
        price = 0 if kind.endswith("MARKET") else read_price(listing, parameters, "price")
        quantity = 0 if close else read_quantity(listing, parameters)
        if close and ("quantity" in parameters or trails or not kind.endswith("MARKET")):
            raise Refusal(-4136, "Target strategy invalid for orderType, closePosition or quantity.")
        if not close:
            check_quantity(listing, quantity, is_market=not price)
        if price:
            check_price(listing, price, place.tape.last_price)
        client_id = read_client_id(parameters, "clientAlgoId")
        if client_id and any(one.client_algo_id == client_id for one in self.waiting(account)):
            raise Refusal(-4116, "ClientOrderId is duplicated.")
        self._last_id += 1
        order = AlgoOrder(
            algo_id=self._last_id,
            client_algo_id=client_id or f"venue-algo-{self._last_id}",
            account=account,
            place=place,
            side=side,
            kind=kind,
            time_in_force=parameters.get("timeInForce", "GTC"),
            quantity=quantity,
            price=price,
            trigger=trigger,
            by_mark=by_mark,
            rises=(side == Side.BUY) == kind.startswith("STOP"),
            reduce_only=close or read_flag(parameters, "reduceOnly"),
            close_position=close,
            trail=trail,
            created_ms=now_ns // _MS,
            updated_ms=now_ns // _MS,
        )
        if not trails and _is_due(order):
            raise Refusal(-2021, "Order would immediately trigger.")
        self._orders[order.algo_id] = self._waiting[order.algo_id] = order
        _tell(order)
        return order

    def cancel(self, order: AlgoOrder, *, now_ns: int) -> None:
        if order.algo_id not in self._waiting:
            raise Refusal(-2011, "Unknown order sent.")
        self._end(order, "CANCELED", now_ns)

    def find(self, account: Account, parameters: Mapping[str, str]) -> AlgoOrder:
        """By algoId or clientAlgoId; raises Refusal."""
        algo_id, client_id = parameters.get("algoId", ""), parameters.get("clientAlgoId", "")
        if not algo_id and not client_id:
            raise Refusal(-1102, "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!")
        for order in reversed(self._orders.values()):
            if order.account is account and algo_id in ("", str(order.algo_id)) and client_id in ("", order.client_algo_id):
                return order
        raise Refusal(-2013, "Order does not exist.")

    def waiting(self, account: Account, symbol: str | None = None) -> list[AlgoOrder]:
        return [
            order
            for order in self._waiting.values()
            if order.account is account and symbol in (None, order.place.listing.symbol)
        ]

    def trigger(self, now_ns: int) -> None:
        """Turn what is due into orders."""
        for order in list(self._waiting.values()):
            if _is_due(order):
                self._fire(order, now_ns)

    def _fire(self, order: AlgoOrder, now_ns: int) -> None:
        order.triggered_ms = now_ns // _MS
        order.status = "TRIGGERED"
        _tell(order)
        quantity = order.quantity
        if order.close_position:
            quantity = max(0, -int(order.side) * order.account.margin.position(order.place.listing).lots)
        request = OrderRequest(
            side=order.side,
            kind="LIMIT" if order.price else "MARKET",
            time_in_force=order.time_in_force if order.price else "GTC",
            price=order.price,
            quantity=quantity,
            quote_quantity=order.place.listing.amount(0),
            reduce_only=order.reduce_only,
            client_order_id="",
            response="ACK",
        )
        try:
            made = self._desk.place(order.account, order.place, request, now_ns=now_ns, algo_id=order.algo_id)
        except Refusal as refusal:
            order.problem = refusal.message
            self._end(order, "REJECTED", now_ns)
            return
        order.order_id = made.order_id
        self._end(order, "FINISHED", now_ns)

    def _end(self, order: AlgoOrder, status: str, now_ns: int) -> None:
        order.status, order.updated_ms = status, now_ns // _MS
        self._waiting.pop(order.algo_id, None)
        self._closed.append(order.algo_id)
        while len(self._closed) > _KEPT:
            self._orders.pop(self._closed.popleft(), None)
        _tell(order)


def _price(place: Place, *, by_mark: bool) -> Decimal:
    return place.mark_price if by_mark else place.listing.price_of(place.tape.last_price)


def _is_due(order: AlgoOrder) -> bool:
    """Whether the price of now triggers it; one that trails is shown that price."""
    price = _price(order.place, by_mark=order.by_mark)
    if order.trail is not None:
        return order.trail.sees(price)
    trigger = order.place.listing.price_of(order.trigger)
    return price >= trigger if order.rises else price <= trigger


def _tell(order: AlgoOrder) -> None:
    listing = order.place.listing
    body = {
        "caid": order.client_algo_id,
        "aid": order.algo_id,
        "at": "CONDITIONAL",
        "o": order.kind,
        "s": listing.symbol,
        "S": side_name(order.side),
        "ps": "BOTH",
        "f": order.time_in_force,
        "q": listing.quantity.text(order.quantity),
        "X": order.status,
        "ai": str(order.order_id) if order.order_id else "",
        "tp": listing.price.text(order.trigger),
        "p": listing.price.text(order.price),
        "wt": "MARK_PRICE" if order.by_mark else "CONTRACT_PRICE",
        "cp": order.close_position,
        "R": order.reduce_only,
        "tt": order.triggered_ms,
        "rm": order.problem,
    }
    event = {"e": "ALGO_UPDATE", "T": order.updated_ms, "E": order.updated_ms, "o": body}
    order.account.tell(listing.market, msgspec.json.encode(event).decode())


def _body(order: AlgoOrder) -> dict[str, Any]:
    listing = order.place.listing
    return {
        "algoId": order.algo_id,
        "clientAlgoId": order.client_algo_id,
        "algoType": "CONDITIONAL",
        "orderType": order.kind,
        "symbol": listing.symbol,
        "side": side_name(order.side),
        "positionSide": "BOTH",
        "timeInForce": order.time_in_force,
        "quantity": listing.quantity.text(order.quantity),
        "algoStatus": order.status,
        "actualOrderId": str(order.order_id) if order.order_id else "",
        "triggerPrice": listing.price.text(order.trigger),
        "price": listing.price.text(order.price),
        "activatePrice": listing.price.text(order.trail.activation) if order.trail and order.trail.activation else "",
        "callbackRate": order.trail.callback if order.trail else "",
        "workingType": "MARK_PRICE" if order.by_mark else "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": order.close_position,
        "priceProtect": False,
        "reduceOnly": order.reduce_only,
        "createTime": order.created_ms,
        "updateTime": order.updated_ms,
        "triggerTime": order.triggered_ms,
        "goodTillDate": 0,
    }


def place_algo(asked: Asked) -> object:
    return _body(_book(asked).place(asked.owner, asked.place, asked.parameters, now_ns=asked.venue.clock.now_ns()))


def cancel_algo(asked: Asked) -> object:
    order = _book(asked).find(asked.owner, asked.parameters)
    _book(asked).cancel(order, now_ns=asked.venue.clock.now_ns())
    return {"algoId": order.algo_id, "clientAlgoId": order.client_algo_id, "code": "200", "msg": "success"}


def query_algo(asked: Asked) -> object:
    return _body(_book(asked).find(asked.owner, asked.parameters))


def open_algos(asked: Asked) -> object:
    symbol = asked.place.listing.symbol if asked.parameters.get("symbol") else None
    return [_body(order) for order in _book(asked).waiting(asked.owner, symbol)]


def cancel_open_algos(asked: Asked) -> object:
    for order in _book(asked).waiting(asked.owner, asked.place.listing.symbol):
        _book(asked).cancel(order, now_ns=asked.venue.clock.now_ns())
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _book(asked: Asked) -> AlgoBook:
    return asked.venue.algos
