"""User data events, as each market writes them: what happened to an order, and what it did to balances and positions."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from vtframe.domain import Side
from vtframe.venue.order import Order

ZERO = Decimal(0)


def money(amount: Decimal) -> str:
    return f"{amount:.8f}"


def side_name(side: Side) -> str:
    return "BUY" if side == Side.BUY else "SELL"


def tell_order(order: Order, execution: str) -> None:
    """Tell the order's account of ``execution``: NEW, TRADE, CANCELED, EXPIRED."""
    market = order.listing.market
    if not order.account.listeners[market]:
        return
    is_fill = execution == "TRADE"
    if market == "spot":
        order.account.tell(market, execution_report(order, execution), is_fill=is_fill)
        order.account.tell(market, account_position(order))
        return
    if is_fill:
        order.account.tell(market, account_update(order))
    order.account.tell(market, order_trade_update(order, execution), is_fill=is_fill)


def execution_report(order: Order, execution: str) -> str:
    """Spot's ``executionReport``."""
    listing, ms = order.listing, order.updated_ms
    price, quantity = listing.price.text, listing.quantity.text
    fill = order.fills[-1] if execution == "TRADE" else None
    by_request = execution == "CANCELED"
    return _text(
        {
            "e": "executionReport",
            "E": ms,
            "s": listing.symbol,
            "c": order.cancel_id if by_request else order.client_order_id,
            "S": side_name(order.side),
            "o": order.kind,
            "f": order.time_in_force,
            "q": quantity(order.quantity),
            "p": price(order.price),
            "P": price(0),
            "F": quantity(0),
            "g": -1,
            "C": order.client_order_id if by_request else "",
            "x": execution,
            "X": order.status,
            "r": "NONE",
            "i": order.order_id,
            "l": quantity(fill.quantity if fill else 0),
            "z": quantity(order.filled),
            "L": price(fill.price if fill else 0),
            "n": money(fill.commission) if fill else "0",
            "N": fill.commission_asset if fill else None,
            "T": ms,
            "t": fill.trade_id if fill else -1,
            "I": order.order_id * 2 + len(order.fills),
            "w": order.is_open,
            "m": fill.maker if fill else False,
            "M": False,
            "O": order.created_ms,
            "Z": money(order.quote_filled),
            "Y": money(listing.notional(fill.price, fill.quantity) if fill else ZERO),
            "Q": money(order.quote_quantity),
            "W": order.created_ms,
            "V": "NONE",
        }
    )


def account_position(order: Order) -> str:
    """Spot's ``outboundAccountPosition``: the assets that the order touches."""
    wallet, listing = order.account.wallet, order.listing
    balances = [
        {"a": asset, "f": money(wallet.free.get(asset, ZERO)), "l": money(wallet.locked.get(asset, ZERO))}
        for asset in (listing.base, listing.quote)
    ]
    ms = order.updated_ms
    return _text({"e": "outboundAccountPosition", "E": ms, "u": ms, "B": balances})


def order_trade_update(order: Order, execution: str) -> str:
    """USD-M's ``ORDER_TRADE_UPDATE``."""
    listing, ms = order.listing, order.updated_ms
    price, quantity = listing.price.text, listing.quantity.text
    fill = order.fills[-1] if execution == "TRADE" else None
    body = {
        "s": listing.symbol,
        "c": order.client_order_id,
        "S": side_name(order.side),
        "o": order.kind,
        "f": order.time_in_force,
        "q": quantity(order.quantity),
        "p": price(order.price),
        "ap": f"{order.average:.5f}",
        "sp": "0",
        "x": execution,
        "X": order.status,
        "i": order.order_id,
        "l": quantity(fill.quantity if fill else 0),
        "z": quantity(order.filled),
        "L": price(fill.price if fill else 0),
        "n": money(fill.commission) if fill else "0",
        "N": listing.margin,
        "T": ms,
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": order.kind,
        "ps": order.position_side,
        "cp": False,
        "rp": money(fill.profit) if fill else "0",
        "pP": False,
        "si": order.algo_id,
        "ss": 0,
        "V": "NONE",
        "pm": "NONE",
        "gtd": 0,
    }
    return _text({"e": "ORDER_TRADE_UPDATE", "T": ms, "E": ms, "o": body})


def account_update(order: Order) -> str:
    """USD-M's ``ACCOUNT_UPDATE`` after a fill."""
    margin, listing, ms = order.account.margin, order.listing, order.updated_ms
    position, fill = margin.position(listing), order.fills[-1]
    balance = money(margin.balances[listing.margin])
    entry = f"{position.entry.normalize():f}" if position.lots else "0"
    body = {
        "B": [{"a": listing.margin, "wb": balance, "cw": balance, "bc": "0"}],
        "P": [
            {
                "s": listing.symbol,
                "pa": signed_text(order, position.lots),
                "ep": entry,
                "bep": entry,
                "cr": money(position.realized),
                "up": money(position.unrealized(listing.price_of(fill.price))),
                "mt": "cross",
                "iw": "0",
                "ps": "BOTH",
                "ma": listing.margin,
            }
        ],
        "m": "ORDER",
    }
    return _text({"e": "ACCOUNT_UPDATE", "T": ms, "E": ms, "a": body})


def signed_text(order: Order, lots: int) -> str:
    return ("-" if lots < 0 else "") + order.listing.quantity.text(abs(lots))


def _text(body: object) -> str:
    return msgspec.json.encode(body).decode()
