"""What the venue does to clients that ask too much, do not answer pings, do not read, or stay too long."""

from __future__ import annotations

import json
import socket as sockets
from pathlib import Path

import pytest
from venue_process import SECRET, VenueProcess, listen, running_venue, wait_for
from websockets.exceptions import ConnectionClosed


def upgrade(venue: VenueProcess, path: str, *, receive_bytes: int | None = None) -> sockets.socket:
    """A WebSocket by hand, that answers nothing."""
    host, _, port = venue.address.partition(":")
    raw = sockets.socket()
    if receive_bytes is not None:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive_bytes)
    raw.settimeout(20)
    raw.connect((host, int(port)))
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    lines = (f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade")
    raw.sendall("\r\n".join((*lines, f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "")).encode())
    assert raw.recv(12) == b"HTTP/1.1 101"
    return raw


def test_weight_is_counted_then_refused_then_banned() -> None:
    with running_venue("--clock", "virtual", "--instrument", "spot:BTCUSDT", "--instrument", "usdm:BTCUSDT") as venue:
        for count in range(1, 25):
            answer = venue.get("/api/v3/depth?symbol=BTCUSDT&limit=5000")
            assert (answer.status, answer.headers["X-MBX-USED-WEIGHT-1M"]) == (200, str(250 * count))
        refused = venue.get("/api/v3/depth?symbol=BTCUSDT&limit=5000")
        assert (refused.status, refused.body["code"]) == (429, -1003)
        assert 0 < int(refused.headers["Retry-After"]) <= 61
        assert venue.get("/fapi/v1/time").status == 200  # a count of its own
        for _ in range(10):
            last = venue.get("/api/v3/time")
        assert (last.status, last.body["code"]) == (418, -1003)
        assert "banned" in last.body["msg"]
        wait = int(last.headers["Retry-After"])
        assert 100 < wait <= 121
        with listen(venue.urls["spot"]["ws_api"]) as socket:
            socket.send('{"id":1,"method":"time"}')
            answered = json.loads(socket.recv(timeout=5))
            assert answered["status"] == 418
            data = answered["error"]["data"]
            assert data["retryAfter"] > data["serverTime"] == venue.now_ms()
        venue.control("clock", {"advance_ms": wait * 1000})
        assert venue.get("/api/v3/time").status == 200
        assert venue.counters()["limited"]["spot"] >= 11


def test_new_orders_are_counted_by_account(still: VenueProcess) -> None:
    still.control("clock", {"advance_ms": 20_000})
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
    for count in range(1, 101):
        answer = still.signed("POST", "/api/v3/order", **order)
        assert (answer.status, answer.headers["X-MBX-ORDER-COUNT-10S"]) == (200, str(count))
    refused = still.signed("POST", "/api/v3/order", **order)
    assert (refused.status, refused.body["code"]) == (429, -1015)
    assert 0 < int(refused.headers["Retry-After"]) <= 11
    other = {"name": "other", "api_key": "other", "secret": SECRET}
    assert still.control("accounts", other).status == 200
    assert still.signed("POST", "/api/v3/order", key="other", **order).status == 200
    still.control("clock", {"advance_ms": 10_000})
    assert still.signed("POST", "/api/v3/order", **order).status == 200


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    path = tmp_path / "venue.toml"
    path.write_text("ping_s = 0.2\npong_s = 2\nspeed = 3\ninstruments = ['spot:BTCUSDT']\n")
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "venue.toml"
    path.write_text("buffer_bytes = 65536\nspeed = 5\ninstruments = ['spot:BTCUSDT']\n")
    return path


def test_pings_come_and_who_does_not_answer_is_dropped(strict: Path) -> None:
    with running_venue(config=strict) as venue:
        with upgrade(venue, "/spot/ws") as silent:
            received = b""
            while True:
                part = silent.recv(4096)
                if not part:
                    break
                received += part
            assert b"\x89\x0d" in received  # a ping with 13 digits of milliseconds
        with listen(f"{venue.urls['spot']['stream']}/ws/btcusdt@bookTicker") as polite:
            for _ in range(300):
                polite.recv(timeout=5)
        assert venue.counters()["connections"] == []


def test_a_client_that_does_not_read_is_dropped_and_the_others_go_on(small: Path) -> None:
    with running_venue(config=small) as venue:
        large = {"kind": "oversize", "size": 4_000_000, "stream": "btcusdt@aggTrade"}  # sooner than any buffer fills
        assert venue.control("faults", large).status == 200
        with upgrade(venue, "/spot/stream?streams=btcusdt@aggTrade", receive_bytes=4096) as idle:
            with listen(f"{venue.urls['spot']['stream']}/ws/btcusdt@bookTicker") as reader:

                def dropped() -> bool:
                    for _ in range(100):
                        reader.recv(timeout=5)
                    return venue.counters()["slow_dropped"] == 1

                wait_for(dropped, limit_s=30)
                for _ in range(50):
                    reader.recv(timeout=5)
            assert idle.fileno() >= 0


def test_a_connection_ends_when_its_day_is_over(tmp_path: Path) -> None:
    path = tmp_path / "venue.toml"
    path.write_text(f"connection_hours = {1 / 3600}\ninstruments = ['spot:BTCUSDT']\n")
    with running_venue(config=path) as venue:
        with listen(f"{venue.urls['spot']['stream']}/ws") as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


def test_a_message_that_is_too_long_ends_the_connection(still: VenueProcess) -> None:
    with listen(f"{still.urls['spot']['stream']}/ws") as socket:
        socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert still.request("POST", "/venue/faults", b"x" * 100_000).status == 413
