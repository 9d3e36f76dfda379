"""USD-M's conditional orders: ids of their own, triggers by last and mark price, and what they become."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from venue_process import VenueProcess, running_venue

PATH = "/fapi/v1/algoOrder"


def place(venue: VenueProcess, **parameters: object) -> Any:
    usual: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "type": "STOP_MARKET", "quantity": "0.010"}
    given = {name: value for name, value in {**usual, **parameters}.items() if value is not None}
    return venue.signed("POST", PATH, **given)


def last_price(venue: VenueProcess) -> Decimal:
    return Decimal(venue.best("usdm", "BTCUSDT")[0])


def test_a_conditional_order_waits_is_found_and_canceled(still: VenueProcess) -> None:
    above = f"{last_price(still) + 500:.1f}"
    order = place(still, triggerPrice=above, clientAlgoId="stop").body
    assert (order["algoStatus"], order["triggerPrice"][:-1]) == ("NEW", above)
    assert still.signed("GET", PATH, algoId=order["algoId"]).body == order
    assert still.signed("GET", PATH, clientAlgoId="stop").body == order
    assert place(still, triggerPrice=above, clientAlgoId="stop").body["code"] == -4116
    assert still.signed("GET", "/fapi/v1/openAlgoOrders").body == [order]
    assert still.signed("GET", "/fapi/v1/openOrders").body == []  # another list
    assert still.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=order["algoId"]).body["code"] == -2013
    assert still.signed("DELETE", PATH, algoId=order["algoId"]).body["code"] == "200"
    assert still.signed("DELETE", PATH, algoId=order["algoId"]).body["code"] == -2011
    assert still.signed("GET", PATH, algoId=order["algoId"]).body["algoStatus"] == "CANCELED"
    place(still, triggerPrice=above)
    assert still.signed("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT").body["code"] == 200
    assert still.signed("GET", "/fapi/v1/openAlgoOrders").body == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"type": None}, -1102),
        ({"type": "LIMIT"}, -1116),
        ({"algoType": "VP"}, -4500),
        ({"side": None}, -1102),
        ({"triggerPrice": None}, -1102),
        ({"triggerPrice": "70000.05"}, -4014),
        ({"triggerPrice": "50000"}, -2021),
        ({"quantity": None}, -1102),
        ({"quantity": "0"}, -4003),
        ({"closePosition": "true"}, -4136),
        ({"workingType": "NIX"}, -4112),
        ({"type": "STOP"}, -1102),
        ({"type": "STOP", "price": "90000"}, -4016),
        ({"side": "SELL"}, -2021),
        ({"type": "TAKE_PROFIT_MARKET"}, -2021),
    ],
)
def test_a_bad_conditional_order_is_refused(still: VenueProcess, parameters: dict[str, object], code: int) -> None:
    answer = place(still, **{"triggerPrice": "70000", **parameters})
    assert answer.body["code"] == code, answer.body


def test_a_stop_becomes_an_order_when_the_price_reaches_it() -> None:
    with running_venue("--clock", "virtual", "--instrument", "usdm:BTCUSDT") as venue:
        start = last_price(venue)
        stops = {
            "stop": place(venue, side="BUY", triggerPrice=f"{start + Decimal('0.6'):.1f}").body["algoId"],
            "profit": place(venue, type="TAKE_PROFIT_MARKET", triggerPrice=f"{start - Decimal('0.6'):.1f}").body["algoId"],
            "mark": place(venue, triggerPrice=f"{start + Decimal('0.6'):.1f}", workingType="MARK_PRICE").body["algoId"],
            "close": place(
                venue, side="SELL", triggerPrice=f"{start - Decimal('0.6'):.1f}", quantity=None, closePosition="true"
            ).body["algoId"],
        }
        states: dict[str, Any] = {}
        for _ in range(300):
            venue.control("clock", {"advance_ms": 500})
            states = {name: venue.signed("GET", PATH, algoId=number).body for name, number in stops.items()}
            if states["stop"]["algoStatus"] == states["profit"]["algoStatus"] == states["mark"]["algoStatus"] == "FINISHED":
                break
        for name in ("stop", "profit", "mark"):
            assert states[name]["algoStatus"] == "FINISHED", states[name]
            number = states[name]["actualOrderId"]
            order = venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=number).body
            assert (order["status"], order["executedQty"]) == ("FILLED", "0.010")
            assert int(number) not in stops.values()
        assert states["close"]["algoStatus"] in ("FINISHED", "REJECTED")  # rejected where there was nothing to close
