"""Public REST: instruments, time and depth of the three markets, with their limits, weights and codes."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from venue_process import VenueProcess

from vtframe.venue.listing import read_listing
from vtframe.venue.order_request import read_quantity
from vtframe.venue.refusal import Refusal

BASES = {"spot": ("/api/v3", "BTCUSDT"), "usdm": ("/fapi/v1", "BTCUSDT"), "coinm": ("/dapi/v1", "BTCUSD_PERP")}


@pytest.mark.parametrize("market", BASES)
def test_what_is_listed_is_what_orders_and_books_are_made_of(still: VenueProcess, market: str) -> None:
    base, symbol = BASES[market]
    body = still.get(f"{base}/exchangeInfo").body
    assert body["serverTime"] == still.now_ms()
    assert {limit["rateLimitType"] for limit in body["rateLimits"]} == {"REQUEST_WEIGHT", "ORDERS"}
    listed = next(one for one in body["symbols"] if one["symbol"] == symbol)
    filters = {one["filterType"]: one for one in listed["filters"]}
    tick, lot = Decimal(filters["PRICE_FILTER"]["tickSize"]), Decimal(filters["LOT_SIZE"]["stepSize"])
    truth = still.truth(market, symbol).body
    for price, quantity in truth["bids"] + truth["asks"]:
        assert Decimal(price) % tick == 0
        assert Decimal(quantity) % lot == 0
    assert ("NOTIONAL" in filters) == (market == "spot")
    assert ("MIN_NOTIONAL" in filters) == (market == "usdm")
    if market == "coinm":
        assert listed["contractSize"] == 100


def test_spot_lists_the_symbols_asked_for(still: VenueProcess) -> None:
    def symbols(query: str) -> list[str]:
        return [one["symbol"] for one in still.get(f"/api/v3/exchangeInfo?{query}").body["symbols"]]

    assert symbols("symbol=ETHUSDT") == ["ETHUSDT"]
    assert symbols("symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D") == ["BTCUSDT", "ETHUSDT"]
    assert still.get("/api/v3/exchangeInfo?symbol=NIX").body["code"] == -1121
    assert still.get("/api/v3/exchangeInfo?symbols=nix").body["code"] == -1100


@pytest.mark.parametrize("market", BASES)
def test_a_depth_snapshot_has_the_best_levels_and_costs_by_its_limit(still: VenueProcess, market: str) -> None:
    base, symbol = BASES[market]
    truth = still.truth(market, symbol).body
    for limit, weight in {"spot": ((5, 5), (500, 25), (5000, 250)), "usdm": ((5, 2), (500, 10), (1000, 20))}.get(
        market, ((5, 2), (1000, 20))
    ):
        used = int(still.get(f"{base}/time").headers["X-MBX-USED-WEIGHT-1M"])
        answer = still.get(f"{base}/depth?symbol={symbol}&limit={limit}")
        assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) - used == weight
        for side in ("bids", "asks"):
            assert answer.body[side] == [list(level) for level in truth[side][:limit]]
        assert answer.body["lastUpdateId"] == truth["last_update_id"]
    assert still.get(f"{base}/depth?symbol={symbol}&limit=x").body["code"] == -1100
    assert still.get(f"{base}/depth").body["code"] == -1102
    odd = still.get(f"{base}/depth?symbol={symbol}&limit=7")
    assert len(odd.body["bids"]) == 7 if market == "spot" else odd.body["code"] == -4021


def test_mark_and_best_prices_are_answered(still: VenueProcess) -> None:
    bid, ask = still.best("usdm", "BTCUSDT")
    ticker = still.get("/fapi/v1/ticker/bookTicker?symbol=BTCUSDT").body
    assert (ticker["bidPrice"], ticker["askPrice"]) == (bid, ask)
    assert len(still.get("/api/v3/ticker/bookTicker").body) == 2
    mark = still.get("/fapi/v1/premiumIndex?symbol=BTCUSDT").body
    assert abs(Decimal(mark["markPrice"]) - Decimal(bid)) < 100
    assert mark["nextFundingTime"] > mark["time"] == still.now_ms()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("market=nix&symbol=BTCUSDT", 400),
        ("market=spot&symbol=BTCUSDT&update_id=x", 400),
        ("market=spot&symbol=BTCUSDT&update_id=1", 410),
        ("market=spot&symbol=BTCUSDT", 200),
    ],
)
def test_the_truth_is_told_or_why_not(still: VenueProcess, query: str, status: int) -> None:
    answer = still.get(f"/venue/truth?{query}")
    assert answer.status == status
    assert status == 200 or set(answer.body) == {"problem", "hint"}


def test_a_quantity_off_a_coarser_lot_has_its_code() -> None:
    coarse = msgspec.structs.replace(read_listing("usdm:BTCUSDT"), lot=10)
    assert read_quantity(coarse, {"quantity": "0.020"}) == 20
    with pytest.raises(Refusal) as refused:
        read_quantity(coarse, {"quantity": "0.025"})
    assert refused.value.code == -4023


def test_every_code_of_the_venue_is_tested(root: Path) -> None:
    def codes(pattern: str, folder: Path) -> set[str]:
        return {code for path in folder.glob("*.py") for code in re.findall(pattern, path.read_text())}

    sent = codes(r"Refusal\(\s*(-[0-9]{4})", root / "vtframe" / "venue")
    assert len(sent) > 30
    assert sent <= codes(r"-[0-9]{4}", root / "tests" / "venue")
