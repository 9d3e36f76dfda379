"""Orders, accounts and trades as the venue's REST and WebSocket API write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from vtframe.venue.account import Account
from vtframe.venue.desk import Desk
from vtframe.venue.order import Fill, Order
from vtframe.venue.user_event import money, side_name

ZERO = Decimal(0)


def new_order(order: Order, response: str) -> dict[str, Any]:
    """The answer to a new order: ACK, RESULT or FULL."""
    if order.listing.market != "spot":
        return futures_order(order, as_accepted=response == "ACK")
    head = {
        "symbol": order.listing.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.updated_ms,
    }
    if response == "ACK":
        return head
    body = {**head, **_spot_state(order), "workingTime": order.created_ms, "selfTradePreventionMode": "NONE"}
    if response == "RESULT":
        return body
    fills = [
        {
            "price": order.listing.price.text(fill.price),
            "qty": order.listing.quantity.text(fill.quantity),
            "commission": money(fill.commission),
            "commissionAsset": fill.commission_asset,
            "tradeId": fill.trade_id,
        }
        for fill in order.fills
    ]
    return {**body, "fills": fills}


def _spot_state(order: Order) -> dict[str, Any]:
    listing = order.listing
    return {
        "price": listing.price.text(order.price),
        "origQty": listing.quantity.text(order.quantity),
        "executedQty": listing.quantity.text(order.filled),
        "origQuoteOrderQty": money(order.quote_quantity),
        "cummulativeQuoteQty": money(order.quote_filled),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.kind,
        "side": side_name(order.side),
    }


def order_state(order: Order) -> dict[str, Any]:
    """The answer to a query."""
    if order.listing.market != "spot":
        return {**futures_order(order), "time": order.created_ms}
    return {
        "symbol": order.listing.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        **_spot_state(order),
        "stopPrice": order.listing.price.text(0),
        "icebergQty": order.listing.quantity.text(0),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
        "selfTradePreventionMode": "NONE",
    }


def canceled_order(order: Order) -> dict[str, Any]:
    """The answer to a cancel."""
    if order.listing.market != "spot":
        return futures_order(order)
    return {
        "symbol": order.listing.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.cancel_id,
        "transactTime": order.updated_ms,
        **_spot_state(order),
        "selfTradePreventionMode": "NONE",
    }


def futures_order(order: Order, *, as_accepted: bool = False) -> dict[str, Any]:
    """``as_accepted``: as it was before it met the market, which is what a futures ACK says."""
    listing = order.listing
    filled = 0 if as_accepted else order.filled
    return {
        "orderId": order.order_id,
        "symbol": listing.symbol,
        "status": "NEW" if as_accepted else order.status,
        "clientOrderId": order.client_order_id,
        "price": listing.price.text(order.price),
        "avgPrice": f"{ZERO if as_accepted else order.average:.5f}",
        "origQty": listing.quantity.text(order.quantity),
        "executedQty": listing.quantity.text(filled),
        "cumQty": listing.quantity.text(filled),
        "cumQuote": f"{ZERO if as_accepted else order.quote_filled:.5f}",
        "timeInForce": order.time_in_force,
        "type": order.kind,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": side_name(order.side),
        "positionSide": order.position_side,
        "stopPrice": listing.price.text(0),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": order.kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "updateTime": order.updated_ms,
    }


def spot_trade(order: Order, fill: Fill) -> dict[str, Any]:
    """One of ``myTrades``."""
    listing = order.listing
    return {
        "symbol": listing.symbol,
        "id": fill.trade_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "price": listing.price.text(fill.price),
        "qty": listing.quantity.text(fill.quantity),
        "quoteQty": money(listing.notional(fill.price, fill.quantity)),
        "commission": money(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.time_ms,
        "isBuyer": order.side > 0,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def futures_trade(order: Order, fill: Fill) -> dict[str, Any]:
    """One of ``userTrades``."""
    listing = order.listing
    return {
        "symbol": listing.symbol,
        "id": fill.trade_id,
        "orderId": order.order_id,
        "side": side_name(order.side),
        "price": listing.price.text(fill.price),
        "qty": listing.quantity.text(fill.quantity),
        "realizedPnl": money(fill.profit),
        "quoteQty": money(listing.notional(fill.price, fill.quantity)),
        "commission": money(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.time_ms,
        "positionSide": order.position_side,
        "maker": fill.maker,
        "buyer": order.side > 0,
    }


def spot_account(account: Account, now_ms: int) -> dict[str, Any]:
    wallet = account.wallet
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": "0.00100000", "taker": "0.00100000", "buyer": "0.00000000", "seller": "0.00000000"},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": money(wallet.free.get(asset, ZERO)), "locked": money(wallet.locked.get(asset, ZERO))}
            for asset in wallet.assets()
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def futures_balances(account: Account, desk: Desk, now_ms: int) -> list[dict[str, Any]]:
    """``balance``: one entry an asset."""
    available = money(desk.margin_left(account))
    profit = money(_unrealized(account, desk))
    return [
        {
            "accountAlias": account.name,
            "asset": asset,
            "balance": money(amount),
            "crossWalletBalance": money(amount),
            "crossUnPnl": profit,
            "availableBalance": available,
            "maxWithdrawAmount": available,
            "marginAvailable": True,
            "updateTime": now_ms,
        }
        for asset, amount in sorted(account.margin.balances.items())
    ]


def futures_account(account: Account, desk: Desk, now_ms: int) -> dict[str, Any]:
    wallet = sum(account.margin.balances.values(), ZERO)
    profit, available = _unrealized(account, desk), desk.margin_left(account)
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": False,
        "canWithdraw": False,
        "updateTime": now_ms,
        "multiAssetsMargin": False,
        "totalWalletBalance": money(wallet),
        "totalUnrealizedProfit": money(profit),
        "totalMarginBalance": money(wallet + profit),
        "totalCrossWalletBalance": money(wallet),
        "totalCrossUnPnl": money(profit),
        "availableBalance": money(available),
        "maxWithdrawAmount": money(available),
        "assets": [
            {
                "asset": asset,
                "walletBalance": money(amount),
                "unrealizedProfit": money(profit),
                "marginBalance": money(amount + profit),
                "availableBalance": money(available),
                "marginAvailable": True,
                "updateTime": now_ms,
            }
            for asset, amount in sorted(account.margin.balances.items())
        ],
        "positions": positions(account, desk, now_ms),
    }


def positions(account: Account, desk: Desk, now_ms: int) -> list[dict[str, Any]]:
    """Every instrument's, as ``positionRisk`` and ``account`` give them."""
    found = []
    for place in desk.places.values():
        listing, position = place.listing, account.margin.position(place.listing)
        mark = place.mark_price
        amount = ("-" if position.lots < 0 else "") + listing.quantity.text(abs(position.lots))
        found.append(
            {
                "symbol": listing.symbol,
                "positionSide": "BOTH",
                "positionAmt": amount,
                "entryPrice": f"{position.entry:.8f}",
                "breakEvenPrice": f"{position.entry:.8f}",
                "markPrice": money(mark),
                "unRealizedProfit": money(position.unrealized(mark)),
                "unrealizedProfit": money(position.unrealized(mark)),
                "liquidationPrice": "0",
                "leverage": str(account.margin.leverage),
                "marginType": "cross",
                "isolatedMargin": "0.00000000",
                "isAutoAddMargin": "false",
                "isolated": False,
                "notional": money(listing.amount(position.lots) * mark),
                "initialMargin": money(abs(position.cost) / account.margin.leverage),
                "marginAsset": listing.margin,
                "updateTime": now_ms,
            }
        )
    return found


def _unrealized(account: Account, desk: Desk) -> Decimal:
    held = account.margin.positions.values()
    return sum((one.unrealized(desk.places[one.listing.symbol].mark_price) for one in held), ZERO)
