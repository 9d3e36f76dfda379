"""Faults on request: each strikes as it says, is counted, and leaves the venue's own book as it was."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from book_follower import BookFollower, assert_truth, read
from venue_process import API_KEY, VenueProcess, listen, running_venue, sign
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

DEPTH = "btcusdt@depth@0ms"


@pytest.fixture(scope="module")
def running() -> Iterator[VenueProcess]:
    with running_venue("--instrument", "usdm:BTCUSDT", "--instrument", "spot:BTCUSDT", "--speed", "3") as process:
        yield process


@pytest.fixture
def venue(running: VenueProcess) -> Iterator[VenueProcess]:
    """Without the faults of the test before."""
    yield running
    running.request("DELETE", "/venue/faults")


def strike(venue: VenueProcess, **fault: object) -> dict[str, Any]:
    answer = venue.control("faults", fault)
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.body[0]
    return found


def hits(venue: VenueProcess, kind: str) -> int:
    return int(venue.counters()["faults"].get(kind, 0))


def diffs(venue: VenueProcess, count: int, stream: str = DEPTH) -> list[dict[str, Any]]:
    with listen(f"{venue.urls['usdm']['public']}/ws/{stream}") as socket:
        return [read(socket) for _ in range(count)]


def breaks(messages: list[dict[str, Any]]) -> int:
    """How often a diff does not follow the one before."""
    return sum(later["pu"] != earlier["u"] for earlier, later in itertools.pairwise(messages))


def test_without_faults_nothing_breaks(venue: VenueProcess) -> None:
    assert breaks(diffs(venue, 60)) == 0


@pytest.mark.parametrize("kind", ["drop", "gap"])
def test_lost_messages_leave_a_gap_in_the_ids(venue: VenueProcess, kind: str) -> None:
    before = hits(venue, kind)
    strike(venue, kind=kind, stream=DEPTH, share=0.2)
    assert breaks(diffs(venue, 80)) > 0
    assert hits(venue, kind) > before


def test_a_duplicate_comes_twice_and_a_reordered_one_late(venue: VenueProcess) -> None:
    strike(venue, kind="duplicate", stream=DEPTH, skip=2, count=1)
    ids = [message["u"] for message in diffs(venue, 10)]
    assert ids[2] == ids[3]
    assert len(set(ids)) == 9
    venue.request("DELETE", "/venue/faults")
    strike(venue, kind="reorder", stream=DEPTH, skip=2, count=1)
    ids = [message["u"] for message in diffs(venue, 10)]
    assert ids[3] < ids[2]
    assert sorted(ids) == [*ids[:2], ids[3], ids[2], *ids[4:]]


def test_a_delay_holds_everything_back_and_keeps_the_order(venue: VenueProcess) -> None:
    strike(venue, kind="delay", stream=DEPTH, delay_ms=400, skip=3, count=1)
    with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}") as socket:
        messages = []
        late = 0
        for _ in range(60):
            messages.append(read(socket))
            late = max(late, venue.now_ms() - messages[-1]["E"])
    assert breaks(messages) == 0
    assert late >= 300  # venue milliseconds, at three times the speed


def test_a_corrupt_message_cannot_be_read(venue: VenueProcess) -> None:
    strike(venue, kind="corrupt", stream=DEPTH, skip=1, count=1)
    with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}") as socket:
        read(socket)
        with pytest.raises((json.JSONDecodeError, UnicodeDecodeError, ConnectionClosed)):
            read(socket)


def test_an_oversize_message_is_as_long_as_asked(venue: VenueProcess) -> None:
    strike(venue, kind="oversize", stream=DEPTH, size=2_000_000, count=1)
    with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}", max_size=None) as socket:
        text = socket.recv(timeout=10)
    assert len(text) == 2_000_000
    assert json.loads(text)["e"] == "depthUpdate"
    strike(venue, kind="oversize", stream=DEPTH, size=2_000_000, count=1)
    with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}", max_size=100_000) as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=10)


def test_a_stale_snapshot_is_an_older_state_of_the_true_book(venue: VenueProcess) -> None:
    strike(venue, kind="stale_snapshot", changes=100, count=1)
    stale = venue.get("/fapi/v1/depth?symbol=BTCUSDT&limit=1000").body
    fresh = venue.get("/fapi/v1/depth?symbol=BTCUSDT&limit=1000").body
    assert fresh["lastUpdateId"] - stale["lastUpdateId"] >= 100
    follower = BookFollower("usdm")
    follower.snapshot(stale)
    assert_truth(venue, "usdm", "BTCUSDT", follower)


def test_silence_keeps_the_socket_open_and_answers(venue: VenueProcess) -> None:
    with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}") as socket:
        read(socket)
        strike(venue, kind="silence", seconds=5)

        def listed() -> bool:
            socket.send('{"method":"LIST_SUBSCRIPTIONS","id":9}')
            return any(read(socket).get("id") == 9 for _ in range(300))

        assert listed()
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.5)
        assert read(socket)["e"] == "depthUpdate"  # it comes back


def test_a_disconnect_is_abrupt_and_an_expiry_is_polite(venue: VenueProcess) -> None:
    for kind, code in (("disconnect", None), ("expire", 1008)):
        before = hits(venue, kind)
        with listen(f"{venue.urls['usdm']['public']}/ws") as socket:
            strike(venue, kind=kind)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=20)
        assert (closed.value.rcvd.code if closed.value.rcvd else None) == code
        assert hits(venue, kind) == before + 1


def test_a_half_open_socket_says_and_hears_nothing(venue: VenueProcess) -> None:
    with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}", close_timeout=0.1, ping_interval=None) as socket:
        read(socket)
        strike(venue, kind="half_open", seconds=0)
        while True:
            try:
                socket.recv(timeout=0.5)  # what was on its way
            except TimeoutError:
                break
        pong = socket.ping()
        assert not pong.wait(0.5)


def test_disconnects_come_at_their_period(venue: VenueProcess) -> None:
    strike(venue, kind="disconnect", every_s=1.5)
    before = hits(venue, "disconnect")
    for _ in range(2):
        with listen(f"{venue.urls['usdm']['public']}/ws") as socket, pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)
    assert hits(venue, "disconnect") == before + 2


def test_rest_is_refused_slow_or_broken(venue: VenueProcess) -> None:
    strike(venue, kind="refuse", operation="depth", count=1)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        venue.get("/fapi/v1/depth?symbol=BTCUSDT")
    strike(venue, kind="status", operation="depth", status=502, code=-1001, message="Internal error.", count=1)
    broken = venue.get("/fapi/v1/depth?symbol=BTCUSDT")
    assert (broken.status, broken.body) == (502, {"code": -1001, "msg": "Internal error."})
    strike(venue, kind="slow", operation="server_time", delay_ms=300, count=1)
    before = venue.now_ms()
    assert venue.get("/fapi/v1/time").body["serverTime"] - before >= 800  # at three times the speed
    assert venue.get("/fapi/v1/depth?symbol=BTCUSDT").status == 200


def test_the_clock_may_be_wrong(venue: VenueProcess) -> None:
    strike(venue, kind="clock_skew", skew_ms=-60_000)
    assert venue.get("/api/v3/time").body["serverTime"] < venue.now_ms() - 50_000
    assert venue.signed("GET", "/api/v3/account").body["code"] == -1021


def test_a_wrong_clock_counts_each_time_that_it_is_told_or_judged_by(venue: VenueProcess) -> None:
    venue.request("DELETE", "/venue/faults")
    before = hits(venue, "clock_skew")
    strike(venue, kind="clock_skew", skew_ms=-60_000, count=3)
    assert venue.get("/api/v3/depth?symbol=BTCUSDT&limit=5").status == 200  # spot's has no time
    assert hits(venue, "clock_skew") == before
    assert venue.get("/api/v3/time").body["serverTime"] < venue.now_ms() - 50_000
    assert hits(venue, "clock_skew") == before + 1
    assert venue.signed("GET", "/api/v3/account").body["code"] == -1021
    assert hits(venue, "clock_skew") == before + 2
    assert venue.get("/fapi/v1/depth?symbol=BTCUSDT&limit=5").body["E"] < venue.now_ms() - 50_000
    assert hits(venue, "clock_skew") == before + 3
    assert [one["hits"] for one in venue.get("/venue/faults").body] == [3]
    assert abs(venue.get("/api/v3/time").body["serverTime"] - venue.now_ms()) < 5_000  # three were asked for
    assert "error" not in venue.signed("GET", "/api/v3/account").body
    assert hits(venue, "clock_skew") == before + 3


@pytest.mark.parametrize("how", ["silence", "timeout"])
def test_a_lost_acknowledgement_leaves_a_working_order(venue: VenueProcess, how: str) -> None:
    strike(venue, kind="lost_ack", how=how, count=1)
    price = f"{float(venue.best('spot', 'BTCUSDT')[0]) - 200:.1f}"
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    with listen(venue.urls["spot"]["ws_api"]) as socket:
        params = {**order, "price": price, "newClientOrderId": how, "apiKey": API_KEY, "timestamp": venue.now_ms()}
        params["signature"] = sign("&".join(f"{name}={params[name]}" for name in sorted(params)))
        socket.send(json.dumps({"id": 1, "method": "order.place", "params": params}))
        if how == "timeout":
            assert read(socket)["error"]["code"] == -1007
        else:
            socket.send('{"id":2,"method":"ping"}')
            assert read(socket)["id"] == 2
    assert venue.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId=how).body["status"] == "NEW"
    assert venue.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId=how).status == 200


def test_an_order_is_rejected_with_the_code_asked_for(venue: VenueProcess) -> None:
    strike(venue, kind="reject", code=-2010, message="No.", market="spot", count=1)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    assert venue.signed("POST", "/fapi/v1/order", **order).status == 200
    refused = venue.signed("POST", "/api/v3/order", **order)
    assert (refused.status, refused.body) == (400, {"code": -2010, "msg": "No."})
    assert venue.signed("POST", "/api/v3/order", **order).status == 200


def test_fills_are_told_twice_late_or_never(venue: VenueProcess) -> None:
    key = venue.request("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": API_KEY}).body["listenKey"]

    def events(count: int) -> list[str]:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        assert venue.signed("POST", "/fapi/v1/order", **order).status == 200
        heard = [json.loads(socket.recv(timeout=20)) for _ in range(count)]
        return [one["o"]["x"] if one["e"] == "ORDER_TRADE_UPDATE" else one["e"] for one in heard]

    with listen(f"{venue.urls['usdm']['private']}/ws/{key}") as socket:
        assert events(3) == ["NEW", "ACCOUNT_UPDATE", "TRADE"]
        strike(venue, kind="duplicate_fill", count=1)
        assert events(4) == ["NEW", "ACCOUNT_UPDATE", "TRADE", "TRADE"]
        strike(venue, kind="late_fill", delay_ms=4000, count=1)
        strike(venue, kind="duplicate_fill", count=1)
        assert events(2) == ["NEW", "ACCOUNT_UPDATE"]
        assert events(4) == ["NEW", "ACCOUNT_UPDATE", "TRADE", "TRADE"]
        assert json.loads(socket.recv(timeout=20))["o"]["x"] == "TRADE"  # the late one
        strike(venue, kind="lost_fill", count=1)
        assert events(2) == ["NEW", "ACCOUNT_UPDATE"]
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)


def test_the_same_seed_strikes_the_same_messages() -> None:
    def run() -> tuple[list[int], int]:
        with running_venue(
            "--clock", "virtual", "--instrument", "usdm:BTCUSDT", "--fault", "kind=drop share=0.3 stream=*@depth*"
        ) as venue, listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}") as socket:  # fmt: skip
            socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            assert "id" in read(socket)
            venue.control("clock", {"advance_ms": 1000})
            return [read(socket)["u"] for _ in range(60)], hits(venue, "drop")

    assert run() == run()


def test_faults_are_listed_and_ended(venue: VenueProcess) -> None:
    first, second = strike(venue, kind="drop", share=0.0), strike(venue, kind="gap", share=0.0)
    assert [one["id"] for one in venue.get("/venue/faults").body] == [first["id"], second["id"]]
    assert venue.request("DELETE", f"/venue/faults?id={first['id']}").body == {"ended": 1}
    assert [one["kind"] for one in venue.get("/venue/faults").body] == ["gap"]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "nix"},
        {"share": 0.5},
        {"kind": "drop", "share": 2},
        {"kind": "drop", "color": 1},
        {"kind": "status", "status": 200},
    ],
)
def test_a_fault_that_is_none_is_refused_with_a_reason(venue: VenueProcess, fault: dict[str, object]) -> None:
    answer = venue.control("faults", fault)
    assert answer.status == 400
    assert answer.body["problem"]
    assert answer.body["hint"]


def test_faults_come_from_a_file_and_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "venue.toml"
    path.write_text("instruments = ['spot:BTCUSDT']\n[[faults]]\nkind = 'status'\noperation = 'ping'\nstatus = 500\n")
    refusal = "kind=reject code=-2010 message='Market is closed.'"
    with running_venue("--fault", "kind=clock_skew skew_ms=1000", "--fault", refusal, config=path) as venue:
        assert [one["kind"] for one in venue.get("/venue/faults").body] == ["status", "clock_skew", "reject"]
        assert venue.get("/venue/faults").body[2]["message"] == "Market is closed."
        assert venue.get("/api/v3/ping").status == 500


@pytest.mark.parametrize("kind", ["mutate", "nest"])
def test_answers_are_damaged_where_an_operation_is_named_and_messages_where_none_is(venue: VenueProcess, kind: str) -> None:
    whole = venue.get("/api/v3/exchangeInfo").body
    strike(venue, kind=kind, operation="info", seed=4, depth=5_000)
    damaged = [venue.get("/api/v3/exchangeInfo").body for _ in range(5)]
    assert all(one != whole for one in damaged)
    assert any(isinstance(one, bytes) for one in damaged)  # no JSON
    assert breaks(diffs(venue, 10)) == 0
    venue.request("DELETE", "/venue/faults")
    strike(venue, kind=kind, stream=DEPTH, skip=1, depth=5_000)
    assert venue.get("/api/v3/exchangeInfo").body["symbols"] == whole["symbols"]
    with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}") as socket:
        read(socket)
        texts = [socket.recv(timeout=10, decode=False) for _ in range(20)]
    assert sum(not _is_diff(text) for text in texts) >= 3


def _is_diff(text: bytes) -> bool:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and {"U", "u", "pu", "b", "a"} <= message.keys()


def _hear_out(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=1.0)


def test_an_accounts_events_are_damaged_by_their_name_on_both_markets(venue: VenueProcess) -> None:
    before = hits(venue, "nest")
    strike(venue, kind="nest", stream="user_data", depth=7)
    key = venue.request("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": API_KEY}).body["listenKey"]
    params: dict[str, object] = {"apiKey": API_KEY, "timestamp": venue.now_ms()}
    params["signature"] = sign("&".join(f"{name}={params[name]}" for name in sorted(params)))
    with listen(f"{venue.urls['usdm']['private']}/ws/{key}") as usdm, listen(venue.urls["spot"]["ws_api"]) as spot:
        spot.send(json.dumps({"id": 1, "method": "userDataStream.subscribe.signature", "params": params}))
        assert read(spot)["id"] == 1
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        for path, socket in (("/fapi/v1/order", usdm), ("/api/v3/order", spot)):
            assert venue.signed("POST", path, **order).status == 200
            assert set(str(socket.recv(timeout=10))) <= set('[]{"a:')
    assert hits(venue, "nest") > before + 1


@pytest.mark.parametrize("damage", ["opcode", "reserved", "length", "masked", "control", "fragment"])
def test_a_bad_frame_ends_the_connection_or_says_nothing(venue: VenueProcess, damage: str) -> None:
    for seed in range(3):
        strike(venue, kind="bad_frame", damage=damage, stream=DEPTH, skip=1, seed=seed)
        with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}") as socket:
            read(socket)
            with pytest.raises((ConnectionClosed, TimeoutError)):
                _hear_out(socket)
        venue.request("DELETE", "/venue/faults")


def test_fragments_go_on_until_the_client_leaves(venue: VenueProcess) -> None:
    strike(venue, kind="bad_frame", damage="fragments", stream=DEPTH, seed=3, count=1)
    with listen(f"{venue.urls['usdm']['public']}/ws/{DEPTH}", max_size=200_000) as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=20)
    assert breaks(diffs(venue, 10)) == 0
