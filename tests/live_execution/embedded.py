"""The embedded venue as a process of its own, and its account asked by a client that shares nothing with the adapter."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from vtframe.clock import LiveClock

KEY, SECRET = "vtframe-test-key", "vtframe-test-secret"
INSTRUMENTS = ("usdm:BTCUSDT", "spot:BTCUSDT")


class Embedded:
    """One running venue."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, *, signed: bool = False, method: str = "GET", body: Any = None, **params: Any) -> Any:
        if signed:
            params["timestamp"] = LiveClock().now_ns() // 1_000_000
            query = urlencode(params)
            params["signature"] = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        query = f"?{urlencode(params)}" if params else ""
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}{path}{query}",
            method=method,
            headers={"X-MBX-APIKEY": KEY, "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return json.loads(answer.read())

    def position(self, symbol: str = "BTCUSDT") -> Decimal:
        """USD-M."""
        rows = self.ask("/fapi/v2/account", signed=True)["positions"]
        return sum((Decimal(row["positionAmt"]) for row in rows if row["symbol"] == symbol), start=Decimal(0))

    def balance(self, asset: str) -> Decimal:
        """Spot."""
        rows = self.ask("/api/v3/account", signed=True)["balances"]
        return sum((Decimal(row["free"]) + Decimal(row["locked"]) for row in rows if row["asset"] == asset), start=Decimal(0))

    def open_orders(self, market: str, symbol: str = "BTCUSDT") -> list[Any]:
        path = {"spot": "/api/v3/openOrders", "usdm": "/fapi/v1/openOrders"}[market]
        found: list[Any] = self.ask(path, signed=True, symbol=symbol)
        return found


@contextlib.contextmanager
def embedded_venue(*more: str) -> Iterator[Embedded]:
    """Start one, and stop it at the end."""
    chosen = [word for name in INSTRUMENTS for word in ("--instrument", name)]
    command = [sys.executable, "-m", "vtframe.cli.main", "venue", "--port", "0", "--print-url", *chosen, *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Embedded(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def accounts_file(folder: Path, public_key: str) -> Path:
    """Settings of a venue whose test account signs with Ed25519 as well."""
    path = folder / "venue.toml"
    text = f'[[accounts]]\nname = "test"\napi_key = "{KEY}"\nsecret = "{SECRET}"\npublic_key = """{public_key}"""\n'
    path.write_text(text)
    return path
