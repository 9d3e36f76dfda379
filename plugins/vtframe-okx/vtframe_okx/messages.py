"""OKX v5's market messages as types.

Fields by https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel and ...-ws-trades-channel. All
have one envelope: arg, with channel and instId, action where there is a book, and data. Unnamed fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

Identifier = Annotated[int, Meta(ge=-1, le=2**63 - 1)]
Checksum = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]  # the venue writes it with a sign


ABSENT = Raw(b"")


class Argument(msgspec.Struct, gc=False):
    channel: str
    instId: str | None = None  # noqa: N815 - the venue's name


class Envelope(msgspec.Struct, gc=False):
    arg: Argument | None = None
    action: Literal["snapshot", "update"] | None = None
    data: Raw = ABSENT
    event: str | None = None
    op: str | None = None


class Book(msgspec.Struct, gc=False, rename={"sequence": "seqId", "previous": "prevSeqId"}):
    """A level is price, quantity, a field without meaning, and the number of orders. Recordings before 2023 have no ids."""

    asks: list[list[str]]
    bids: list[list[str]]
    ts: str
    checksum: Checksum = 0
    sequence: Identifier = -1
    previous: Identifier = -1


class Trade(msgspec.Struct, gc=False):
    """``side`` is the taker's."""

    px: str
    sz: str
    side: Literal["buy", "sell"]
    ts: str


ENVELOPE = msgspec.json.Decoder(Envelope)
BOOKS = msgspec.json.Decoder(list[Book])
TRADES = msgspec.json.Decoder(list[Trade])
