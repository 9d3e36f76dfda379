"""Writes requests about orders as the WebSocket API takes them. What does not change between orders is written once.

Prices and quantities are written from their integers, digit by digit; no float is involved.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from vtframe.builtin.binance.execution.hosts import Market
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.domain import Instrument, OrderType, Side, SubmitOrder, TimeInForce

PLACE: Final = "p:"  # before the client order ID it is the id of a request, and so of its answer
CANCEL: Final = "c:"
_IN_FORCE: Final = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}
_Key = tuple[int, Side, OrderType, TimeInForce, bool, bool]


class _Shape(NamedTuple):
    """What surrounds name, price, quantity and time of one kind of order: in the text to sign, and in the message."""

    signed: tuple[str, str, str, str, str]
    message: tuple[str, str, str, str, str]


class RequestWriter:
    """Requests about orders in ``instruments`` (by index) of one market.

    ``signer``: each request is signed; None for a connection that is logged on.
    """

    def __init__(
        self, market: Market, instruments: dict[int, Instrument], *, recv_window_ms: int, signer: Signer | None
    ) -> None:
        self._market = market
        self._instruments = instruments
        self._window = recv_window_ms
        self._signer = signer
        self._shapes: dict[_Key, _Shape] = {}

    def refusal(self, order: SubmitOrder) -> str:
        """Why an order cannot be written as one of Binance's; empty where it can."""
        if order.instrument not in self._instruments:
            return "its instrument is not one of this adapter's"
        if order.order_type is OrderType.LIMIT and order.time_in_force not in _IN_FORCE:
            return f"time in force {order.time_in_force.value} is none of gtc, ioc, fok"
        if order.post_only and (order.order_type is OrderType.MARKET or order.time_in_force is not TimeInForce.GTC):
            return "post_only needs a limit order with time in force gtc"
        return ""

    def place(self, order: SubmitOrder, timestamp_ms: int) -> str:
        """The request ``order.place``."""
        index = order.instrument
        key = (index, order.side, order.order_type, order.time_in_force, order.post_only, order.reduce_only)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._shape(order)
        name, instrument = order.client_order_id, self._instruments[index]
        quantity = digits(order.quantity, instrument.quantity_decimals)
        price = "" if order.price is None else digits(order.price, instrument.price_decimals)
        a, b, c, d, e = shape.message
        body = f"{PLACE}{name}{a}{name}{b}{price}{c}{quantity}{d}{timestamp_ms}{e}"
        if self._signer is None:
            return f'{{"id":"{body}}}}}'
        a, b, c, d, e = shape.signed
        signature = self._signer.sign(f"{a}{name}{b}{price}{c}{quantity}{d}{timestamp_ms}{e}")
        return f'{{"id":"{body},"signature":"{signature}"}}}}'

    def cancel(self, name: str, instrument: int, timestamp_ms: int) -> str:
        """The request ``order.cancel``, by client order ID."""
        symbol = self._instruments[instrument].symbol
        params = f'"origClientOrderId":"{name}","recvWindow":{self._window},"symbol":"{symbol}","timestamp":{timestamp_ms}'
        if self._signer is not None:
            key = self._signer.key
            text = f"origClientOrderId={name}&recvWindow={self._window}&symbol={symbol}&timestamp={timestamp_ms}"
            params = f'"apiKey":"{key}",{params},"signature":"{self._signer.sign(f"apiKey={key}&{text}")}"'
        return f'{{"id":"{CANCEL}{name}","method":"order.cancel","params":{{{params}}}}}'

    def _shape(self, order: SubmitOrder) -> _Shape:
        symbol = self._instruments[order.instrument].symbol
        kind, in_force = "MARKET", ""
        if order.order_type is OrderType.LIMIT:
            kind, in_force = "LIMIT", _IN_FORCE[order.time_in_force]
            if order.post_only:
                kind, in_force = ("LIMIT_MAKER", "") if self._market == "spot" else ("LIMIT", "GTX")
        reduces = order.reduce_only and self._market == "usdm"
        priced = order.price is not None
        key = [] if self._signer is None else [("apiKey", self._signer.key)]
        after = [("reduceOnly", "true")] * reduces + [("side", order.side.name), ("symbol", symbol)]
        after += [("timeInForce", in_force)] * bool(in_force)
        signed = (
            "".join(f"{name}={value}&" for name, value in key) + "newClientOrderId=",
            "&newOrderRespType=ACK" + ("&price=" if priced else ""),
            "&quantity=",
            f"&recvWindow={self._window}" + "".join(f"&{name}={value}" for name, value in after) + "&timestamp=",
            f"&type={kind}",
        )
        message = (
            '","method":"order.place","params":{'
            + "".join(f'"{name}":"{value}",' for name, value in key)
            + '"newClientOrderId":"',
            '","newOrderRespType":"ACK"' + (',"price":"' if priced else ""),
            '","quantity":"' if priced else ',"quantity":"',
            f'","recvWindow":{self._window}' + "".join(f',"{name}":"{value}"' for name, value in after) + ',"timestamp":',
            f',"type":"{kind}"',
        )
        return _Shape(signed, message)


def digits(value: int, decimals: int) -> str:
    """``value / 10**decimals`` in digits, without a sign of zeros at its end that a venue's precision may not allow."""
    if not decimals:
        return str(value)
    whole, part = divmod(value, 10**decimals)
    if not part:
        return str(whole)
    return f"{whole}.{part:0{decimals}d}".rstrip("0")
