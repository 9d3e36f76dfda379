"""Messages as types. ``quote.update`` is VecTrade's published one; the dialect of books is of the article, its fields are ours.

docs/venues/vectrade.md says which is which. Unnamed fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
ABSENT = Raw(b"")


class Head(msgspec.Struct, gc=False):
    """Of every message: what it is, and of which channel."""

    type: str
    channel: str = ""
    symbol: str = ""


class Book(msgspec.Struct, gc=False):
    """A picture or a change: levels are [price, quantity], a quantity of 0 removes."""

    sequence: Sequence
    timestamp: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Trade(msgspec.Struct, gc=False):
    """``side`` is the aggressor's."""

    timestamp: str
    price: str
    size: str
    side: Literal["buy", "sell"]


class Ticker(msgspec.Struct, gc=False):
    """Best prices with their sizes; a side that is empty is left out."""

    timestamp: str
    bid: str = ""
    bid_size: str = ""
    ask: str = ""
    ask_size: str = ""


class Quote(msgspec.Struct, gc=False):
    """``quote.update``: numbers are JSON's, and are read from their digits."""

    timestamp: str
    price: Raw
    bid: Raw = ABSENT
    ask: Raw = ABSENT


class Note(msgspec.Struct, gc=False):
    """Our own: what follows is not continuous with what was, and no message of the venue says so."""

    timestamp: str
    state: Literal["gap"]
    reason: str = ""


HEAD = msgspec.json.Decoder(Head)
BOOK = msgspec.json.Decoder(Book)
TRADE = msgspec.json.Decoder(Trade)
TICKER = msgspec.json.Decoder(Ticker)
QUOTE = msgspec.json.Decoder(Quote)
NOTE = msgspec.json.Decoder(Note)
NOTE_TYPE = "vtframe.note"
