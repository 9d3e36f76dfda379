"""A new order as a request states it: read, and refused where a parameter is missing, malformed or out of place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from vtframe.domain import Side
from vtframe.venue.digits import Digits, NotANumber, OffStepError, TooPreciseError
from vtframe.venue.listing import Listing
from vtframe.venue.refusal import Refusal, filter_failure, malformed, missing, precision

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}", re.ASCII)
_KINDS = {"spot": ("LIMIT", "LIMIT_MAKER", "MARKET"), "usdm": ("LIMIT", "MARKET")}
_TIMES = {"spot": ("GTC", "IOC", "FOK"), "usdm": ("GTC", "IOC", "FOK", "GTX")}
CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
_KNOWN = {"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"}


class OrderRequest(NamedTuple):
    """Numbers are whole ticks and lots."""

    side: Side
    kind: str
    time_in_force: str
    price: int
    quantity: int
    quote_quantity: Decimal
    reduce_only: bool
    client_order_id: str  # empty: the venue chooses
    response: str  # ACK, RESULT or FULL


def read_order(listing: Listing, parameters: Mapping[str, str]) -> OrderRequest:
    """Raises Refusal with the venue's code."""
    market = listing.market
    side = read_side(parameters)
    kind = parameters.get("type", "")
    if not kind:
        raise missing("type")
    if market == "usdm" and kind in CONDITIONAL:
        raise Refusal(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
    if kind not in _KINDS[market]:
        if market == "spot" and kind in _KNOWN:
            raise Refusal(-1013, "Unsupported order type for this symbol.")
        raise Refusal(-1116, "Invalid orderType.")
    time_in_force = parameters.get("timeInForce", "")
    if time_in_force and time_in_force not in _TIMES[market]:
        raise Refusal(-1115, "Invalid timeInForce.")
    price, quote_quantity = 0, Decimal(0)
    if kind == "LIMIT" and not time_in_force:
        raise missing("timeInForce")
    if kind != "LIMIT" and time_in_force and market == "spot":
        raise Refusal(-1106, "Parameter 'timeInForce' sent when not required.")
    if kind == "MARKET":
        if "price" in parameters:
            raise Refusal(-1106, "Parameter 'price' sent when not required.")
        if market == "spot" and "quoteOrderQty" in parameters:
            if "quantity" in parameters:
                raise Refusal(-1128, "Combination of optional parameters invalid.")
            quote_quantity = _read_money(parameters["quoteOrderQty"])
    else:
        price = read_price(listing, parameters, "price")
    position_side = parameters.get("positionSide", "BOTH")
    if position_side != "BOTH":
        raise Refusal(-4061, "Order's position side does not match user's setting.")
    return OrderRequest(
        side=side,
        kind=kind,
        time_in_force=time_in_force or "GTC",
        price=price,
        quantity=0 if quote_quantity else read_quantity(listing, parameters),
        quote_quantity=quote_quantity,
        reduce_only=market == "usdm" and read_flag(parameters, "reduceOnly"),
        client_order_id=read_client_id(parameters, "newClientOrderId"),
        response=_read_response(market, parameters),
    )


def read_side(parameters: Mapping[str, str]) -> Side:
    text = parameters.get("side", "")
    if not text:
        raise missing("side")
    if text not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    return Side.BUY if text == "BUY" else Side.SELL


def read_price(listing: Listing, parameters: Mapping[str, str], name: str) -> int:
    """A price in ticks, on the tick."""
    try:
        return _read_number(listing.price, parameters, name, listing.tick)
    except OffStepError:
        if listing.market == "spot":
            raise filter_failure("PRICE_FILTER") from None
        raise Refusal(-4014, "Price not increased by tick size.") from None


def read_quantity(listing: Listing, parameters: Mapping[str, str]) -> int:
    """A quantity in lots, on the lot."""
    try:
        return _read_number(listing.quantity, parameters, "quantity", listing.lot)
    except OffStepError:
        if listing.market == "spot":
            raise filter_failure("LOT_SIZE") from None
        raise Refusal(-4023, "Qty not increased by step size.") from None


def _read_number(digits: Digits, parameters: Mapping[str, str], name: str, multiple: int) -> int:
    text = parameters.get(name, "")
    if not text:
        raise missing(name)
    try:
        number = digits.parse(text)
    except NotANumber:
        raise malformed(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$") from None
    except TooPreciseError:
        raise precision(name) from None
    if number % multiple:
        raise OffStepError(text)
    return number


def _read_money(text: str) -> Decimal:
    try:
        return Decimal(Digits(8, 1).parse(text)).scaleb(-8)
    except NotANumber:
        raise malformed("quoteOrderQty", "^([0-9]{1,20})(\\.[0-9]{1,20})?$") from None
    except TooPreciseError:
        raise precision("quoteOrderQty") from None


def read_flag(parameters: Mapping[str, str], name: str) -> bool:
    text = parameters.get(name, "false").lower()
    if text not in ("true", "false"):
        raise malformed(name, "^(true|false)$")
    return text == "true"


def read_client_id(parameters: Mapping[str, str], name: str) -> str:
    text = parameters.get(name, "")
    if text and not _CLIENT_ID.fullmatch(text):
        raise malformed(name, "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
    return text


def _read_response(market: str, parameters: Mapping[str, str]) -> str:
    text = parameters.get("newOrderRespType", "")
    if text and text not in ("ACK", "RESULT", "FULL"):
        raise malformed("newOrderRespType", "^(ACK|RESULT|FULL)$")
    return text or ("FULL" if market == "spot" else "ACK")
