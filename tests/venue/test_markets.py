"""What makes the market: a recording, prepared load, a virtual clock; each is a market that a client can follow."""

from __future__ import annotations

import contextlib
import gzip
import json
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from book_follower import BookFollower, assert_truth, levels_of, read
from venue_process import VenueProcess, listen, running_venue, wait_for
from websockets.exceptions import ConnectionClosed

DEPTH = "btcusdt@depth@0ms"


def recorded_state(path: Path, until_ns: int) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal], int]:
    """Book and last id of a recording at a time, by plain code: snapshot, then the diffs that follow it."""
    follower = BookFollower("usdm")
    with gzip.open(path, "rt") as lines:
        for line in lines:
            stamp, _, text = line.partition(" ")
            if int(stamp) > until_ns:
                break
            if '"lastUpdateId"' in text[:20]:
                follower.snapshot(json.loads(text))
            elif "@depth" in text[:40]:
                follower.diff(json.loads(text)["data"])
    return follower.bids, follower.asks, follower.update_id


def test_a_recording_is_the_market(data: Path) -> None:
    path = data / "binance" / "usdm_btcusdt_20240808.gz"
    with gzip.open(path, "rt") as lines:
        start = next(int(line.partition(" ")[0]) for line in lines if '"lastUpdateId"' in line[:40])
    with running_venue("--recording", str(path), "--clock", "virtual") as venue:
        assert list(venue.counters()["instruments"]) == ["usdm:BTCUSDT"]
        with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}") as socket:
            follower = BookFollower("usdm")
            follower.snapshot(venue.get("/fapi/v1/depth?symbol=BTCUSDT&limit=1000").body)
            truth = venue.truth("usdm", "BTCUSDT").body
            follower.bids, follower.asks = levels_of(truth["bids"]), levels_of(truth["asks"])  # beyond 1,000 levels too
            venue.control("clock", {"advance_ms": 20_000})
            last = venue.truth("usdm", "BTCUSDT").body["last_update_id"]
            while follower.update_id < last:
                follower.diff(read(socket))
        assert_truth(venue, "usdm", "BTCUSDT", follower)
        bids, asks, _ = recorded_state(path, start + 20_000_000_000)
        assert (follower.bids, follower.asks) == (bids, asks)


def test_orders_fill_against_a_recording_by_the_paper_model(data: Path) -> None:
    with running_venue("--recording", str(data / "binance" / "spot_btcusdt_20240808.gz"), "--clock", "virtual") as venue:
        bid, ask = venue.best("spot", "BTCUSDT")
        order = {"symbol": "BTCUSDT", "quantity": "0.01"}
        taken = venue.signed("POST", "/api/v3/order", side="BUY", type="MARKET", **order).body
        assert [(fill["price"], fill["qty"]) for fill in taken["fills"]] == [(ask, "0.01000000")]
        assert venue.best("spot", "BTCUSDT") == (bid, ask)  # the recorded book is what it was
        limit = {"type": "LIMIT", "timeInForce": "GTC", "price": bid, "side": "BUY"}
        resting = venue.signed("POST", "/api/v3/order", **limit, **order).body
        assert resting["status"] == "NEW"
        far = {**limit, "price": f"{Decimal(bid) - 500:.2f}"}
        canceled = venue.signed("POST", "/api/v3/order", **far, **order).body
        assert venue.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=canceled["orderId"]).status == 200
        venue.control("clock", {"advance_ms": 120_000})
        found = venue.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId=resting["orderId"]).body
        assert found["status"] == "FILLED"
        trades = venue.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT", orderId=resting["orderId"]).body
        assert {(one["price"], one["isMaker"]) for one in trades} == {(bid, True)}
        bad = venue.signed("POST", "/api/v3/order", **{**limit, "price": "60000.001"}, **order).body
        assert bad["code"] == -1013


def test_a_file_that_is_no_recording_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with (
        pytest.raises(AssertionError, match=r"vtframe venue: .*notes\.txt: not a recording"),
        running_venue("--recording", str(path)),
    ):
        pass


