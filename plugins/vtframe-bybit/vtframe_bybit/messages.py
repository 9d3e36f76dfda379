"""Bybit v5's market messages as types.

Fields by https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and .../trade. All have one envelope: topic, type,
ts and data. Unnamed fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

UpdateId = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(ge=0, le=9_000_000_000_000)]  # fits int64 in nanoseconds

ABSENT = Raw(b"")


class Envelope(msgspec.Struct, gc=False):
    """``cts`` is the matching engine's time of a book, ``ts`` when the message was made."""

    topic: str | None = None
    type: str | None = None
    data: Raw = ABSENT
    ts: Milliseconds | None = None
    cts: Milliseconds | None = None
    op: str | None = None


class Book(msgspec.Struct, gc=False):
    """A level is price and quantity; 0 removes it."""

    s: str
    b: list[list[str]]
    a: list[list[str]]
    u: UpdateId


class Trade(msgspec.Struct, gc=False):
    """``S`` is the taker's side; ``BT`` is a block trade, agreed outside the book."""

    s: str
    S: Literal["Buy", "Sell"]
    T: Milliseconds
    p: str
    v: str
    BT: bool = False
    L: str | None = None  # contracts only


ENVELOPE = msgspec.json.Decoder(Envelope)
BOOK = msgspec.json.Decoder(Book)
TRADES = msgspec.json.Decoder(list[Trade])
