"""An instrument that the venue halts, opens again, or quotes in another tick while it runs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from venue_process import VenueProcess, running_venue

SPOT, USDM = "/api/v3", "/fapi/v1"


def order(venue: VenueProcess, base: str, *, price: Decimal) -> Any:
    sent = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010", "price": f"{price}"}
    return venue.signed("POST", f"{base}/order", **sent)


def listed(venue: VenueProcess, base: str) -> dict[str, Any]:
    symbols = venue.get(f"{base}/exchangeInfo").body["symbols"]
    found: dict[str, Any] = next(one for one in symbols if one["symbol"] == "BTCUSDT")
    return found


@pytest.mark.parametrize(("market", "base", "code"), [("spot", SPOT, -1013), ("usdm", USDM, -4141)])
def test_a_halted_instrument_is_listed_so_and_takes_no_orders_until_it_trades_again(market: str, base: str, code: int) -> None:
    with running_venue("--instrument", f"{market}:BTCUSDT") as venue:
        price = Decimal(venue.best(market, "BTCUSDT")[0]).quantize(Decimal("0.1")) - 200
        resting = order(venue, base, price=price)
        assert resting.status == 200, resting.body
        changed = venue.control("instruments", {"market": market, "symbol": "BTCUSDT", "status": "BREAK"})
        assert (changed.status, changed.body["status"]) == (200, "BREAK")
        assert listed(venue, base)["status"] == "BREAK"
        refused = order(venue, base, price=price)
        assert (refused.status, refused.body["code"]) == (400, code)
        gone = venue.signed("DELETE", f"{base}/order", symbol="BTCUSDT", orderId=resting.body["orderId"])
        assert gone.body["status"] == "CANCELED"
        venue.control("instruments", {"market": market, "symbol": "BTCUSDT", "status": "TRADING"})
        assert order(venue, base, price=price).status == 200


def test_a_coarser_tick_is_listed_and_prices_between_are_refused() -> None:
    with running_venue("--instrument", "usdm:BTCUSDT") as venue:
        changed = venue.control("instruments", {"market": "usdm", "symbol": "BTCUSDT", "tick": "0.5"})
        assert changed.body == {"instrument": "usdm:BTCUSDT", "status": "TRADING", "tick": "0.50"}
        filters = {one["filterType"]: one for one in listed(venue, USDM)["filters"]}
        assert Decimal(filters["PRICE_FILTER"]["tickSize"]) == Decimal("0.5")
        price = Decimal(venue.best("usdm", "BTCUSDT")[0]).quantize(Decimal(1)) - 200
        assert order(venue, USDM, price=price + Decimal("0.3")).body["code"] == -4014
        assert order(venue, USDM, price=price + Decimal("0.5")).status == 200


def test_changes_that_cannot_be_are_refused_with_the_reason() -> None:
    with running_venue("--instrument", "usdm:BTCUSDT") as venue:
        for body, words in (
            ({"market": "usdm", "symbol": "NOSUCH", "status": "BREAK"}, "there are usdm:BTCUSDT"),
            ({"market": "usdm", "symbol": "BTCUSDT", "tick": "0.03"}, "is no multiple of 0.1"),
            ({"market": "usdm", "symbol": "BTCUSDT", "tick": "0"}, "is no multiple of 0.1"),
            ({"market": "usdm", "symbol": "BTCUSDT", "tick": "1e9"}, "regex"),
            ({"market": "usdm", "symbol": "BTCUSDT", "status": "on holiday"}, "regex"),
            ({"market": "usdm", "symbol": "BTCUSDT", "lot": "1"}, "unknown field"),
        ):
            answer = venue.control("instruments", body)
            assert answer.status == 400
            assert words in answer.body["problem"], answer.body
        assert listed(venue, USDM)["status"] == "TRADING"
