"""The book tests' own reading of recorded Binance frames: the standard library, and nothing of vtframe's codec."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from vtframe.domain import EventFlag, EventKind, FrameKind, Instrument, InstrumentKind, Records, SequenceRule

PAIRS = {
    "spot": ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"),
    "usdm_2024": ("usdm_btcusdt_20240808.gz",),
    "coinm": ("cm_btcusd_perp_20240808.gz", "cm_btcusd_perp_20240809.gz"),
    "usdm_2023": ("usdm_btcusdt_20230404.dat.gz", "usdm_btcusdt_20230405.dat.gz"),
}


def instrument_of(pair: str) -> Instrument:
    """Units wide enough for every digit in the files."""
    spot, inverse = pair == "spot", pair == "coinm"
    return Instrument(
        venue="recorded",
        symbol="BTC",
        kind=InstrumentKind.SPOT if spot else InstrumentKind.INVERSE if inverse else InstrumentKind.LINEAR,
        base="BTC",
        quote="USD",
        settlement="BTC" if inverse else "USD",
        price_decimals=2 if spot else 1,
        quantity_decimals=8 if spot else 0 if inverse else 3,
        tick_size=1,
        lot_size=1,
        multiplier=Decimal(100) if inverse else Decimal(1),
    )


def rule_of(pair: str) -> SequenceRule:
    return SequenceRule.NEXT if pair == "spot" else SequenceRule.PREVIOUS


def read_pair(folder: Path, pair: str) -> Records:
    """Every depth, snapshot, trade and bookTicker message of a pair of files, in order, as one Records."""
    instrument = instrument_of(pair)
    records = Records(frames=1 << 16, events=1 << 19)
    number = 0
    for name in PAIRS[pair]:
        with gzip.open(folder / "binance" / name, "rt") as lines:
            for line in lines:
                received, _, text = line.partition(" ")
                _append(json.loads(text), int(received.ljust(19, "0")), number, instrument, records)
                number += 1
    return records


def _append(message: dict, ts_recv: int, number: int, instrument: Instrument, records: Records) -> None:
    data = message.get("data", message)
    price = lambda text: _fixed(text, instrument.price_decimals)  # noqa: E731
    quantity = lambda text: _fixed(text, instrument.quantity_decimals)  # noqa: E731
    stamp = {"instrument": 0, "number": number, "ts_recv": ts_recv}
    time = data.get("T", data.get("E", 0)) * 1_000_000
    if "lastUpdateId" in data:
        ids = {"first_id": data["lastUpdateId"], "last_id": data["lastUpdateId"]}
        events = [(0, time, 0, 0, 0, 0, int(EventFlag.SNAPSHOT), int(EventKind.BOOK_CLEAR), 0)]
        events += _levels(data, ("bids", "asks"), time, int(EventFlag.SNAPSHOT), price, quantity)
        records.append(kind=FrameKind.SNAPSHOT, events=events, **stamp, **ids)
    elif data.get("e") == "depthUpdate":
        ids = {"first_id": data["U"], "last_id": data["u"], "previous_id": data.get("pu", -1)}
        records.append(kind=FrameKind.DEPTH, events=_levels(data, ("b", "a"), time, 0, price, quantity), **stamp, **ids)
    elif data.get("e") == "trade":
        flag = 0 if data.get("X", "MARKET") == "MARKET" else int(EventFlag.NON_MARKET)
        side = -1 if data["m"] else 1
        event = (0, time, price(data["p"]), quantity(data["q"]), 0, 0, flag, int(EventKind.TRADE), side)
        records.append(kind=FrameKind.TRADE, events=[event], **stamp)
    elif "B" in data and "A" in data:
        events = [
            (0, time, price(data[p]), quantity(data[q]), 0, 0, 0, int(EventKind.QUOTE), side)
            for p, q, side in (("b", "B", 1), ("a", "A", -1))
        ]
        records.append(kind=FrameKind.QUOTE, events=events, first_id=data["u"], last_id=data["u"], **stamp)


def _levels(data: dict, names: tuple[str, str], time: int, flags: int, price: Callable, quantity: Callable) -> list[tuple]:  # noqa: PLR0917
    return [
        (0, time, price(p), quantity(q), 0, 0, flags, int(EventKind.BOOK_DELTA), side)
        for name, side in zip(names, (1, -1), strict=True)
        for p, q in data[name]
    ]


def _fixed(text: str, decimals: int) -> int:
    whole, _, fraction = text.partition(".")
    kept, lost = fraction[:decimals].ljust(decimals, "0"), fraction[decimals:]
    assert not lost.strip("0"), f"{text} has more than {decimals} decimals"
    return int(whole + kept)
