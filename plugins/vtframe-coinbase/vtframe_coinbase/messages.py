"""Coinbase Advanced Trade's market messages as types.

Fields by https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels. All have one envelope:
channel, timestamp, sequence_num and events. Unnamed fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

Kind = Literal["snapshot", "update"]

ABSENT = Raw(b"")


class Envelope(msgspec.Struct, gc=False):
    channel: str | None = None
    sequence_num: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    timestamp: str | None = None
    events: Raw = ABSENT
    type: str | None = None  # of an error, which has no channel


class Update(msgspec.Struct, gc=False):
    """``new_quantity`` is the level's new total; 0 removes it."""

    side: Literal["bid", "offer"]
    event_time: str
    price_level: str
    new_quantity: str


class LevelEvent(msgspec.Struct, gc=False):
    type: Kind
    product_id: str
    updates: list[Update]


class Trade(msgspec.Struct, gc=False):
    """``side`` is the maker's."""

    product_id: str
    price: str
    size: str
    time: str
    side: Literal["BUY", "SELL"]


class TradeEvent(msgspec.Struct, gc=False):
    """``trades`` are newest first."""

    type: Kind
    trades: list[Trade]


ENVELOPE = msgspec.json.Decoder(Envelope)
LEVELS = msgspec.json.Decoder(list[LevelEvent])
TRADES = msgspec.json.Decoder(list[TradeEvent])
