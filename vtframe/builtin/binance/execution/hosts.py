"""Where Binance takes orders: the exchange, its testnets, or a venue on this machine that speaks its protocols."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

Market = Literal["spot", "usdm"]
EMBEDDED: Final = "embedded"
TEST_KEY, TEST_SECRET = "vtframe-test-key", "vtframe-test-secret"
"""Of the account that every embedded venue has; they open nothing else."""
_NOWHERE: Final = "http://127.0.0.1:9"  # nobody listens there
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class Hosts(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of one market. ``private`` is the user data stream's, to which the listen key is added; spot has none."""

    rest: str
    ws_api: str
    private: str = ""


NAMED: Final[dict[tuple[str, str], Hosts]] = {
    ("live", "spot"): Hosts(rest="https://api.binance.com", ws_api="wss://ws-api.binance.com:443/ws-api/v3"),
    ("live", "usdm"): Hosts(
        rest="https://fapi.binance.com",
        ws_api="wss://ws-fapi.binance.com/ws-fapi/v1",
        private="wss://fstream.binance.com/private/ws/",
    ),
    ("testnet", "spot"): Hosts(rest="https://testnet.binance.vision", ws_api="wss://ws-api.testnet.binance.vision/ws-api/v3"),
    ("testnet", "usdm"): Hosts(  # not split into /public, /market and /private
        rest="https://testnet.binancefuture.com",
        ws_api="wss://testnet.binancefuture.com/ws-fapi/v1",
        private="wss://stream.binancefuture.com/ws/",
    ),
}


def hosts_of(url: str, market: Market) -> Hosts:
    """The addresses behind ``url``: ``live``, ``testnet``, ``embedded`` (the session's own venue, which puts its address in the
    place of the word), or the ``http://HOST:PORT`` of a venue on this machine.

    Raises ValueError for anything else.
    """
    if (url, market) in NAMED:
        return NAMED[url, market]
    if url == EMBEDDED:
        url = _NOWHERE
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK or parts.port is None or parts.path.strip("/") or parts.query:
        raise ValueError(
            'expected "live", "testnet", "embedded" or the address of a venue on this machine: "http://127.0.0.1:PORT"'
        )
    host = f"{parts.hostname}:{parts.port}" if ":" not in parts.hostname else f"[{parts.hostname}]:{parts.port}"
    ws_api = {"spot": "spot/ws-api/v3", "usdm": "usdm/ws-fapi/v1"}[market]
    private = f"ws://{host}/usdm/private/ws/" if market == "usdm" else ""
    return Hosts(rest=f"http://{host}", ws_api=f"ws://{host}/{ws_api}", private=private)


def is_on_this_machine(url: str) -> bool:
    """Whether ``url`` is an embedded venue's, which has an account of its own."""
    return url == EMBEDDED or urlsplit(url).hostname in _LOOPBACK
