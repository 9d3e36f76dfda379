"""USD-M's conditional orders: ids of their own, triggers by last and mark price, and what they become."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from venue_process import VenueProcess, running_venue

from vtframe.domain import Side
from vtframe.venue.trailing import Trail

PATH = "/fapi/v1/algoOrder"
TRAILING = {"type": "TRAILING_STOP_MARKET", "triggerPrice": None}


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
        ({**TRAILING}, -1102),  # no callbackRate
        ({**TRAILING, "callbackRate": "0"}, -2007),
        ({**TRAILING, "callbackRate": "0.05"}, -2007),
        ({**TRAILING, "callbackRate": "0.15"}, -2007),
        ({**TRAILING, "callbackRate": "10.1"}, -2007),
        ({**TRAILING, "callbackRate": "-1"}, -2007),
        ({**TRAILING, "callbackRate": "much"}, -2007),
        ({**TRAILING, "callbackRate": "1", "activatePrice": "70000"}, -2021),  # a purchase waits for less than now
        ({**TRAILING, "callbackRate": "1", "side": "SELL", "activatePrice": "50000"}, -2021),
        ({**TRAILING, "callbackRate": "1", "activatePrice": "50000.05"}, -4014),
        ({**TRAILING, "callbackRate": "1", "workingType": "NIX"}, -4112),
        ({**TRAILING, "callbackRate": "1", "quantity": None}, -1102),
        ({**TRAILING, "callbackRate": "1", "quantity": None, "closePosition": "true"}, -4136),
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


def test_a_trailing_stop_waits_is_found_and_is_canceled(still: VenueProcess) -> None:
    below = f"{last_price(still) - 500:.1f}"
    order = place(still, **TRAILING, callbackRate="1.5", activatePrice=below, workingType="MARK_PRICE").body
    assert (order["algoStatus"], order["orderType"]) == ("NEW", "TRAILING_STOP_MARKET")
    assert (order["callbackRate"], order["activatePrice"][:-1], order["workingType"]) == ("1.5", below, "MARK_PRICE")
    assert still.signed("GET", PATH, algoId=order["algoId"]).body == order
    at_once = place(still, **TRAILING, callbackRate="10").body
    assert (at_once["callbackRate"], at_once["activatePrice"]) == ("10", "")
    plain = place(still, triggerPrice=f"{last_price(still) + 500:.1f}").body
    assert (plain["callbackRate"], plain["activatePrice"]) == ("", "")
    assert still.signed("GET", "/fapi/v1/openAlgoOrders").body == [order, at_once, plain]
    assert still.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", quantity="0.010", type=TRAILING["type"]).body[
        "code"
    ] == (-4120)
    assert still.signed("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT").body["code"] == 200
    assert still.signed("GET", PATH, algoId=order["algoId"]).body["algoStatus"] == "CANCELED"


@pytest.mark.parametrize(
    ("side", "activation", "prices", "due"),
    [
        (Side.SELL, 0, [100, 99.1], []),
        (Side.SELL, 0, [100, 99], [99]),
        (Side.SELL, 0, [100, 110, 108.91, 108.9], [108.9]),  # behind the highest, wherever it began
        (Side.SELL, 105, [100, 90, 104.9, 50], []),  # it has not begun
        (Side.SELL, 105, [100, 105, 104, 103.95], [103.95]),
        (Side.BUY, 0, [100, 100.9], []),
        (Side.BUY, 0, [100, 101], [101]),
        (Side.BUY, 0, [100, 90, 90.8, 90.9], [90.9]),
        (Side.BUY, 95, [100, 110, 95.1, 200], []),
        (Side.BUY, 95, [100, 95, 94, 94.9, 94.94], [94.94]),
    ],
)
def test_a_trailing_stop_follows_the_price_and_comes_where_it_has_come_back_by_its_rate(
    side: Side, activation: int, prices: list[float], due: list[float]
) -> None:
    trail = Trail(side=side, callback="1", activation=activation, begins=Decimal(activation))
    assert [price for price in prices if trail.sees(Decimal(str(price)))] == due


def push(venue: VenueProcess, side: str, to: Decimal) -> None:
    """Trade through the book until the price has come to ``to``."""
    for _ in range(200):
        best = last_price(venue)
        if best >= to if side == "BUY" else best <= to:
            return
        levels = venue.truth("usdm", "BTCUSDT").body["asks" if side == "BUY" else "bids"]
        quantity = sum((Decimal(quantity) for _, quantity in levels[:-1]), Decimal("0.001"))
        answer = venue.signed("POST", "/fapi/v1/order", symbol="BTCUSDT", side=side, type="MARKET", quantity=str(quantity))
        assert answer.status == 200, answer.body
        venue.control("clock", {"advance_ms": 100})  # orders of ten seconds are limited as well
    raise AssertionError(f"the price did not come to {to}")


def test_a_trailing_stop_becomes_a_market_order_once_the_price_has_come_back_that_far() -> None:
    with running_venue("--clock", "virtual", "--instrument", "usdm:BTCUSDT") as venue:
        start = last_price(venue)
        above = f"{start * Decimal('1.002'):.1f}"
        orders = {
            "at once": place(venue, **TRAILING, side="SELL", callbackRate="0.1").body["algoId"],
            "later": place(venue, **TRAILING, side="SELL", callbackRate="0.1", activatePrice=above).body["algoId"],
            "far": place(venue, **TRAILING, side="SELL", callbackRate="10").body["algoId"],
        }

        def states() -> dict[str, str]:
            found = {name: venue.signed("GET", PATH, algoId=number).body for name, number in orders.items()}
            return {name: one["algoStatus"] for name, one in found.items()}

        push(venue, "BUY", start * Decimal("1.0003"))
        assert set(states().values()) == {"NEW"}
        push(venue, "SELL", start * Decimal("0.9997"))  # 0.06 % under the highest
        assert set(states().values()) == {"NEW"}
        push(venue, "SELL", start * Decimal("0.9990"))
        assert states() == {"at once": "FINISHED", "later": "NEW", "far": "NEW"}
        made = venue.signed("GET", PATH, algoId=orders["at once"]).body["actualOrderId"]
        order = venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=made).body
        assert (order["type"], order["status"], order["executedQty"]) == ("MARKET", "FILLED", "0.010")