@pytest.mark.parametrize("market", ["usdm", "spot"])
def test_load_is_a_market_that_can_be_followed_round_after_round(tmp_path: Path, market: str) -> None:
    path = tmp_path / "venue.toml"
    path.write_text(f"load = 4000\nload_frames = 1500\ninstruments = ['{market}:BTCUSDT', '{market}:ETHUSDT']\n")
    base, route, depth = {
        "usdm": ("/fapi/v1", "public", DEPTH),
        "spot": ("/api/v3", "stream", "btcusdt@depth@100ms"),
    }[market]
    with running_venue(config=path) as venue:
        with listen(f"{venue.urls[market][route]}/stream?streams={depth}/btcusdt@bookTicker") as socket:
            follower, compared, first = BookFollower(market), 0, 0
            wanted = 2500 if market == "usdm" else 120
            tickers: dict[int, Any] = {}
            while follower.applied < wanted:
                message = read(socket)
                body = message["data"]
                if message["stream"].endswith("bookTicker"):
                    tickers[body["u"]] = tuple(Decimal(body[key]) for key in "bBaA")
                else:
                    follower.diff(body)
                    if not first:
                        first = body["u"]
                        follower.snapshot(venue.get(f"{base}/depth?symbol=BTCUSDT&limit=1000").body)
                if follower.update_id in tickers:
                    assert follower.best() == tickers[follower.update_id]
                    compared += 1
            assert compared
        assert_truth(venue, market, "BTCUSDT", follower)


def test_faults_on_connections_strike_under_load_too() -> None:
    with running_venue("--load", "2000", "--instrument", "usdm:BTCUSDT") as venue:
        with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}") as socket:
            before = read(socket)
            assert venue.control("faults", {"kind": "silence", "seconds": 1}).status == 200
            while (after := read(socket))["pu"] == before["u"]:
                before = after
            assert after["pu"] > before["u"]  # what was not sent is missing
            assert venue.control("faults", {"kind": "disconnect"}).status == 200
            with pytest.raises(ConnectionClosed):
                list(iter(partial(socket.recv, timeout=10), None))
        assert venue.counters()["faults"] == {"silence": 1, "disconnect": 1}


def test_what_a_connection_was_sent_is_known_when_it_is_gone() -> None:
    with running_venue("--load", "2000", "--instrument", "usdm:BTCUSDT") as venue:
        with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}") as socket:
            port, came = socket.socket.getsockname()[1], 0
            assert [one["port"] for one in venue.counters()["connections"]] == [port]
            for _ in range(500):
                socket.recv(timeout=10)
                came += 1
            assert venue.control("faults", {"kind": "disconnect"}).status == 200
            with contextlib.suppress(ConnectionClosed):
                for _ in iter(partial(socket.recv, timeout=10), None):
                    came += 1
        wait_for(lambda: not venue.counters()["connections"])
        (ended,) = venue.counters()["ended"]
        assert (ended["port"], ended["path"]) == (port, f"/usdm/public/ws/{DEPTH}")
        assert ended["sent"] == came or (ended["unsent"] and ended["sent"] > came)


def session(seed: int) -> list[Any]:
    """Requests to a venue with a virtual clock, and everything that comes back."""
    heard: list[Any] = []
    with running_venue("--clock", "virtual", "--seed", str(seed), "--instrument", "usdm:BTCUSDT") as venue:
        streams = f"{DEPTH}/btcusdt@bookTicker"
        with listen(f"{venue.urls['usdm']['public']}/stream?streams={streams}") as socket:
            for step in range(5):
                venue.control("clock", {"advance_ms": 333})
                price = venue.best("usdm", "BTCUSDT")[step % 2][:-1]
                order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.05"}
                heard.append(venue.signed("POST", "/fapi/v1/order", price=price, newOrderRespType="RESULT", **order).body)
            heard.append(venue.signed("GET", "/fapi/v2/account").body)
            last = venue.truth("usdm", "BTCUSDT").body["last_update_id"]
            while True:
                heard.append(str(socket.recv(timeout=5)))
                if DEPTH in heard[-1] and json.loads(heard[-1])["data"]["u"] == last:
                    return heard


def test_same_seed_and_same_requests_make_the_same_bytes() -> None:
    first = session(11)
    assert len(first) > 300
    assert first == session(11)
    assert first != session(12)


def test_a_clock_that_runs_is_not_moved(venue: VenueProcess) -> None:
    answer = venue.control("clock", {"advance_ms": 10})
    assert (answer.status, answer.body["problem"]) == (409, "the clock runs by itself")


@pytest.mark.parametrize("body", [{}, {"advance_ms": -1}, {"advance_ms": 1e9}, {"advance_ms": "x"}, []])
def test_a_bad_move_of_the_clock_is_refused(still: VenueProcess, body: object) -> None:
    assert still.control("clock", body).status == 400
