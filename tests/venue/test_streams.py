"""Market streams: as the recordings have them, in the venue's order, equal to the venue's own book."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import socket
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from book_follower import BookFollower, ask, assert_truth, read
from venue_process import VenueProcess, listen, running_venue
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

RECORDED = {
    "spot": ("spot_btcusdt_20240808.gz", "btcusdt", ("depth@100ms", "bookTicker", "trade")),
    "usdm": ("usdm_btcusdt_20240808.gz", "btcusdt", ("depth@0ms", "bookTicker", "trade")),
    "coinm": ("cm_btcusd_perp_20240808.gz", "btcusd_perp", ("depth@0ms", "bookTicker", "trade")),
    "usdm 2023": ("usdm_btcusdt_20230404.dat.gz", "btcusdt", ("markPrice@1s",)),
}
FOLLOWED = [
    ("spot", "BTCUSDT", "depth@100ms"),
    ("spot", "ETHUSDT", "depth"),
    ("usdm", "BTCUSDT", "depth@0ms"),
    ("usdm", "ETHUSDT", "depth@100ms"),
    ("coinm", "BTCUSD_PERP", "depth@0ms"),
]


UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
_LEVEL = re.compile(r'\["([0-9.]+)","([0-9.]+)"\]')


def shapes(text: str) -> set[str]:
    """A frame, and each kind of level in it, with digits blanked: members, order, quotes and decimals remain."""
    levels = {_blank(match[0]) for match in _LEVEL.finditer(text)}
    frame = re.sub(r"\[(\[[^]]*\],?)*\]", "LEVELS", text.replace("true", "bool").replace("false", "bool"))
    return {_blank(frame), *levels}


def _blank(text: str) -> str:
    """Numbers become their count of decimals; digits of names stay, as they have a letter before or after them."""
    return re.sub(r"(?<![A-Za-z0-9@.])([0-9]+)(?:[.]([0-9]+))?(?![A-Za-z0-9])", lambda m: f"#{len(m[2] or '')}", text)


def stream_url(venue: VenueProcess, market: str, kind: str = "depth") -> str:
    if market == "usdm":
        route = "public" if kind.startswith(("depth", "bookTicker")) else "market"
        return str(venue.urls["usdm"][route])
    return str(venue.urls[market]["stream"])


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    """Three times as fast as the clock on the wall."""
    with running_venue("--speed", "3") as process:
        yield process


def test_a_shape_tells_members_order_and_decimals_apart() -> None:
    frame = (
        '{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":17,"U":3,"b":[],"a":[["1.10","2.000"],["1.20","3.000"]]}}'
    )
    assert shapes(frame) == shapes(frame.replace("17", "99").replace("[]", '[["4.20","5.000"]]'))
    assert shapes(frame) != shapes(frame.replace("2.000", "2.00"))
    assert shapes(frame) != shapes(frame.replace('"E":17,"U":3', '"U":3,"E":17'))
    assert shapes(frame) != shapes(frame.replace("17", '"17"'))


@pytest.mark.parametrize("name", RECORDED)
def test_frames_are_written_as_in_the_recordings(name: str, venue: VenueProcess, data: Path) -> None:
    file, symbol, kinds = RECORDED[name]
    market = name.partition(" ")[0]
    wanted = {f"{symbol}@{kind}" for kind in kinds}
    recorded: dict[str, set[str]] = {stream: set() for stream in wanted}
    with gzip.open(data / "binance" / file, "rt") as lines:
        for line, _ in zip(lines, range(2000), strict=False):
            found = re.match(r'[0-9]+ (\{"stream":"([^"]+)".*)', line)
            if found and found[2] in wanted:
                recorded[found[2]] |= shapes(found[1])
    for kind in kinds:
        stream = f"{symbol}@{kind}"
        assert recorded[stream], stream
        with listen(f"{stream_url(venue, market, kind)}/stream?streams={stream}") as socket:
            texts = [str(socket.recv(timeout=10)) for _ in range(2 if "mark" in kind else 12)]
        assert set().union(*map(shapes, texts)) <= recorded[stream]


@pytest.mark.parametrize(("market", "symbol", "depth"), FOLLOWED)
def test_a_followed_book_is_the_venues_at_every_book_ticker(venue: VenueProcess, market: str, symbol: str, depth: str) -> None:
    follower = BookFollower(market)
    base = {"spot": "/api/v3", "usdm": "/fapi/v1", "coinm": "/dapi/v1"}[market]
    names = f"{symbol.lower()}@{depth}/{symbol.lower()}@bookTicker"
    compared, tickers = 0, {}
    with listen(f"{stream_url(venue, market)}/stream?streams={names}") as socket:
        while "u" not in (first := read(socket)["data"]) or first.get("e") != "depthUpdate":
            pass
        follower.diff(first)
        follower.snapshot(venue.get(f"{base}/depth?symbol={symbol}&limit=1000").body)
        while follower.applied < (3 if depth == "depth" else 40):
            message = read(socket)
            body = message["data"]
            if message["stream"].endswith("bookTicker"):
                tickers[body["u"]] = tuple(Decimal(body[key]) for key in "bBaA")
            else:
                follower.diff(body)
            if follower.update_id in tickers:
                assert follower.best() == tickers[follower.update_id]
                compared += 1
    assert follower.applied
    assert compared or depth == "depth"
    assert_truth(venue, market, symbol, follower)


def test_update_ids_follow_the_markets_own_rule(venue: VenueProcess) -> None:
    with listen(f"{venue.urls['spot']['stream']}/ws/btcusdt@depth@100ms") as socket:
        diffs = [read(socket) for _ in range(8)]
    assert all(later["U"] == earlier["u"] + 1 for earlier, later in itertools.pairwise(diffs))
    with listen(f"{venue.urls['usdm']['public']}/ws/btcusdt@depth@0ms") as socket:
        diffs = [read(socket) for _ in range(40)]
    assert all(later["pu"] == earlier["u"] for earlier, later in itertools.pairwise(diffs))
    assert all(diff["pu"] < diff["U"] <= diff["u"] for diff in diffs)


def test_a_stream_on_the_wrong_route_is_acknowledged_and_silent(venue: VenueProcess) -> None:
    with listen(f"{venue.urls['usdm']['public']}/stream") as socket:
        assert ask(socket, "SUBSCRIBE", ["btcusdt@aggTrade", "btcusdt@markPrice@1s"]) == {"result": None, "id": 1}
        assert ask(socket, "LIST_SUBSCRIPTIONS") == {"result": ["btcusdt@aggTrade", "btcusdt@markPrice@1s"], "id": 1}
        assert ask(socket, "SUBSCRIBE", ["btcusdt@bookTicker"], 2) == {"result": None, "id": 2}
        assert {read(socket)["stream"] for _ in range(200)} == {"btcusdt@bookTicker"}
    with listen(f"{venue.urls['usdm']['market']}/stream?streams=btcusdt@aggTrade/btcusdt@depth@0ms") as socket:
        assert {read(socket)["stream"] for _ in range(10)} == {"btcusdt@aggTrade"}


def test_usdm_has_no_streams_where_it_had_them_before_the_split(venue: VenueProcess) -> None:
    assert venue.get("/usdm/ws/btcusdt@depth").status == 404


def test_after_unsubscribe_nothing_comes(venue: VenueProcess) -> None:
    with listen(f"{venue.urls['spot']['stream']}/ws/btcusdt@bookTicker") as socket:
        read(socket)
        assert ask(socket, "UNSUBSCRIBE", ["btcusdt@bookTicker"], 7) == {"result": None, "id": 7}
        assert ask(socket, "LIST_SUBSCRIPTIONS", request_id=8) == {"result": [], "id": 8}
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)


def test_a_bare_socket_gets_bare_frames_until_it_asks_for_combined(venue: VenueProcess) -> None:
    with listen(f"{venue.urls['spot']['stream']}/ws/btcusdt@bookTicker") as socket:
        assert set(read(socket)) == {"u", "s", "b", "B", "a", "A"}
        assert ask(socket, "GET_PROPERTY", ["combined"])["result"] is False
        assert ask(socket, "SET_PROPERTY", ["combined", True])["result"] is None
        assert set(read(socket)) == {"stream", "data"}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("{", 3, "Invalid JSON"),
        ("[" * 5000, 3, "Invalid JSON"),
        ("[]", 2, "expected an object"),
        ('{"method":"SUBSCRIBE","params":["a"],"id":-1}', 2, "request ID must be an unsigned integer"),
        ('{"method":"SUBSCRIBE","params":["a"],"id":1.5}', 2, "request ID must be an unsigned integer"),
        ('{"params":["a"],"id":1}', 2, "missing field `method`"),
        ('{"method":"BUY","params":["a"],"id":1}', 2, "unknown variant `BUY`, expected one of `SUBSCRIBE`"),
        ('{"method":"SUBSCRIBE","id":1}', 2, "missing field `params`"),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2, "must be a string"),
        ('{"method":"GET_PROPERTY","params":["color"],"id":1}', 0, "Unknown property"),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1, "expected Boolean"),
        (json.dumps({"method": "SUBSCRIBE", "params": [f"x{n}@trade" for n in range(1025)], "id": 1}), 2, "too many"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_the_venues_code(
    venue: VenueProcess, text: str, code: int, words: str
) -> None:
    with listen(f"{venue.urls['spot']['stream']}/ws") as socket:
        socket.send(text)
        error = read(socket)["error"]
    assert error["code"] == code
    assert words in error["msg"]


def test_who_asks_too_often_is_thrown_out(venue: VenueProcess) -> None:
    def ask_often(socket: ClientConnection) -> None:
        for number in range(40):  # one at a time: what the venue has not read when it closes would reset the connection
            socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            socket.recv(timeout=5)

    with listen(f"{venue.urls['spot']['stream']}/ws") as socket, pytest.raises(ConnectionClosed) as thrown:
        ask_often(socket)
    assert thrown.value.rcvd is not None
    assert thrown.value.rcvd.code == 1008


def test_trades_go_where_the_route_table_says() -> None:
    with running_venue("--trade-route", "public", "--instrument", "usdm:BTCUSDT") as venue:
        with listen(f"{venue.urls['usdm']['public']}/stream?streams=btcusdt@trade") as socket:
            assert read(socket)["stream"] == "btcusdt@trade"
        with listen(f"{venue.urls['usdm']['market']}/stream?streams=btcusdt@trade/btcusdt@aggTrade") as socket:
            assert {read(socket)["stream"] for _ in range(5)} == {"btcusdt@aggTrade"}


def test_trades_and_aggregates_tell_of_the_same_executions(venue: VenueProcess) -> None:
    seen: dict[str, dict[int, Any]] = {"trade": {}, "aggTrade": {}}
    with listen(f"{venue.urls['usdm']['market']}/stream?streams=ethusdt@trade/ethusdt@aggTrade") as socket:
        while len(seen["aggTrade"]) < 10:
            body = read(socket)["data"]
            seen[body["e"]][body.get("t", body.get("a"))] = (body["p"], body["q"], body["T"], body["m"])
    common = set(seen["trade"]) & set(seen["aggTrade"])
    assert len(common) >= 9
    assert all(seen["trade"][number] == seen["aggTrade"][number] for number in common)
    assert sorted(seen["trade"]) == list(range(min(seen["trade"]), max(seen["trade"]) + 1))


@pytest.mark.parametrize("path", ["/spot/ws-api/v3", "/spot/ws/btcusdt@trade", "/usdm/public/stream?streams=btcusdt@trade"])
def test_a_client_that_leaves_during_the_upgrade_is_no_trouble(path: str) -> None:
    """The venue says nothing of it (``running_venue`` fails where it does), and serves the next one."""
    with running_venue("--instrument", "spot:BTCUSDT", "--instrument", "usdm:BTCUSDT") as venue:
        host, _, port = venue.address.partition(":")
        for number in range(30):
            with socket.create_connection((host, int(port)), timeout=10) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", number % 2, 0))
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: venue\r\n{UPGRADE}\r\n".encode())
        with listen(venue.urls["spot"]["ws_api"]) as last:
            last.send('{"id":1,"method":"ping"}')
            assert json.loads(last.recv(timeout=10))["status"] == 200
