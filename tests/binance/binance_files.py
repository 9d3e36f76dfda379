"""The recorded files, and an independent way to read them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.known import COINM, SPOT, USDM, known_instrument
from vtframe.domain import Instrument
from vtframe.engine.instrument_table import SessionInstruments


class File(NamedTuple):
    """A recorded file and what the data's own description says of it."""

    name: str
    venue: str
    symbol: str
    unit: str
    lines: int
    depth: int
    quotes: int
    trades: int
    snapshots: int


FILES = (
    File("spot_btcusdt_20240808.gz", SPOT, "BTCUSDT", "ns", 41_249, 3_451, 28_040, 9_757, 1),
    File("spot_btcusdt_20240809.gz", SPOT, "BTCUSDT", "ns", 58_325, 3_044, 45_134, 10_147, 0),
    File("usdm_btcusdt_20240808.gz", USDM, "BTCUSDT", "ns", 93_954, 6_551, 66_089, 21_313, 1),
    File("cm_btcusd_perp_20240808.gz", COINM, "BTCUSD_PERP", "ns", 48_270, 26_847, 19_136, 2_286, 1),
    File("cm_btcusd_perp_20240809.gz", COINM, "BTCUSD_PERP", "ns", 50_116, 17_948, 29_219, 2_949, 0),
    File("usdm_btcusdt_20230404.dat.gz", USDM, "BTCUSDT", "us", 13_384, 4_322, 6_765, 2_197, 1),
    File("usdm_btcusdt_20230405.dat.gz", USDM, "BTCUSDT", "us", 60_381, 11_788, 37_440, 10_738, 0),
)
PAIRS = (FILES[0:2], FILES[2:3], FILES[3:5], FILES[5:7])

BTC_SPOT, BTC_USDM, BTC_COINM = (
    known_instrument(venue, symbol) for venue, symbol in ((SPOT, "BTCUSDT"), (USDM, "BTCUSDT"), (COINM, "BTCUSD_PERP"))
)


def opened(*instruments: Instrument | None, **settings: Any) -> BinanceCodec:
    """A codec that knows ``instruments`` by the index they are given in."""
    codec = BinanceCodec(**settings)
    codec.open(SessionInstruments([i for i in instruments if i is not None]))
    return codec


def raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Timestamp and frame, read without vtframe."""
    with gzip.open(path) as file:
        for line in file:
            stamp, _, data = line.rstrip(b"\n").partition(b" ")
            yield int(stamp), data


def message_of(data: bytes) -> dict[str, Any]:
    """The message proper, read without vtframe, numbers as their text."""
    parsed = json.loads(data, parse_float=str)
    message: dict[str, Any] = parsed.get("data", parsed)
    return message


def file_ids(files: Sequence[File]) -> list[str]:
    return [file.name.partition(".")[0] for file in files]
