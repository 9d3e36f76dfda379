"""Starts an embedded venue as a process of its own for a test, and stops it for certain."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from websockets.sync.client import ClientConnection, connect

READY_S = 120.0  # a first start compiles the market's kernel
STOP_S = 10.0
API_KEY, SECRET = "vtframe-test-key", "vtframe-test-secret"


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: Any
    headers: Mapping[str, str]


class VenueProcess:
    """A running venue and plain requests to it."""

    def __init__(self, process: subprocess.Popen[str], urls: dict[str, Any]) -> None:
        self.process = process
        self.urls = urls
        self.url: str = urls["url"]
        self.address = self.url.removeprefix("http://")

    def request(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request; an error status is an answer like any other."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, _decode(response.read()), dict(response.headers))
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def control(self, path: str, body: Any) -> Answer:
        """POST JSON to a control endpoint."""
        return self.request("POST", f"/venue/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})

    def signed(
        self,
        method: str,
        path: str,
        *,
        key: str = API_KEY,
        secret: str = SECRET,
        timestamp: int | None = None,
        **parameters: object,
    ) -> Answer:
        """A request signed with HMAC-SHA256, as the venue's documentation says."""
        query = urllib.parse.urlencode({**parameters, "timestamp": timestamp or self.now_ms()})
        signature = sign(query, secret)
        return self.request(method, f"{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": key})

    def now_ms(self) -> int:
        """The venue's own clock."""
        return int(self.get("/venue/clock").body["now_ns"]) // 1_000_000

    def truth(self, market: str, symbol: str, update_id: int | None = None) -> Answer:
        at = f"&update_id={update_id}" if update_id is not None else ""
        return self.get(f"/venue/truth?market={market}&symbol={symbol}{at}")

    def best(self, market: str, symbol: str) -> tuple[str, str]:
        """Best bid and ask, as the venue prints them."""
        truth = self.truth(market, symbol).body
        return truth["bids"][0][0], truth["asks"][0][0]

    def counters(self) -> Any:
        return self.get("/venue/counters").body


def sign(payload: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def sign_ed25519(key: Any, payload: str) -> str:
    return base64.b64encode(key.sign(payload.encode())).decode()


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


@contextmanager
def running_venue(*options: str, config: Path | None = None) -> Iterator[VenueProcess]:
    """``vtframe venue --port 0 --print-url`` with these options; killed at the end if it does not stop by itself."""
    command = [str(Path(sys.executable).with_name("vtframe")), "venue", "--port", "0", "--print-url", *options]
    if config is not None:
        command += ["--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        watchdog = threading.Timer(READY_S, process.kill)
        watchdog.start()
        line = process.stdout.readline() if process.stdout is not None else ""
        watchdog.cancel()
        if not line:
            raise AssertionError(f"the venue did not start: {process.communicate(timeout=STOP_S)[1]}")
        yield VenueProcess(process, json.loads(line))
    finally:
        process.terminate()
        try:
            _, complaints = process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError("the venue did not stop when it was told to") from None
    assert not complaints, complaints


def listen(url: str, **options: Any) -> ClientConnection:
    """A WebSocket whose queue never fills: a full one would hold up its own closing."""
    return connect(url, **{"max_queue": None, "close_timeout": 2, **options})


def wait_for(condition: Any, *, limit_s: float = 10.0) -> Any:
    """The first true value of ``condition``; fails after ``limit_s``."""
    ends = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > ends:
            raise AssertionError(f"not true within {limit_s} s: {condition}")
        time.sleep(0.01)
    return found
