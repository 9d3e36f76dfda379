"""Order entry over REST: what is accepted, what becomes of it, and every refusal with the venue's code."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venue_process import API_KEY, VenueProcess, listen, sign

SPOT, USDM = "/api/v3", "/fapi/v1"


def place(venue: VenueProcess, base: str = SPOT, **parameters: object) -> Any:
    usual: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.010"}
    if parameters.get("type", "LIMIT") == "LIMIT":
        usual |= {"timeInForce": "GTC", "price": away(venue, base)}
    given = {name: value for name, value in {**usual, **parameters}.items() if value is not None}
    return venue.signed("POST", f"{base}/order", **given)


def away(venue: VenueProcess, base: str, *, by: int = 300) -> str:
    """A price that rests ``by`` below the best bid."""
    bid = venue.best("spot" if base == SPOT else "usdm", "BTCUSDT")[0]
    return f"{Decimal(bid) - by:.1f}"


def best(venue: VenueProcess, base: str) -> tuple[str, str]:
    return venue.best("spot" if base == SPOT else "usdm", "BTCUSDT")


@pytest.mark.parametrize("base", [SPOT, USDM])
def test_a_resting_order_is_found_listed_and_canceled(still: VenueProcess, base: str) -> None:
    order = place(still, base, newClientOrderId="resting").body
    assert order["status"] == "NEW"
    by_id = still.signed("GET", f"{base}/order", symbol="BTCUSDT", orderId=order["orderId"]).body
    by_name = still.signed("GET", f"{base}/order", symbol="BTCUSDT", origClientOrderId="resting").body
    assert by_id == by_name
    assert order["orderId"] in [one["orderId"] for one in still.signed("GET", f"{base}/openOrders").body]
    canceled = still.signed("DELETE", f"{base}/order", symbol="BTCUSDT", origClientOrderId="resting")
    assert (canceled.status, canceled.body["status"]) == (200, "CANCELED")
    assert still.signed("GET", f"{base}/openOrders", symbol="BTCUSDT").body == []
    assert still.signed("GET", f"{base}/order", symbol="BTCUSDT", orderId=order["orderId"]).body["status"] == "CANCELED"
    again = still.signed("DELETE", f"{base}/order", symbol="BTCUSDT", orderId=order["orderId"])
    assert (again.status, again.body["code"]) == (400, -2011)


@pytest.mark.parametrize("base", [SPOT, USDM])
def test_a_client_order_id_is_free_again_when_its_order_is_closed(still: VenueProcess, base: str) -> None:
    first = place(still, base, newClientOrderId="once").body
    refused = place(still, base, newClientOrderId="once").body
    assert refused["code"] == (-2010 if base == SPOT else -4116)
    still.signed("DELETE", f"{base}/order", symbol="BTCUSDT", orderId=first["orderId"])
    second = place(still, base, newClientOrderId="once").body
    assert second["orderId"] > first["orderId"]
    found = still.signed("GET", f"{base}/order", symbol="BTCUSDT", origClientOrderId="once").body
    assert found["orderId"] == second["orderId"]  # the latest of that name
    still.signed("DELETE", f"{base}/order", symbol="BTCUSDT", orderId=second["orderId"])


def test_a_spot_order_locks_what_it_can_cost_and_gives_it_back(still: VenueProcess) -> None:
    def usdt() -> dict[str, str]:
        balances = still.signed("GET", f"{SPOT}/account").body["balances"]
        return next(one for one in balances if one["asset"] == "USDT")

    before, price = usdt(), away(still, SPOT)
    order = place(still, price=price, quantity="0.500").body
    locked = usdt()
    assert Decimal(locked["locked"]) - Decimal(before["locked"]) == Decimal(price) / 2
    assert Decimal(locked["free"]) == Decimal(before["free"]) - Decimal(price) / 2
    still.signed("DELETE", f"{SPOT}/order", symbol="BTCUSDT", orderId=order["orderId"])
    assert usdt() == before


@pytest.mark.parametrize("base", [SPOT, USDM])
def test_a_market_order_takes_the_best_price_first(still: VenueProcess, base: str) -> None:
    asks = still.truth("spot" if base == SPOT else "usdm", "BTCUSDT").body["asks"][:3]
    quantity = Decimal(asks[0][1]) + Decimal("0.001")
    order = place(still, base, type="MARKET", quantity=str(quantity), newOrderRespType="RESULT").body
    cost = Decimal(asks[0][0]) * Decimal(asks[0][1]) + Decimal(asks[1][0]) * Decimal("0.001")
    assert order["status"] == "FILLED"
    assert Decimal(order["executedQty"]) == quantity
    assert Decimal(order["cummulativeQuoteQty" if base == SPOT else "cumQuote"]) == pytest.approx(cost, abs=Decimal("1e-4"))


@pytest.mark.parametrize("base", [SPOT, USDM])
def test_what_is_taken_is_gone_from_the_book(still: VenueProcess, base: str) -> None:
    market = "spot" if base == SPOT else "usdm"
    asks = still.truth(market, "BTCUSDT").body["asks"]
    order = place(still, base, type="MARKET", quantity="0.002", newOrderRespType="RESULT").body
    assert order["status"] == "FILLED"
    if Decimal(asks[0][1]) > Decimal("0.002"):
        left = still.truth(market, "BTCUSDT").body["asks"]
        assert (left[0][0], Decimal(left[0][1])) == (asks[0][0], Decimal(asks[0][1]) - Decimal("0.002"))
        assert left[1:] == asks[1:]


def test_a_market_order_may_be_for_an_amount_of_money(still: VenueProcess) -> None:
    order = place(still, type="MARKET", quantity=None, quoteOrderQty="1000").body
    assert order["status"] == "FILLED"
    assert 930 < Decimal(order["cummulativeQuoteQty"]) <= 1000
    assert order["origQuoteOrderQty"] == "1000.00000000"


@pytest.mark.parametrize("base", [SPOT, USDM])
def test_immediate_orders_never_rest(still: VenueProcess, base: str) -> None:
    ask = best(still, base)[1]
    available = Decimal(still.truth("spot" if base == SPOT else "usdm", "BTCUSDT").body["asks"][0][1])
    too_much = str(available + 1)
    killed = place(still, base, timeInForce="FOK", price=ask, quantity=too_much, newOrderRespType="RESULT").body
    assert (killed["status"], Decimal(killed["executedQty"])) == ("EXPIRED", 0)
    rest = place(still, base, timeInForce="IOC", price=ask, quantity=too_much, newOrderRespType="RESULT").body
    assert (rest["status"], Decimal(rest["executedQty"])) == ("EXPIRED", available)
    ask = best(still, base)[1]
    whole = place(still, base, timeInForce="FOK", price=ask, quantity="0.005", newOrderRespType="RESULT").body
    assert whole["status"] in ("FILLED", "EXPIRED")
    assert still.signed("GET", f"{base}/openOrders", symbol="BTCUSDT").body == []


def test_a_post_only_order_rests_or_is_refused(still: VenueProcess) -> None:
    bid, ask = best(still, SPOT)
    refused = place(still, type="LIMIT_MAKER", price=ask).body
    assert refused == {"code": -2010, "msg": "Order would immediately match and take."}
    rests = place(still, type="LIMIT_MAKER", price=bid).body
    assert rests["status"] == "NEW"
    still.signed("DELETE", f"{SPOT}/openOrders", symbol="BTCUSDT")
    bid, ask = best(still, USDM)
    assert place(still, USDM, timeInForce="GTX", price=ask).body["code"] == -5022
    assert place(still, USDM, timeInForce="GTX", price=bid).body["status"] == "NEW"
    assert still.signed("DELETE", f"{USDM}/allOpenOrders", symbol="BTCUSDT").body["code"] == 200


def test_a_reduce_only_order_never_takes_more_than_the_position(still: VenueProcess) -> None:
    def position() -> Decimal:
        return Decimal(still.signed("GET", "/fapi/v2/positionRisk", symbol="ETHUSDT").body[0]["positionAmt"])

    def trade(**parameters: object) -> Any:
        return place(still, USDM, symbol="ETHUSDT", type="MARKET", newOrderRespType="RESULT", **parameters).body

    assert trade(side="SELL", quantity="0.050", reduceOnly="true")["code"] == -2022
    assert trade(quantity="0.100")["status"] == "FILLED"
    assert position() == Decimal("0.1")
    assert trade(quantity="0.050", reduceOnly="true")["code"] == -2022
    assert trade(side="SELL", quantity="0.101", reduceOnly="true")["code"] == -2022
    ask = Decimal(still.best("usdm", "ETHUSDT")[1]) + 5
    resting = place(still, USDM, symbol="ETHUSDT", side="SELL", price=f"{ask:.2f}", quantity="0.080", reduceOnly="true").body
    assert resting["status"] == "NEW"
    assert trade(side="SELL", quantity="0.030", reduceOnly="true")["code"] == -2022  # 0.08 of it are spoken for
    assert trade(side="SELL", quantity="0.060")["status"] == "FILLED"
    ended = still.signed("GET", f"{USDM}/order", symbol="ETHUSDT", orderId=resting["orderId"]).body
    assert ended["status"] == "EXPIRED"  # it would now take more than the position
    assert trade(side="SELL", quantity="0.040", reduceOnly="true")["status"] == "FILLED"
    assert position() == 0


def test_profit_and_fees_are_in_the_balance(still: VenueProcess) -> None:
    own = {"key": "trader", "secret": "its secret"}
    assert still.control("accounts", {"name": "trader", "api_key": "trader", "secret": "its secret"}).status == 200

    def wallet() -> Decimal:
        return Decimal(still.signed("GET", "/fapi/v2/balance", **own).body[0]["balance"])

    before = wallet()
    order = {"type": "MARKET", "quantity": "0.100", "newOrderRespType": "RESULT", **own}
    bought = place(still, USDM, **order).body
    sold = place(still, USDM, side="SELL", **order).body
    paid, got = Decimal(bought["cumQuote"]), Decimal(sold["cumQuote"])
    assert wallet() == pytest.approx(before + got - paid - (paid + got) * Decimal("0.0005"), abs=Decimal("1e-6"))
    trades = still.signed("GET", f"{USDM}/userTrades", symbol="BTCUSDT", orderId=sold["orderId"], **own).body
    assert sum(Decimal(one["realizedPnl"]) for one in trades) == pytest.approx(got - paid, abs=Decimal("1e-6"))


def test_public_and_own_trades_have_the_same_ids(still: VenueProcess) -> None:
    with listen(f"{still.urls['spot']['stream']}/ws/btcusdt@trade") as socket:
        order = place(still, type="MARKET", quantity="0.002").body
        public = json.loads(socket.recv(timeout=5))
    assert public["t"] == order["fills"][0]["tradeId"]
    assert (public["p"], public["q"]) == (order["fills"][0]["price"], "0.00200000")
    assert public["m"] is False


BAD: list[tuple[str, dict[str, object], int]] = [
    (SPOT, {"symbol": None}, -1102),
    (SPOT, {"symbol": "NIXUSDT"}, -1121),
    (SPOT, {"side": None}, -1102),
    (SPOT, {"side": "HOLD"}, -1117),
    (SPOT, {"type": "NIX"}, -1116),
    (SPOT, {"type": "STOP_LOSS_LIMIT"}, -1013),
    (SPOT, {"timeInForce": None}, -1102),
    (SPOT, {"timeInForce": "GTX"}, -1115),
    (SPOT, {"type": "MARKET", "timeInForce": "GTC"}, -1106),
    (SPOT, {"type": "MARKET", "price": "1"}, -1106),
    (SPOT, {"type": "MARKET", "quoteOrderQty": "100"}, -1128),
    (SPOT, {"type": "MARKET", "quantity": None, "quoteOrderQty": "nix"}, -1100),
    (SPOT, {"price": None}, -1102),
    (SPOT, {"price": "-1"}, -1100),
    (SPOT, {"price": "1e5"}, -1100),
    (SPOT, {"price": "61000.123456789"}, -1111),
    (SPOT, {"price": "61000.05"}, -1013),
    (SPOT, {"price": "0"}, -1013),
    (SPOT, {"price": "30000"}, -1013),
    (SPOT, {"quantity": "0.0101"}, -1013),
    (SPOT, {"quantity": "0"}, -1013),
    (SPOT, {"quantity": "100000"}, -1013),
    (SPOT, {"quantity": "0.001", "symbol": "ETHUSDT", "price": "2640"}, -1013),
    (SPOT, {"quantity": "900"}, -2010),
    (SPOT, {"newClientOrderId": "a b"}, -1100),
    (SPOT, {"newClientOrderId": "x" * 37}, -1100),
    (SPOT, {"newOrderRespType": "ALL"}, -1100),
    (SPOT, {"type": "MARKET", "quantity": "200"}, -1013),
    (USDM, {"symbol": "NIXUSDT"}, -1121),
    (USDM, {"type": "NIX"}, -1116),
    (USDM, {"type": "STOP_MARKET", "stopPrice": "1"}, -4120),
    (USDM, {"type": "TRAILING_STOP_MARKET"}, -4120),
    (USDM, {"timeInForce": "NIX"}, -1115),
    (USDM, {"price": "61000.123"}, -1111),
    (USDM, {"price": "61000.05"}, -4014),
    (USDM, {"price": "0"}, -4001),
    (USDM, {"price": "90000"}, -4016),
    (USDM, {"price": "30000"}, -4024),
    (USDM, {"quantity": "0"}, -4003),
    (USDM, {"quantity": "0.0101"}, -1111),
    (USDM, {"quantity": "5000"}, -4005),
    (USDM, {"quantity": "0.001"}, -4164),
    (USDM, {"quantity": "900"}, -2019),
    (USDM, {"positionSide": "LONG"}, -4061),
    (USDM, {"reduceOnly": "maybe"}, -1100),
    (USDM, {"reduceOnly": "true"}, -2022),
]


@pytest.mark.parametrize(("base", "parameters", "code"), BAD)
def test_a_bad_order_is_refused_with_the_venues_code(
    still: VenueProcess, base: str, parameters: dict[str, object], code: int
) -> None:
    answer = place(still, base, **parameters)
    assert (answer.status, answer.body["code"]) == (400, code), answer.body
    assert set(answer.body) == {"code", "msg"}


@pytest.mark.parametrize(
    ("request_line", "parameters", "expected"),
    [
        (f"GET {SPOT}/order", {"symbol": "BTCUSDT", "orderId": 99}, (400, -2013)),
        (f"GET {SPOT}/order", {"symbol": "BTCUSDT"}, (400, -1102)),
        (f"DELETE {SPOT}/order", {"symbol": "BTCUSDT", "origClientOrderId": "never"}, (400, -2011)),
        (f"DELETE {SPOT}/openOrders", {"symbol": "BTCUSDT"}, (400, -2011)),
        (f"GET {USDM}/order", {"symbol": "BTCUSDT", "orderId": "nix"}, (400, -2013)),
        (f"GET {SPOT}/myTrades", {"symbol": "BTCUSDT", "limit": "x"}, (400, -1100)),
        (f"POST {USDM}/leverage", {"symbol": "BTCUSDT", "leverage": 500}, (400, -4028)),
        (f"GET {SPOT}/account", {"recvWindow": 60001}, (400, -1131)),
        (f"GET {SPOT}/account", {"timestamp": 1}, (400, -1021)),
        (f"GET {SPOT}/account", {"key": "nix"}, (401, -2015)),
        (f"GET {SPOT}/account", {"key": ""}, (401, -2014)),
        (f"GET {SPOT}/account", {"secret": "wrong"}, (400, -1022)),
        (f"PUT {USDM}/listenKey", {}, (400, -1125)),
        (f"POST {SPOT}/userDataStream", {}, (410, -1104)),
    ],
)
def test_other_bad_requests_have_their_codes_too(
    still: VenueProcess, request_line: str, parameters: dict[str, Any], expected: tuple[int, int]
) -> None:
    answer = still.signed(*request_line.split(), **parameters)
    assert (answer.status, answer.body["code"]) == expected, answer


def test_a_timestamp_is_good_within_its_window_and_not_ahead(still: VenueProcess) -> None:
    now = still.now_ms()
    path = f"{SPOT}/account"
    assert still.signed("GET", path, timestamp=now - 5000).status == 200
    assert still.signed("GET", path, timestamp=now - 5001).body["code"] == -1021
    assert still.signed("GET", path, timestamp=now - 9000, recvWindow=10_000).status == 200
    assert still.signed("GET", path, timestamp=now + 999).status == 200
    assert "ahead" in still.signed("GET", path, timestamp=now + 1000).body["msg"]
    assert still.signed("GET", path, timestamp=now * 1000).status == 200  # microseconds


def test_a_signature_covers_query_and_body(still: VenueProcess) -> None:
    headers = {"X-MBX-APIKEY": API_KEY, "Content-Type": "application/x-www-form-urlencoded"}
    body = f"side=BUY&type=MARKET&quantity=0.001&timestamp={still.now_ms()}"
    good = sign("symbol=BTCUSDT" + body)
    path = f"{SPOT}/order/test?symbol=BTCUSDT"
    assert still.request("POST", path, f"{body}&signature={good}".encode(), headers).status == 200
    changed = body.replace("BUY", "SELL")
    answer = still.request("POST", path, f"{changed}&signature={good}".encode(), headers)
    assert answer.body["code"] == -1022
    answer = still.request("POST", path, body.encode(), headers)
    assert answer.body["code"] == -1102


Texts = st.sampled_from(
    ["BTCUSDT", "BUY", "SELL", "LIMIT", "MARKET", "STOP", "GTC", "true", "0", "1e9", "9" * 600, "-1", "0.01"]
)
NAMES = (
    "side type timeInForce quantity price quoteOrderQty newClientOrderId orderId origClientOrderId recvWindow limit leverage",
    "reduceOnly triggerPrice algoId clientAlgoId closePosition workingType newOrderRespType",
)
Odd = st.dictionaries(st.sampled_from([name for line in NAMES for name in line.split()]), Texts | st.text(max_size=8))
LINES = (
    [f"{method} {base}/order" for method in ("POST", "DELETE", "GET") for base in (SPOT, USDM)]
    + [f"{method} {USDM}/algoOrder" for method in ("POST", "DELETE", "GET")]
    + [f"GET {SPOT}/myTrades", f"GET {USDM}/openOrders", f"POST {USDM}/leverage", f"GET {SPOT}/depth", f"GET {USDM}/depth"]
)


def test_whatever_a_request_carries_is_answered(still: VenueProcess) -> None:
    @settings(max_examples=150, deadline=None)
    @given(line=st.sampled_from(LINES), parameters=Odd)
    def answered(line: str, parameters: dict[str, str]) -> None:
        answer = still.signed(*line.split(), symbol="BTCUSDT", **parameters)
        assert answer.status in (200, 400, 429), (line, parameters, answer)
        assert answer.status == 200 or set(answer.body) == {"code", "msg"}

    answered()
    still.control("clock", {"advance_ms": 200_000})
    for base in (SPOT, USDM):
        still.signed("DELETE", f"{base}/{'openOrders' if base == SPOT else 'allOpenOrders'}", symbol="BTCUSDT")
    still.signed("POST", f"{USDM}/leverage", symbol="BTCUSDT", leverage=20)


def test_a_signature_that_is_no_text_is_refused(still: VenueProcess) -> None:
    path = f"{SPOT}/account?timestamp={still.now_ms()}&signature=%F0%9F%98%80"
    answer = still.request("GET", path, headers={"X-MBX-APIKEY": API_KEY})
    assert (answer.status, answer.body["code"]) == (400, -1022)


def test_the_number_of_open_orders_is_limited(still: VenueProcess) -> None:
    price = f"{Decimal(still.best('usdm', 'ETHUSDT')[0]) - 20:.2f}"
    for _ in range(200):
        answer = place(still, USDM, symbol="ETHUSDT", price=price)
        if answer.status == 429:  # fewer orders fit into ten seconds
            still.control("clock", {"advance_ms": 10_000})
            answer = place(still, USDM, symbol="ETHUSDT", price=price)
        assert answer.status == 200
    refused = place(still, USDM, symbol="ETHUSDT", price=price)
    assert refused.body == {"code": -2025, "msg": "Reach max open order limit."}
    assert still.signed("DELETE", f"{USDM}/allOpenOrders", symbol="ETHUSDT").body["code"] == 200
    assert still.signed("GET", f"{USDM}/openOrders", symbol="ETHUSDT").body == []


def test_a_resting_order_is_filled_by_the_flow(still: VenueProcess) -> None:
    bid, _ = best(still, SPOT)
    order = place(still, price=bid, quantity="0.001", type="LIMIT_MAKER").body
    found = order
    for _ in range(600):
        still.control("clock", {"advance_ms": 500})
        found = still.signed("GET", f"{SPOT}/order", symbol="BTCUSDT", orderId=order["orderId"]).body
        if found["status"] != "NEW":
            break
    assert found["status"] == "FILLED"
    trades = still.signed("GET", f"{SPOT}/myTrades", symbol="BTCUSDT", orderId=order["orderId"]).body
    assert [(one["isMaker"], one["price"]) for one in trades] == [(True, bid)]
