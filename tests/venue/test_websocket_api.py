"""The WebSocket API: signed requests, sessions that logged on, user data of spot and USD-M."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from venue_process import API_KEY, VenueProcess, listen, sign, sign_ed25519
from websockets.sync.client import ClientConnection

ED_KEY = Ed25519PrivateKey.generate()


class Api:
    """One connection: requests, answers, and the events between them."""

    def __init__(self, venue: VenueProcess, socket: ClientConnection) -> None:
        self.venue = venue
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self._id = 0

    def ask(self, method: str, **params: object) -> Any:
        self._id += 1
        self.socket.send(json.dumps({"id": self._id, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv(timeout=10))
            if "id" in answer:
                assert answer["id"] == self._id
                return answer
            self.events.append(answer)

    def timed(self, method: str, **params: object) -> Any:
        return self.ask(method, timestamp=self.venue.now_ms(), **params)

    def signed(self, method: str, **params: object) -> Any:
        """Signed with HMAC-SHA256."""
        every = {"apiKey": API_KEY, "timestamp": self.venue.now_ms(), **params}
        return self.ask(method, **every, signature=sign(payload(every)))

    def log_on(self) -> Any:
        every: dict[str, object] = {"apiKey": "ed25519", "timestamp": self.venue.now_ms()}
        return self.ask("session.logon", **every, signature=sign_ed25519(ED_KEY, payload(every)))


def payload(params: dict[str, object]) -> str:
    return "&".join(f"{name}={params[name]}" for name in sorted(params))


@pytest.fixture(scope="module")
def keyed(still: VenueProcess) -> VenueProcess:
    public = ED_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    account = {"name": "ed25519", "api_key": "ed25519", "public_key": public.decode()}
    assert still.control("accounts", account).status == 200
    return still


@contextmanager
def api(venue: VenueProcess, market: str = "spot") -> Iterator[Api]:
    with listen(venue.urls[market]["ws_api"]) as socket:
        yield Api(venue, socket)


def test_public_questions_need_no_key(still: VenueProcess) -> None:
    with api(still) as one:
        assert one.ask("ping")["result"] == {}
        assert one.ask("time")["result"]["serverTime"] == still.now_ms()
        depth = one.ask("depth", symbol="BTCUSDT", limit=5)["result"]
        assert len(depth["bids"]) == len(depth["asks"]) == 5
        assert one.ask("exchangeInfo", symbol="BTCUSDT")["result"]["symbols"][0]["symbol"] == "BTCUSDT"


def test_orders_are_signed_one_by_one_with_hmac(still: VenueProcess) -> None:
    with api(still) as one:
        price = f"{Decimal(still.best('spot', 'BTCUSDT')[0]) - 100:.1f}"
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        placed = one.signed("order.place", **order, price=price)
        assert placed["status"] == 200
        assert [limit["rateLimitType"] for limit in placed["rateLimits"]] == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
        number = placed["result"]["orderId"]
        assert one.signed("order.status", symbol="BTCUSDT", orderId=number)["result"]["status"] == "NEW"
        assert [found["orderId"] for found in one.signed("openOrders.status")["result"]] == [number]
        assert one.signed("order.cancel", symbol="BTCUSDT", orderId=number)["result"]["status"] == "CANCELED"
        assert one.signed("account.status")["result"]["accountType"] == "SPOT"


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_a_session_that_logged_on_needs_no_signatures(keyed: VenueProcess, market: str) -> None:
    with api(keyed, market) as one:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "newOrderRespType": "RESULT"}
        assert one.timed("order.place", **order)["error"]["code"] == -2014
        logged_on = one.log_on()["result"]
        assert logged_on["apiKey"] == "ed25519"
        assert one.timed("order.place", **order)["result"]["status"] == "FILLED"
        assert one.ask("order.place", **order)["error"]["code"] == -1102  # a timestamp all the same
        assert one.ask("order.place", **order, timestamp=1)["error"]["code"] == -1021
        assert one.ask("session.status")["result"]["authorizedSince"] == logged_on["authorizedSince"]
        assert one.ask("session.logout")["result"]["apiKey"] is None
        assert one.timed("order.place", **order)["error"]["code"] == -2014


def test_only_ed25519_keys_log_on(still: VenueProcess) -> None:
    with api(still) as one:
        assert one.signed("session.logon")["error"]["code"] == -4056


def test_a_number_is_signed_as_it_was_written(still: VenueProcess) -> None:
    with api(still) as one:
        order = f'"apiKey":"{API_KEY}","price":61500.50,"quantity":0.010,"side":"BUY","symbol":"BTCUSDT"'
        text = f"apiKey={API_KEY}&price=61500.50&quantity=0.010&side=BUY&symbol=BTCUSDT&timeInForce=GTC"
        now = still.now_ms()
        text += f"&timestamp={now}&type=LIMIT"
        rest = f'"timeInForce":"GTC","timestamp":{now},"type":"LIMIT","signature":"{sign(text)}"'
        one.socket.send(f'{{"id":"a","method":"order.test","params":{{{order},{rest}}}}}')
        assert json.loads(one.socket.recv(timeout=10))["result"] == {}


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("{", 400, -1135),
        ("[1]", 400, -1135),
        ('{"id":1,"params":{}}', 400, -1135),
        ('{"id":1,"method":"order.place","params":[1]}', 400, -1135),
        ("[" * 10_000, 400, -1135),
        ('{"id":1,"method":"order.fly"}', 400, -1020),
        ('{"id":1,"method":"order.place","params":{"apiKey":"nix","timestamp":1}}', 401, -2015),
        ('{"id":1,"method":"order.place","params":{"apiKey":"vtframe-test-key"}}', 400, -1102),
        ('{"id":1,"method":"userDataStream.subscribe"}', 401, -2015),
    ],
)
def test_what_makes_no_sense_is_answered(still: VenueProcess, text: str, status: int, code: int) -> None:
    with listen(still.urls["spot"]["ws_api"]) as socket:
        socket.send(text)
        answer = json.loads(socket.recv(timeout=10))
    assert (answer["status"], answer["error"]["code"]) == (status, code)


Anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
Methods = st.sampled_from(["order.place", "order.cancel", "order.status", "depth", "session.logon", "exchangeInfo", "x"])
Names = st.sampled_from(["symbol", "side", "type", "quantity", "price", "limit", "orderId", "apiKey", "timestamp", "signature"])


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_whatever_is_sent_is_answered_and_breaks_nothing(still: VenueProcess, market: str) -> None:
    with listen(still.urls[market]["ws_api"]) as socket:

        @settings(max_examples=60, deadline=None)
        @given(
            request=Anything
            | st.fixed_dictionaries({"id": Anything, "method": Methods, "params": st.dictionaries(Names, Anything)})
        )
        def answered(request: object) -> None:
            socket.send(json.dumps(request))
            answer = json.loads(socket.recv(timeout=10))
            assert answer["status"] in (200, 400, 401, 418, 429)
            assert ("error" in answer) != ("result" in answer)

        answered()
    still.control("clock", {"advance_ms": 200_000})  # what it weighed is forgotten
    assert still.get("/api/v3/ping").status == 200


def test_spot_user_data_tells_of_every_step_of_an_order(keyed: VenueProcess) -> None:
    with api(keyed) as one:
        one.log_on()
        assert one.ask("userDataStream.subscribe")["result"] == {"subscriptionId": 0}
        assert one.ask("userDataStream.subscribe")["error"]["code"] == -2035
        signed = one.signed("userDataStream.subscribe.signature")  # the other account's, on the same connection
        assert signed["result"] == {"subscriptionId": 1}
        one.timed("order.place", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01", newClientOrderId="buy")
        price = f"{Decimal(keyed.best('spot', 'BTCUSDT')[0]) - 100:.1f}"
        resting = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": price, "quantity": "0.01"}
        one.timed("order.place", symbol="BTCUSDT", newClientOrderId="rest", **resting)
        one.timed("order.cancel", symbol="BTCUSDT", origClientOrderId="rest", newClientOrderId="undo")
        reports = [event["event"] for event in one.events if event["event"]["e"] == "executionReport"]
        assert {event["subscriptionId"] for event in one.events} == {0}
        assert [(report["x"], report["X"], report["c"], report["C"]) for report in reports] == [
            ("NEW", "NEW", "buy", ""),
            ("TRADE", "FILLED", "buy", ""),
            ("NEW", "NEW", "rest", ""),
            ("CANCELED", "CANCELED", "undo", "rest"),
        ]
        fill = reports[1]
        assert (fill["l"], fill["z"], fill["N"]) == ("0.01000000", "0.01000000", "BTC")
        assert Decimal(fill["Z"]) == Decimal(fill["L"]) * Decimal("0.01")
        positions = [event["event"] for event in one.events if event["event"]["e"] == "outboundAccountPosition"]
        account = one.timed("account.status")["result"]["balances"]
        held = {balance["asset"]: (balance["free"], balance["locked"]) for balance in account}
        assert {balance["a"]: (balance["f"], balance["l"]) for balance in positions[-1]["B"]} == held
        one.ask("userDataStream.unsubscribe", subscriptionId=0)
        assert one.ask("session.subscriptions")["result"] == [{"subscriptionId": 1}]


def test_usdm_user_data_comes_on_the_private_route_by_listen_key(still: VenueProcess) -> None:
    headers = {"X-MBX-APIKEY": API_KEY}
    key = still.request("POST", "/fapi/v1/listenKey", headers=headers).body["listenKey"]
    assert still.request("PUT", "/fapi/v1/listenKey", headers=headers).body == {"listenKey": key}
    private = still.urls["usdm"]["private"]
    with listen(f"{private}/ws/{key}") as bare, listen(f"{private}/stream?streams={key}") as combined:
        order = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01"}
        assert still.signed("POST", "/fapi/v1/order", **order).status == 200
        events = [json.loads(bare.recv(timeout=5)) for _ in range(3)]
        assert [event["e"] for event in events] == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
        filled = events[2]["o"]
        assert (filled["x"], filled["X"], filled["z"]) == ("TRADE", "FILLED", "0.010")
        position = still.signed("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT").body[0]
        assert events[1]["a"]["P"][0]["pa"] == position["positionAmt"]
        assert json.loads(combined.recv(timeout=5)) == {"stream": key, "data": events[0]}
    still.control("clock", {"advance_ms": 1})
    with listen(f"{private}/ws/{key}") as socket:
        assert still.request("DELETE", "/fapi/v1/listenKey", headers=headers).status == 200
        assert still.request("PUT", "/fapi/v1/listenKey", headers=headers).body["code"] == -1125
        still.signed("POST", "/fapi/v1/order", **order)
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)


def test_a_key_that_was_never_made_is_silent(still: VenueProcess) -> None:
    with listen(f"{still.urls['usdm']['private']}/ws/nix") as socket:
        still.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)
