"""Instruments of the recorded venues, in the units that the venues stated, and how messages become books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from cryptofeed_files import Frame

from vtframe.api import Codec, DecodeError
from vtframe.domain import FrameKind, Instrument, InstrumentKind, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import Pipeline


def spot(venue: str, symbol: str, price_decimals: int, quantity_decimals: int, *, tick: int = 1) -> Instrument:
    base, _, quote = symbol.replace("-", "/").partition("/")
    return Instrument(
        venue=venue,
        symbol=symbol,
        kind=InstrumentKind.SPOT,
        base=base or "B",
        quote=quote or "Q",
        settlement=quote or "Q",
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        tick_size=tick,
        lot_size=1,
    )


# decimals as written; ticks by GET /0/public/AssetPairs in the recording (pair_decimals)
_KRAKEN = {
    "ADA/XBT": (9, 8),
    "XBT/CHF": (5, 1),
    "OMG/USD": (6, 6),
    "OCEAN/XBT": (9, 8),
    "ETH/CHF": (5, 2),
    "SC/EUR": (6, 5),
    "GRT/ETH": (9, 7),
    "KSM/XBT": (8, 6),
    "XMR/USD": (8, 2),
    "WAVES/EUR": (6, 4),
}
KRAKEN = tuple(spot("kraken", s, written, 8, tick=10 ** (written - stated)) for s, (written, stated) in _KRAKEN.items())
COINBASE = (spot("coinbase", "BTC-USD", 2, 8), spot("coinbase", "ETH-USD", 2, 8))
OKX = (spot("okx", "BTC-USD-220527", 1, 0), spot("okx", "UNI-USD-SWAP", 3, 0), spot("okx", "BTC-USDT", 1, 8))
BYBIT_LINEAR = (
    spot("bybit_linear", "BTCUSDT", 2, 3, tick=10),
    spot("bybit_linear", "ETHUSDT", 2, 2),
    spot("bybit_linear", "SOLUSDT", 3, 1, tick=10),
    spot("bybit_linear", "DOGEUSDT", 5, 0),
)
BYBIT_SPOT = (spot("bybit_spot", "BTCUSDT", 1, 6), spot("bybit_spot", "ETHUSDT", 2, 5))


def opened(codec: Codec, instruments: Sequence[Instrument]) -> Codec:
    codec.open(SessionInstruments(instruments))
    return codec


def pipeline_of(codec: Codec, instruments: Sequence[Instrument]) -> Pipeline:
    """Books with the codec's rules, without features."""
    numbers = range(len(instruments))
    return Pipeline(
        [],
        instruments,
        [codec.sequence_rule(number) for number in numbers],
        checksums=[codec.checksum_rule(number) for number in numbers],
    )


class Played:
    """Messages through a codec into books."""

    def __init__(self, codec: Codec, instruments: Sequence[Instrument]) -> None:
        self.codec = opened(codec, instruments)
        self.pipeline = pipeline_of(codec, instruments)
        self.records = Records()
        self.messages: Counter[str] = Counter()
        self.frames: Counter[FrameKind] = Counter()
        self.number = 0

    def feed(self, data: bytes, *, ts_recv: int = 0, connection: int = 0) -> str:
        records = self.records
        records.clear()
        records.connection = connection
        name = self.codec.decode(data, records)
        records.stamp(number=self.number, ts_recv=ts_recv, connection=connection)
        self.number += 1
        self.messages[name] += 1
        self.frames.update(FrameKind(kind) for kind in records.frames["kind"][: records.n_frames].tolist())
        if records.n_frames:
            self.pipeline.process(records)
        return name

    def play(self, frames: Iterable[Frame]) -> Played:
        for frame in frames:
            self.feed(frame.data, ts_recv=frame.ts_recv)
        return self


def decoded(codec: Codec, data: bytes, records: Records) -> str | None:
    """The name that decode returned, None where it refused; a refusal leaves no records."""
    records.clear()
    try:
        return codec.decode(data, records)
    except DecodeError:
        assert (records.n_frames, records.n_events) == (0, 0), data
        return None


def contents(records: Records) -> tuple[bytes, bytes]:
    return records.frames[: records.n_frames].tobytes(), records.events[: records.n_events].tobytes()


def events_of(records: Records, frame: int = 0) -> list[tuple[Any, ...]]:
    """(kind, side, price, quantity) of one frame's events."""
    start, count = records.frames["first_event"][frame], records.frames["n_events"][frame]
    block = records.events[start : start + count]
    columns = (block[name].tolist() for name in ("kind", "side", "price", "quantity"))
    return list(zip(*columns, strict=True))


def reference_of(codec: Codec) -> Any:
    """The plain decoder inside a compiled codec."""
    return codec._reference  # type: ignore[attr-defined]


def assert_same_levels(pipeline: Pipeline, instrument: int, bids: dict[int, int], asks: dict[int, int]) -> None:
    from vtframe.domain import Side

    for side, wanted in ((Side.BUY, bids), (Side.SELL, asks)):
        prices, quantities = pipeline.books.levels(instrument, side, 1_000_000)
        expected = sorted(wanted.items(), reverse=side == Side.BUY)
        np.testing.assert_array_equal(prices, [price for price, _ in expected])
        np.testing.assert_array_equal(quantities, [quantity for _, quantity in expected])
