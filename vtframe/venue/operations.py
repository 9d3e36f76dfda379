"""Which request is answered by what, for each market: REST by method and path, the WebSocket API by method's name."""

from __future__ import annotations

from vtframe.venue import algo, listen_keys, rest_market, trading
from vtframe.venue.asked import Operation, Security

_PUBLIC = {
    ("GET", "ping"): Operation(rest_market.ping, 1, Security.NONE),
    ("GET", "time"): Operation(rest_market.server_time, 1, Security.NONE),
    ("GET", "exchangeInfo"): Operation(rest_market.info, 20, Security.NONE),
    ("GET", "depth"): Operation(rest_market.depth, rest_market.depth_weight, Security.NONE),
    ("GET", "ticker/bookTicker"): Operation(rest_market.best, 2, Security.NONE),
}
_ORDERS = {
    ("POST", "order"): Operation(trading.place_order, 1, is_order=True),
    ("POST", "order/test"): Operation(trading.try_order),
    ("DELETE", "order"): Operation(trading.cancel_order),
    ("GET", "order"): Operation(trading.query_order, 4),
    ("GET", "openOrders"): Operation(trading.open_orders, 6),
    ("GET", "allOrders"): Operation(trading.all_orders, 20),
}

REST: dict[str, dict[tuple[str, str], Operation]] = {
    "/api/v3": {
        **_PUBLIC,
        **_ORDERS,
        ("DELETE", "openOrders"): Operation(trading.cancel_open_orders),
        ("GET", "account"): Operation(trading.account, 20),
        ("GET", "myTrades"): Operation(trading.trades, 20),
        ("POST", "userDataStream"): Operation(listen_keys.gone, 2, Security.NONE),
        ("PUT", "userDataStream"): Operation(listen_keys.gone, 2, Security.NONE),
        ("DELETE", "userDataStream"): Operation(listen_keys.gone, 2, Security.NONE),
    },
    "/fapi/v1": {
        **_PUBLIC,
        **_ORDERS,
        ("GET", "exchangeInfo"): Operation(rest_market.info, 1, Security.NONE),
        ("GET", "premiumIndex"): Operation(rest_market.premium_index, 1, Security.NONE),
        ("DELETE", "allOpenOrders"): Operation(trading.cancel_open_orders),
        ("GET", "userTrades"): Operation(trading.trades, 5),
        ("POST", "leverage"): Operation(trading.change_leverage),
        ("GET", "leverageBracket"): Operation(trading.leverage_brackets),
        ("GET", "positionSide/dual"): Operation(trading.position_mode, 30),
        ("POST", "listenKey"): Operation(listen_keys.start_key, 1, Security.KEY),
        ("PUT", "listenKey"): Operation(listen_keys.keep_key, 1, Security.KEY),
        ("DELETE", "listenKey"): Operation(listen_keys.close_key, 1, Security.KEY),
        ("POST", "algoOrder"): Operation(algo.place_algo, 1, is_order=True),
        ("DELETE", "algoOrder"): Operation(algo.cancel_algo),
        ("GET", "algoOrder"): Operation(algo.query_algo),
        ("GET", "openAlgoOrders"): Operation(algo.open_algos),
        ("DELETE", "algoOpenOrders"): Operation(algo.cancel_open_algos),
    },
    "/fapi/v2": {
        ("GET", "account"): Operation(trading.account, 5),
        ("GET", "balance"): Operation(trading.balance, 5),
        ("GET", "positionRisk"): Operation(trading.position_risk, 5),
    },
    "/fapi/v3": {
        ("GET", "account"): Operation(trading.account, 5),
        ("GET", "balance"): Operation(trading.balance, 5),
        ("GET", "positionRisk"): Operation(trading.position_risk, 5),
    },
    "/dapi/v1": {
        **_PUBLIC,
        ("GET", "exchangeInfo"): Operation(rest_market.info, 1, Security.NONE),
        ("GET", "premiumIndex"): Operation(rest_market.premium_index, 10, Security.NONE),
    },
}
MARKET_OF = {"/api/v3": "spot", "/fapi/v1": "usdm", "/fapi/v2": "usdm", "/fapi/v3": "usdm", "/dapi/v1": "coinm"}

_API = {
    "ping": _PUBLIC["GET", "ping"],
    "time": _PUBLIC["GET", "time"],
    "depth": _PUBLIC["GET", "depth"],
    "ticker.book": _PUBLIC["GET", "ticker/bookTicker"],
    "order.place": _ORDERS["POST", "order"],
    "order.cancel": _ORDERS["DELETE", "order"],
    "order.status": _ORDERS["GET", "order"],
    "openOrders.status": _ORDERS["GET", "openOrders"],
    "account.status": Operation(trading.account, 20),
}
API: dict[str, dict[str, Operation]] = {
    "spot": {
        **_API,
        "exchangeInfo": _PUBLIC["GET", "exchangeInfo"],
        "order.test": _ORDERS["POST", "order/test"],
        "openOrders.cancelAll": Operation(trading.cancel_open_orders),
        "allOrders": _ORDERS["GET", "allOrders"],
        "myTrades": Operation(trading.trades, 20),
    },
    "usdm": {
        **_API,
        "v2/account.status": Operation(trading.account, 5),
        "account.balance": Operation(trading.balance, 5),
        "v2/account.balance": Operation(trading.balance, 5),
        "account.position": Operation(trading.position_risk, 5),
        "v2/account.position": Operation(trading.position_risk, 5),
        "userDataStream.start": Operation(listen_keys.start_key, 5, Security.KEY),
        "userDataStream.ping": Operation(listen_keys.keep_key, 1, Security.KEY),
        "userDataStream.stop": Operation(listen_keys.close_key, 1, Security.KEY),
        "algoOrder.place": Operation(algo.place_algo, 1, is_order=True),
        "algoOrder.cancel": Operation(algo.cancel_algo),
    },
}
