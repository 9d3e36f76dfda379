"""Refusals on request: the exchange's codes and words by market, and when who asked too often may come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from book_follower import read
from venue_process import VenueProcess, listen, running_venue

from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.errors import InputError
from vtframe.venue.fault import fault_table
from vtframe.venue.words import words


@pytest.fixture(scope="module")
def running() -> Iterator[VenueProcess]:
    with running_venue("--instrument", "usdm:BTCUSDT", "--instrument", "spot:BTCUSDT") as process:
        yield process


@pytest.fixture
def venue(running: VenueProcess) -> Iterator[VenueProcess]:
    """Without the faults of the test before."""
    yield running
    running.request("DELETE", "/venue/faults")


def strike(venue: VenueProcess, **fault: object) -> None:
    assert venue.control("faults", fault).status == 200


@pytest.mark.parametrize(
    ("base", "code", "told"),
    [
        ("/api/v3", -2010, "Account has insufficient balance for requested action."),
        ("/fapi/v1", -2019, "Margin is insufficient."),
    ],
)
def test_a_rejection_is_by_default_one_that_says_what_became_of_the_order(
    venue: VenueProcess, base: str, code: int, told: str
) -> None:
    strike(venue, kind="reject", count=1)
    refused = venue.signed("POST", f"{base}/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    assert (refused.status, refused.body) == (400, {"code": code, "msg": told})
    assert not VenueError("order.place", code, told).ambiguous


def test_a_refused_cancel_and_question_have_codes_of_their_own(venue: VenueProcess) -> None:
    strike(venue, kind="reject", operation="*")
    for method, code, told in (("DELETE", -2011, "Unknown order sent."), ("GET", -2013, "Order does not exist.")):
        refused = venue.signed(method, "/api/v3/order", symbol="BTCUSDT", origClientOrderId="x")
        assert refused.body == {"code": code, "msg": told}


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_a_code_without_words_has_those_of_its_market(venue: VenueProcess, market: str) -> None:
    path = {"spot": "/api/v3/order", "usdm": "/fapi/v1/order"}[market]
    for code in (-1008, -1013, -1015, -1111, -2010, -2022, -5022, -9999):
        strike(venue, kind="reject", code=code, count=1)
        refused = venue.signed("POST", path, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        assert refused.body == {"code": code, "msg": words(market, code)}
    assert words("spot", -1015) != words("usdm", -1015)
    assert words("usdm", -2022) == "ReduceOnly Order is rejected."
    assert words("spot", -9999) == "An unknown error occurred while processing the request."


@pytest.mark.parametrize("status", [429, 418])
def test_who_asks_too_often_is_told_when_to_come_back(venue: VenueProcess, status: int) -> None:
    strike(venue, kind="status", status=status, retry_after_s=17, operation="depth", count=1)
    refused = venue.get("/api/v3/depth?symbol=BTCUSDT")
    assert (refused.status, refused.body["code"], refused.headers["Retry-After"]) == (status, -1003, "17")
    strike(venue, kind="status", status=status, retry_after_s=17, operation="server_time", count=1)
    with listen(venue.urls["spot"]["ws_api"]) as socket:
        socket.send('{"id":1,"method":"time"}')
        refused_there = read(socket)
    data = refused_there["error"]["data"]
    assert (refused_there["status"], data["retryAfter"] - data["serverTime"]) == (status, 17_000)


def test_quotes_that_are_not_closed_are_said_to_be_so() -> None:
    with pytest.raises(InputError, match="No closing quotation"):
        fault_table("kind=reject message='Market")
