"""Reads recorded USD-M frames and LOBSTER samples into plain Python values, in lots and ticks."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

TICK = 10  # ticks in one unit of price: tick 0.1
LOT = 1000  # lots in one unit of quantity: lot 0.001

REGIMES = {
    "busy": ("usdm_btcusdt_20240808.gz",),
    "calm": ("usdm_btcusdt_20230404.dat.gz", "usdm_btcusdt_20230405.dat.gz"),
}
"""The recordings that each set of intensities is measured on; the files of one regime follow each other."""


class Depth(NamedTuple):
    """One depth diff: levels are (tick, lots)."""

    ts: int  # venue's transaction time, ms
    first_id: int
    last_id: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class Touch(NamedTuple):
    """Best bid and ask as bookTicker states them."""

    ts: int
    update_id: int
    bid: int
    bid_lots: int
    ask: int
    ask_lots: int


class Print(NamedTuple):
    """One market trade; ``side`` is the aggressor's."""

    ts: int
    side: int
    price: int
    lots: int


class Recording(NamedTuple):
    """One regime's frames by kind, in the order recorded, and the REST snapshot that the diffs start from."""

    depth: list[Depth]
    touches: list[Touch]
    prints: list[Print]
    snapshot: Depth

    @property
    def seconds(self) -> float:
        return (self.touches[-1].ts - self.touches[0].ts) / 1000


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(folder: Path, names: tuple[str, ...]) -> Recording:
    """The recording made of ``names`` under ``folder``/binance."""
    depth: list[Depth] = []
    touches: list[Touch] = []
    prints: list[Print] = []
    snapshot: Depth | None = None
    decoder = msgspec.json.Decoder()
    for name in names:
        with gzip.open(folder / "binance" / name, "rt") as file:
            for line in file:
                message = decoder.decode(line.split(" ", 1)[1])
                if "lastUpdateId" in message:
                    number = message["lastUpdateId"]
                    snapshot = Depth(message["T"], number, number, _levels(message["bids"]), _levels(message["asks"]))
                    continue
                data = message["data"]
                match data["e"]:
                    case "depthUpdate":
                        depth.append(Depth(data["T"], data["U"], data["u"], _levels(data["b"]), _levels(data["a"])))
                    case "bookTicker":
                        touches.append(
                            Touch(
                                data["T"], data["u"], _ticks(data["b"]), _lots(data["B"]), _ticks(data["a"]), _lots(data["A"])
                            )
                        )
                    case "trade" if data["X"] == "MARKET":
                        prints.append(Print(data["T"], -1 if data["m"] else 1, _ticks(data["p"]), _lots(data["q"])))
    if snapshot is None:
        raise SystemExit(f"{', '.join(names)}: no REST snapshot among the frames; the book cannot be rebuilt")
    start = snapshot.last_id
    return Recording([frame for frame in depth if frame.last_id >= start], touches, prints, snapshot)


def _levels(pairs: list[list[str]]) -> list[tuple[int, int]]:
    return [(_ticks(price), _lots(quantity)) for price, quantity in pairs]


def _ticks(text: str) -> int:
    return round(float(text) * TICK)


def _lots(text: str) -> int:
    return round(float(text) * LOT)


class Message(NamedTuple):
    """One row of a LOBSTER message file. Types: 1 new, 2 reduced, 3 deleted, 4 executed, 5 hidden execution."""

    kind: int
    order_id: int
    size: int
    price: int
    side: int  # of the resting order


def lobster(folder: Path, name: str) -> Iterator[tuple[Message, tuple[int, int, int, int]]]:
    """Messages of a sample, each with the best ask, its size, best bid and its size right after it."""
    with zipfile.ZipFile(folder / "lobster" / name) as archive:
        parts = {("message" if "message" in part else "book"): part for part in archive.namelist() if part.endswith(".csv")}
        with archive.open(parts["message"]) as messages, archive.open(parts["book"]) as books:
            rows = zip(csv.reader(io.TextIOWrapper(messages)), csv.reader(io.TextIOWrapper(books)), strict=True)
            for row, book in rows:
                message = Message(int(row[1]), int(row[2]), int(row[3]), int(row[4]), int(row[5]))
                yield message, (int(book[0]), int(book[1]), int(book[2]), int(book[3]))
