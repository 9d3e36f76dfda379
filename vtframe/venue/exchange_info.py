"""The bodies of ``exchangeInfo``: instruments, filters and limits, as each market writes them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from vtframe.venue.listing import Listing

_FOREVER_MS = 4_133_404_800_000  # delivery of a perpetual contract
_LISTED_MS = 1_569_398_400_000
_HIGHEST = 10**14  # of a price, in its last digit


def exchange_info(market: str, listings: Sequence[Listing], *, now_ms: int, limits: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole body."""
    head: dict[str, Any] = {"timezone": "UTC", "serverTime": now_ms}
    symbol = {"spot": _spot, "usdm": _linear, "coinm": _inverse}[market]
    tail = {"exchangeFilters": [], "symbols": [symbol(listing) for listing in listings]}
    if market == "spot":
        return {**head, "rateLimits": limits, **tail}
    kind = {"futuresType": "U_MARGINED"} if market == "usdm" else {}
    assets = {
        "assets": [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "0"}
            for asset in sorted({listing.margin for listing in listings})
        ]
    }
    return {**head, **kind, "rateLimits": limits, **(assets if market == "usdm" else {}), **tail}


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _spot(listing: Listing) -> dict[str, Any]:
    down, up = (_plain(value) for value in listing.multipliers)
    price, quantity = listing.price.text, listing.quantity.text
    return {
        "symbol": listing.symbol,
        "status": listing.status,
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": price(listing.tick),
                "maxPrice": price(_HIGHEST // listing.price.step),
                "tickSize": price(listing.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": quantity(listing.lot),
                "maxQty": quantity(listing.maximum_quantity),
                "stepSize": quantity(listing.lot),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": quantity(0),
                "maxQty": quantity(listing.maximum_market_quantity),
                "stepSize": quantity(0),
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": up,
                "bidMultiplierDown": down,
                "askMultiplierUp": up,
                "askMultiplierDown": down,
                "avgPriceMins": 0,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": f"{listing.minimum_notional:.8f}",
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": listing.maximum_orders},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _futures(listing: Listing) -> dict[str, Any]:
    return {
        "symbol": listing.symbol,
        "pair": listing.pair,
        "contractType": "PERPETUAL",
        "deliveryDate": _FOREVER_MS,
        "onboardDate": _LISTED_MS,
    }


def _tail(listing: Listing) -> dict[str, Any]:
    down, up = (_plain(value) for value in listing.multipliers)
    step = _plain(Decimal(listing.lot * listing.quantity.step).scaleb(-listing.quantity.decimals))
    price, quantity = listing.price.text, listing.quantity.text
    tick = _plain(Decimal(listing.tick * listing.price.step).scaleb(-listing.price.decimals))
    filters: list[dict[str, Any]] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": price(listing.tick),
            "maxPrice": price(_HIGHEST // listing.price.step),
            "tickSize": tick,
        },
        {
            "filterType": "LOT_SIZE",
            "stepSize": step,
            "maxQty": quantity(listing.maximum_quantity),
            "minQty": quantity(listing.lot),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "stepSize": step,
            "maxQty": quantity(listing.maximum_market_quantity),
            "minQty": quantity(listing.lot),
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": listing.maximum_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "PERCENT_PRICE", "multiplierUp": up, "multiplierDown": down, "multiplierDecimal": "4"},
    ]
    if listing.market == "usdm":
        filters.append({"filterType": "MIN_NOTIONAL", "notional": _plain(listing.minimum_notional)})
    return {
        "filters": filters,
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _linear(listing: Listing) -> dict[str, Any]:
    return {
        **_futures(listing),
        "status": listing.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.margin,
        "pricePrecision": listing.price.decimals,
        "quantityPrecision": listing.quantity.decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        **_tail(listing),
    }


def _inverse(listing: Listing) -> dict[str, Any]:
    return {
        **_futures(listing),
        "contractStatus": listing.status,
        "contractSize": int(listing.multiplier),
        "marginAsset": listing.margin,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "pricePrecision": listing.price.decimals,
        "quantityPrecision": listing.quantity.decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "equalQtyPrecision": 4,
        "maxMoveOrderLimit": 10000,
        "triggerProtect": "0.0500",
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        **_tail(listing),
    }
