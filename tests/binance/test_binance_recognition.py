"""Messages are recognized only where they leave no doubt of market, symbol and units."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from binance_files import BTC_COINM, BTC_SPOT, BTC_USDM, FILES, File, file_ids, raw_lines

from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.known import COINM, SPOT, USDM, known_instrument
from vtframe.domain import InstrumentKind


def _trades(symbol: str, count: int, *, tick: str, lot: str, written: tuple[int, int], **more: Any) -> list[bytes]:
    """Trades at ``count`` different prices, from a fixed seed."""
    random = np.random.default_rng(7)
    prices = random.choice(100_000, count, replace=False) + 10_000
    quantities = random.integers(1, 5_000, count)
    return [
        json.dumps(
            {
                "e": "trade",
                "E": 5,
                "T": 4,
                "s": symbol,
                "p": f"{int(p) * Decimal(tick):.{written[0]}f}",
                "q": f"{int(q) * Decimal(lot):.{written[1]}f}",
                "m": False,
                **more,
            }
        ).encode()
        for p, q in zip(prices, quantities, strict=True)
    ]


@pytest.mark.parametrize("file", FILES, ids=file_ids(FILES))
@pytest.mark.parametrize("count", [1, 20])
def test_a_few_recorded_messages_are_enough_for_a_known_instrument(recorded: Path, file: File, count: int) -> None:
    lines = raw_lines(recorded / file.name)
    found = BinanceCodec.recognize([data for _, (_, data) in zip(range(count), lines, strict=False)])
    assert found == (known_instrument(file.venue, file.symbol),)


def test_units_of_an_unknown_instrument_are_inferred_from_a_thousand_prices() -> None:
    (found,) = BinanceCodec.recognize(_trades("DOGEUSDT", 1_000, tick="0.00001", lot="1", written=(5, 0), X="MARKET"))
    assert (found.venue, found.kind, found.base, found.quote) == (USDM, InstrumentKind.LINEAR, "DOGE", "USDT")
    assert (found.price(found.tick_size), found.quantity(found.lot_size)) == (Decimal("0.00001"), Decimal(1))
    assert (found.price_decimals, found.quantity_decimals) == (5, 0)
    assert (found.maker_fee, found.taker_fee) == (Decimal("0.0002"), Decimal("0.0005"))


def test_decimals_are_the_venues_precision_and_not_the_ticks() -> None:
    (futures,) = BinanceCodec.recognize(_trades("SOLUSDT", 1_000, tick="0.05", lot="0.1", written=(3, 2), X="MARKET"))
    assert (futures.price_decimals, futures.tick_size, futures.quantity_decimals, futures.lot_size) == (3, 50, 2, 10)
    (spot,) = BinanceCodec.recognize(_trades("SOLUSDT", 1_000, tick="0.05", lot="0.1", written=(8, 8), M=True))
    assert (spot.price_decimals, spot.tick_size, spot.quantity_decimals, spot.lot_size) == (2, 5, 8, 10_000_000)
    assert (spot.kind, spot.taker_fee) == (InstrumentKind.SPOT, Decimal("0.001"))


def test_quantities_too_large_for_eight_decimals_take_the_lots() -> None:
    (spot,) = BinanceCodec.recognize(_trades("PEPEUSDT", 1_000, tick="0.00000001", lot="1000000", written=(8, 2), M=True))
    assert (spot.price_decimals, spot.quantity_decimals) == (8, 0)


def test_a_coin_margined_contract_is_worth_ten_dollars_but_bitcoins_a_hundred() -> None:
    (found,) = BinanceCodec.recognize(_trades("ADAUSD_PERP", 1_000, tick="0.00001", lot="1", written=(5, 0), X="MARKET"))
    assert (found.venue, found.kind, found.multiplier, found.settlement) == (COINM, InstrumentKind.INVERSE, 10, "ADA")
    (dated,) = BinanceCodec.recognize(_trades("BTCUSD_250328", 1_000, tick="0.1", lot="1", written=(1, 0), X="MARKET"))
    assert (dated.venue, dated.multiplier, dated.base, dated.quote) == (COINM, 100, "BTC", "USD")
    (linear,) = BinanceCodec.recognize(_trades("BTCUSDT_250328", 1_000, tick="0.1", lot="0.001", written=(1, 3), X="MARKET"))
    assert (linear.venue, linear.base, linear.quote) == (USDM, "BTC", "USDT")


def test_known_units_that_the_digits_contradict_are_not_used() -> None:
    finer = _trades("BTCUSDT", 1_000, tick="0.01", lot="0.001", written=(2, 3), X="MARKET")
    (found,) = BinanceCodec.recognize(finer)
    assert (found.tick_size, found.price_decimals) == (1, 2)
    assert found != BTC_USDM
    assert BinanceCodec.recognize(finer[:500]) == ()


def _noise(count: int) -> list[bytes]:
    return [b'{"hello":"world"}', b"not json at all"] * (count // 2)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        _noise(10),
        [b'{"result":null,"id":1}'],
        _trades("DOGEUSDT", 999, tick="0.00001", lot="1", written=(5, 0), X="MARKET"),
        _trades("XYZ", 1_000, tick="0.01", lot="1", written=(2, 0), M=True),
        _trades("BTCUSDT", 10, tick="0.1", lot="0.001", written=(2, 3), X="MARKET") + _noise(10),
        _trades("BTCUSDT", 10, tick="0.1", lot="0.001", written=(2, 3), X="MARKET")
        + _trades("DOGEUSDT", 10, tick="0.00001", lot="1", written=(5, 0), X="MARKET"),
        [b'{"lastUpdateId":1,"bids":[["1.0","1"]],"asks":[]}'],
        [b'{"channel":"book","data":[{"symbol":"BTC/USD","bids":[{"price":1,"qty":2}]}]}'],
    ],
    ids=["none", "noise", "control", "few prices", "no currencies", "half noise", "one of two", "snapshot", "other venue"],
)
def test_what_leaves_a_doubt_is_not_recognized(messages: Sequence[bytes]) -> None:
    assert BinanceCodec.recognize(messages) == ()


def test_several_instruments_are_recognized_in_their_order(recorded: Path) -> None:
    mixed = []
    for file in (FILES[3], FILES[0], FILES[2]):
        mixed += [data for _, (_, data) in zip(range(50), raw_lines(recorded / file.name), strict=False)]
    assert BinanceCodec.recognize(mixed) == (BTC_COINM, BTC_SPOT, BTC_USDM)


def test_a_broken_message_among_many_does_not_matter() -> None:
    trades = _trades("BTCUSDT", 30, tick="0.1", lot="0.001", written=(2, 3), X="MARKET")
    assert BinanceCodec.recognize([b"{", *trades]) == (BTC_USDM,)


def test_nothing_is_known_of_an_instrument_that_is_not_in_the_table() -> None:
    assert BinanceCodec.known_instrument(SPOT, "BTCUSDT") == BTC_SPOT
    assert BinanceCodec.known_instrument(SPOT, "DOGEUSDT") is None
    assert BinanceCodec.known_instrument("kraken", "BTCUSDT") is None
