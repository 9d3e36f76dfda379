"""What Binance says with which code: its own words, market by market, for faults that refuse a request.

https://developers.binance.com/docs/binance-spot-api-docs/errors and .../derivatives/usds-margined-futures/error-code. Where a
code has several texts, here is the one that traders see most.
"""

from __future__ import annotations

from typing import Final

_BOTH: Final[dict[int, str]] = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1002: "You are not authorized to execute this request.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again.",
    -1016: "This service is no longer available.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -1100: "Illegal characters found in a parameter.",
    -1102: "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
    -1121: "Invalid symbol.",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
}
WORDS: Final[dict[str, dict[int, str]]] = {
    "spot": _BOTH
    | {
        -1003: "Too many requests; current limit is 6000 request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
        -1013: "Filter failure: LOT_SIZE",
        -1015: "Too many new orders; current limit is 100 orders per 10 SECOND.",
        -1111: "Parameter 'quantity' has too much precision.",
        -2010: "Account has insufficient balance for requested action.",
    },
    "usdm": _BOTH
    | {
        -1003: "Too many requests; current limit of IP is 2400 requests per minute. "
        "Please use the websocket for live updates to avoid polling the API.",
        -1015: "Too many new orders; current limit is 300 orders per TEN_SECONDS.",
        -1111: "Precision is over the maximum defined for this asset.",
        -2010: "NEW_ORDER_REJECTED",
        -2018: "Balance is insufficient.",
        -2019: "Margin is insufficient.",
        -2021: "Order would immediately trigger.",
        -2022: "ReduceOnly Order is rejected.",
        -2027: "Exceeded the maximum allowable position at current leverage.",
        -4003: "Quantity less than zero.",
        -4016: "Limit price can't be higher than 61900.",
        -4024: "Limit price can't be lower than 61700.",
        -4131: "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
        -4140: "Invalid symbol status for opening position.",
        -4164: "Order's notional must be no smaller than 100 (unless you choose reduce only).",
        -5022: "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    },
}
_REJECTS: Final = {"cancel_order": -2011, "cancel_open_orders": -2011, "query_order": -2013}
_NEW_ORDER: Final = {"spot": -2010, "usdm": -2019}


def reject_code(market: str, operation: str) -> int:
    """The code of a refusal that most often comes in answer to ``operation``."""
    return _REJECTS.get(operation, _NEW_ORDER.get(market, -2010))


def status_code(status: int) -> int:
    """The code that comes with an HTTP status."""
    return -1003 if status in {418, 429} else -1000


def words(market: str, code: int) -> str:
    """What ``market`` says with ``code``; what it says of an unknown error where it is none of the table."""
    known = WORDS.get(market, _BOTH)
    return known.get(code, known[-1000])
