"""ccxt's floats become the venue's decimals again, proven one by one; books are compared picture by picture."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtframe_ccxt.book import ShownBook
from vtframe_ccxt.exact import fixed_array
from vtframe_ccxt.market import Digits, instrument_of
from vtframe_ccxt.trades import append_trades

from vtframe.api import ConfigError, DecodeError
from vtframe.domain import EventFlag, EventKind, FrameKind, InstrumentKind, Records

SPOT: dict[str, Any] = {
    "id": "BTCUSDT",
    "symbol": "BTC/USDT",
    "type": "spot",
    "base": "BTC",
    "quote": "USDT",
    "settle": None,
    "precision": {"price": 0.01, "amount": 1e-05},
    "limits": {"cost": {"min": 5.0}},
    "maker": 0.0002,
    "taker": 0.00075,
}


def instrument(market: dict[str, Any] = SPOT, *, mode: int = 4, digits: Digits | None = None) -> Any:
    return instrument_of(market, "binance", precision_mode=mode, digits=digits or Digits())


BTC = instrument()


@given(st.integers(0, 10**15 - 1), st.integers(0, 12))
def test_every_decimal_of_15_digits_comes_back_from_its_float(number: int, decimals: int) -> None:
    text = f"{Decimal(number).scaleb(-decimals):f}"
    assert fixed_array([float(text)], decimals).tolist() == [number]


@given(st.integers(1, 10**13), st.integers(0, 8), st.integers(1, 9))
def test_one_digit_more_than_there_are_decimals_is_refused(number: int, decimals: int, digit: int) -> None:
    text = f"{Decimal(number * 10 + digit).scaleb(-decimals - 1):f}"
    with pytest.raises(DecodeError, match=f"is no decimal number of at most {decimals} decimals"):
        fixed_array([1.0, float(text)], decimals)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, -0.01, 1e300, 2.0**53])
def test_what_is_no_number_of_a_book_is_refused(value: float) -> None:
    with pytest.raises(DecodeError):
        fixed_array([value], 2)


def test_sixteen_digits_and_more_are_refused_where_the_float_is_not_theirs_alone() -> None:
    assert fixed_array([float("9007199254740.99")], 2).tolist() == [900719925474099]
    with pytest.raises(DecodeError):
        fixed_array([float("90071992547409.93")], 2)


Level = tuple[int, int]
Picture = tuple[dict[int, int], dict[int, int]]
_side = st.dictionaries(st.integers(1, 40), st.integers(1, 5), max_size=12)


def shown(picture: Picture, nonce: int | None) -> dict[str, Any]:
    bids, asks = picture
    return {
        "bids": [[price / 100, quantity / 100_000] for price, quantity in sorted(bids.items(), reverse=True)],
        "asks": [[price / 100, quantity / 100_000] for price, quantity in sorted(asks.items())],
        "nonce": nonce,
        "timestamp": 1_700_000_000_000,
    }


def applied(records: Records, sides: Picture) -> Picture:
    """An independent book: what the frames say, one after the other."""
    bids, asks = dict(sides[0]), dict(sides[1])
    for event in records.events[: records.n_events]:
        if event["kind"] == EventKind.BOOK_CLEAR:
            bids, asks = {}, {}
            continue
        levels = bids if event["side"] == 1 else asks
        if event["quantity"]:
            levels[int(event["price"])] = int(event["quantity"])
        else:
            del levels[int(event["price"])]  # what was never there is never removed
    return bids, asks


@given(st.lists(st.tuples(_side, _side), min_size=1, max_size=8), st.integers(1, 15))
def test_frames_of_differences_make_the_same_books_as_the_pictures(pictures: list[Picture], limit: int) -> None:
    book, sides = ShownBook(0, BTC, limit), ({}, {})
    seen: dict[str, Any] = {}
    kinds = []
    for number, picture in enumerate(pictures):
        seen.update(shown(picture, number))  # ccxt changes one book
        records = Records()
        if book.take(seen, 7, records):
            kinds.append(int(records.frames["kind"][0]))
            assert records.frames["ts_recv"][0] == 7
            assert records.frames["last_id"][0] == number
        else:
            assert records.n_frames == 0
        sides = applied(records, sides)
        bids, asks = (
            dict(sorted(side.items(), reverse=down)[:limit]) for side, down in zip(picture, (True, False), strict=True)
        )
        assert sides == (bids, asks)
    assert kinds[0] == FrameKind.SNAPSHOT
    assert set(kinds[1:]) <= {FrameKind.DEPTH}


def test_a_loss_another_book_and_a_nonce_that_goes_back_are_delivered_whole() -> None:
    book, first = ShownBook(0, BTC, None), shown(({1: 1}, {2: 1}), 5)

    def kind(seen: dict[str, Any]) -> Any:
        records = Records()
        return int(records.frames["kind"][0]) if book.take(seen, 1, records) else None

    assert kind(first) == FrameKind.SNAPSHOT
    assert kind(first) is None
    assert book.unchanged == 1
    book.lost()
    assert kind(first) == FrameKind.SNAPSHOT
    first["nonce"] = 4
    assert kind(first) == FrameKind.SNAPSHOT
    assert kind(dict(first)) == FrameKind.SNAPSHOT, "ccxt made a new one"
    assert (book.pictures, book.updates, book.losses) == (4, 4, 1)


def test_a_picture_that_cannot_be_exact_is_refused_whole() -> None:
    records = Records()
    with pytest.raises(DecodeError):
        ShownBook(0, BTC, None).take(shown(({1: 1}, {2: 1}), 1) | {"asks": [[0.021, 1.0]]}, 1, records)
    assert records.n_frames == 0


def trade(**changes: Any) -> dict[str, Any]:
    return {"price": 61773.6, "amount": 0.12061, "side": "buy", "timestamp": 1_700_000_000_123, **changes}


def test_trades_are_one_frame_with_the_takers_side() -> None:
    records = Records()
    append_trades([trade(), trade(side="sell", timestamp=None)], 0, BTC, 99, records)
    assert records.n_frames == 1
    events = records.events[:2]
    assert events["side"].tolist() == [1, -1]
    assert events["price"].tolist() == [6177360] * 2
    assert events["quantity"].tolist() == [12061] * 2
    assert events["ts_event"].tolist() == [1_700_000_000_123_000_000, 99]
    assert events["flags"].tolist() == [0, EventFlag.LAST]
    append_trades([], 0, BTC, 99, records)
    assert records.n_frames == 1


@pytest.mark.parametrize("changes", [{"side": None}, {"price": 61773.605}, {"amount": float("nan")}])
def test_a_trade_that_cannot_be_kept_appends_nothing(changes: dict[str, Any]) -> None:
    records = Records()
    with pytest.raises(DecodeError):
        append_trades([trade(), trade(**changes)], 0, BTC, 99, records)
    assert records.n_frames == 0


def test_an_instrument_has_the_markets_exact_units() -> None:
    assert (BTC.venue, BTC.symbol, BTC.price_decimals, BTC.tick_size, BTC.quantity_decimals, BTC.lot_size) == (
        "binance",
        "BTCUSDT",
        2,
        1,
        5,
        1,
    )
    assert (BTC.maker_fee, BTC.taker_fee, BTC.minimum_notional) == (Decimal("0.0002"), Decimal("0.00075"), Decimal("5.0"))
    finer = instrument(digits=Digits(price=4, quantity=8))
    assert (finer.price_decimals, finer.tick_size, finer.quantity_decimals, finer.lot_size) == (4, 100, 8, 1000)
    coarse = instrument({**SPOT, "precision": {"price": 5.0, "amount": 10.0}})
    assert (coarse.price_decimals, coarse.tick_size, coarse.lot_size) == (0, 5, 10)
    places = instrument({**SPOT, "precision": {"price": 3, "amount": 0}}, mode=2)
    assert (places.price_decimals, places.tick_size, places.quantity_decimals, places.lot_size) == (3, 1, 0, 1)


def test_contracts_have_their_kind_their_worth_and_their_currency() -> None:
    swap = {**SPOT, "type": "swap", "settle": "USDT", "linear": True, "inverse": False, "contractSize": 0.01}
    linear = instrument(swap)
    assert (linear.kind, linear.venue, linear.settlement, linear.multiplier) == (
        InstrumentKind.LINEAR,
        "binance_swap",
        "USDT",
        Decimal("0.01"),
    )
    inverse = instrument({**swap, "quote": "USD", "settle": "BTC", "inverse": True, "linear": False, "contractSize": 100.0})
    assert (inverse.kind, inverse.settlement, inverse.multiplier) == (InstrumentKind.INVERSE, "BTC", Decimal("100.0"))


@pytest.mark.parametrize(
    ("changes", "mode", "words"),
    [
        ({"type": "option"}, 4, "is a market of type 'option'"),
        ({"precision": {"price": None, "amount": 1}}, 4, "does not say the step of its price"),
        ({"precision": {"price": 5, "amount": 5}}, 3, "does not say the step of its price"),
        ({"precision": {"price": 0.01, "amount": None}}, 4, "does not say the step of its amount"),
    ],
)
def test_a_market_whose_numbers_cannot_be_kept_is_refused(changes: dict[str, Any], mode: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        instrument({**SPOT, **changes}, mode=mode)


def test_arrays_are_int64() -> None:
    assert fixed_array(np.array([1.5, 2.25]), 2).dtype == np.int64
    assert fixed_array([], 2).tolist() == []
