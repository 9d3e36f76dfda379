"""What a venue says of an order is taken as it stands, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vtframe.builtin.binance.execution.reports import read_report, read_state, read_trades
from vtframe.errors import DecodeError

STATE = {"symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "a-1", "updateTime": 5}


def body(**more: Any) -> bytes:
    return json.dumps(STATE | more).encode()


def test_an_acknowledgement_says_nothing_of_what_was_filled() -> None:
    assert read_state(body(), "a-1").executed == "0"


@pytest.mark.parametrize("status", ["CANCELED", "EXPIRED", "FILLED", "PARTIALLY_FILLED", "NEW"])
def test_a_state_without_what_was_filled_is_not_believed(status: str) -> None:
    assert read_state(body(status=status, executedQty="0.5"), "a-1").executed == "0.5"
    with pytest.raises(DecodeError, match=f"{status}, and executedQty is missing"):
        read_state(body(status=status), "a-1")


@pytest.mark.parametrize("number", [-1, 2**63, 10**400])
def test_an_id_that_no_venue_gives_is_not_asked_for(number: int) -> None:
    with pytest.raises(DecodeError):
        read_state(body(orderId=number, status="NEW", executedQty="0"), "a-1")
    with pytest.raises(DecodeError):
        read_trades(json.dumps([{"id": number, "price": "1", "qty": "1", "time": 5}]).encode())
    event = {"s": "BTCUSDT", "c": "a-1", "x": "NEW", "X": "NEW", "i": number, "z": "0", "T": 5}
    with pytest.raises(DecodeError):
        read_report("executionReport", json.dumps(event).encode())
