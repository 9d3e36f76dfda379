"""Kraken's market messages as types, WebSocket v1 and v2.

Fields by https://docs.kraken.com/exchange/api-reference/spot-websocket-v1/book and .../spot-websocket-v2/book, likewise trade.
v1 sends ``[channel id, payload, ..., channel name, pair]`` with numbers as strings, v2 objects with numbers as numbers: both
are read from their digits. Unnamed fields are ignored.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

Checksum = Annotated[int, Meta(ge=0, le=2**32 - 1)]

ABSENT = Raw(b"")


class BookV1(msgspec.Struct, gc=False, rename={"as_": "as"}):
    """One payload of a v1 book message: ``as`` and ``bs`` in a snapshot, ``a`` or ``b`` in an update, ``c`` in its last one.

    A level is price, volume, time, and ``"r"`` where it comes back into the depth.
    """

    as_: list[list[str]] | None = None
    bs: list[list[str]] | None = None
    a: list[list[str]] | None = None
    b: list[list[str]] | None = None
    c: str | None = None


class LevelV2(msgspec.Struct, gc=False):
    price: Raw
    qty: Raw


class BookV2(msgspec.Struct, gc=False):
    symbol: str
    bids: list[LevelV2] = []
    asks: list[LevelV2] = []
    checksum: Checksum | None = None
    timestamp: str | None = None


class TradeV2(msgspec.Struct, gc=False):
    symbol: str
    side: str
    price: Raw
    qty: Raw
    timestamp: str


class AnswerV2(msgspec.Struct, gc=False):
    """The answer to a subscription, as far as it tells the depth of a book."""

    channel: str | None = None
    symbol: str | None = None
    depth: int | None = None


class Increments(msgspec.Struct, gc=False):
    """One pair of v2's ``instrument`` channel."""

    symbol: str
    price_increment: Raw
    qty_increment: Raw
    price_precision: int
    qty_precision: int


class Instruments(msgspec.Struct, gc=False):
    pairs: list[Increments] = []


class Envelope(msgspec.Struct, gc=False):
    """What tells one object from another: v2 has ``channel`` or ``method``, v1's own messages have ``event``."""

    channel: str | None = None
    type: str | None = None
    data: Raw = ABSENT
    method: str | None = None
    result: Raw = ABSENT
    event: str | None = None


ENVELOPE = msgspec.json.Decoder(Envelope)
ARRAY = msgspec.json.Decoder(list[Raw])
NAME = msgspec.json.Decoder(str)
BOOK_V1 = msgspec.json.Decoder(BookV1)
TRADES_V1 = msgspec.json.Decoder(list[list[str]])
BOOKS_V2 = msgspec.json.Decoder(list[BookV2])
TRADES_V2 = msgspec.json.Decoder(list[TradeV2])
ANSWER_V2 = msgspec.json.Decoder(AnswerV2)
INSTRUMENTS_V2 = msgspec.json.Decoder(Instruments)
