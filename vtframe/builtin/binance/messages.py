"""Binance's market messages as types: spot and both futures dialects, bare and in combined streams.

Fields by https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams and
https://developers.binance.com/docs/derivatives; the venue's one-letter names are kept. Unnamed fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

UpdateId = Annotated[int, Meta(ge=-1, le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(ge=0, le=9_000_000_000_000)]  # fits int64 in nanoseconds


class DepthUpdate(msgspec.Struct, gc=False):
    """A diff. Spot has neither ``pu`` nor ``T``."""

    e: Literal["depthUpdate"]
    s: str
    U: UpdateId
    u: UpdateId
    b: Raw
    a: Raw
    E: Milliseconds
    T: Milliseconds | None = None
    pu: UpdateId | None = None


class Trade(msgspec.Struct, gc=False):
    """One trade. Spot has ``M``; futures say in ``X`` what kind of trade it is."""

    e: Literal["trade"]
    s: str
    p: str
    q: str
    T: Milliseconds
    m: bool  # the buyer was the maker, so the seller was the aggressor
    X: str | None = None
    M: bool | None = None


class AggregateTrade(msgspec.Struct, gc=False):
    """Fills of one taking order at one price. Spot has ``M``."""

    e: Literal["aggTrade"]
    s: str
    p: str
    q: str
    T: Milliseconds
    m: bool
    M: bool | None = None


class BookTicker(msgspec.Struct, gc=False):
    """Best bid and ask. Spot has neither ``e`` nor times."""

    s: str
    u: UpdateId
    b: str
    B: str
    a: str
    A: str
    e: Literal["bookTicker"] | None = None
    T: Milliseconds | None = None
    E: Milliseconds | None = None


class Snapshot(msgspec.Struct, gc=False, rename={"last_update_id": "lastUpdateId"}):
    """Body of the REST answer to ``GET .../depth``. Spot has no times; only COIN-M's names its symbol."""

    last_update_id: UpdateId
    bids: Raw
    asks: Raw
    E: Milliseconds | None = None
    T: Milliseconds | None = None
    symbol: str | None = None


_ABSENT = Raw(b"")


class Envelope(msgspec.Struct, gc=False):
    """What tells one message from another."""

    e: str | None = None
    stream: str | None = None
    data: Raw = _ABSENT
    lastUpdateId: Raw = _ABSENT  # noqa: N815 - the venue's name
    u: Raw = _ABSENT
    B: Raw = _ABSENT
    A: Raw = _ABSENT
    result: Raw = _ABSENT
    id: Raw = _ABSENT
    error: Raw = _ABSENT


TYPES: dict[str, type[msgspec.Struct]] = {
    "depthUpdate": DepthUpdate,
    "trade": Trade,
    "aggTrade": AggregateTrade,
    "bookTicker": BookTicker,
    "snapshot": Snapshot,
}
"""Market messages by the name that ``decode`` returns."""

_ENVELOPE = msgspec.json.Decoder(Envelope)


def envelope(data: bytes | Raw) -> Envelope:
    """The parts of any message that tell its type. Raises msgspec.DecodeError where it is no JSON object."""
    return _ENVELOPE.decode(data)


def wrapped(message: Envelope) -> str | None:
    """The stream's name where ``message`` is of a combined stream; its ``data`` is then the message proper."""
    return message.stream if _sent(message.data) else None


def type_name(message: Envelope) -> str:
    """The type of a message that is not wrapped: its ``e``, or what its fields say."""
    if message.e is not None:
        return message.e
    if _sent(message.lastUpdateId):
        return "snapshot"
    if _sent(message.u) and _sent(message.A) and _sent(message.B):
        return "bookTicker"
    if _sent(message.error):
        return "error"
    if _sent(message.result) or _sent(message.id):
        return "result"
    return "unknown"


def partial_depth(stream: str) -> bool:
    """Whether a stream sends the best levels only (``btcusdt@depth20@100ms``): no diff, and no full picture either."""
    return stream.partition("@")[2].startswith(("depth5", "depth10", "depth20", "rpiDepth"))


SNAPSHOT_STREAM = "@depthSnapshot"


def snapshot_symbol(stream: str | None) -> str | None:
    """The symbol, in small letters, that the envelope of a REST snapshot names; None where it is no such envelope."""
    if stream is None or not stream.endswith(SNAPSHOT_STREAM) or stream == SNAPSHOT_STREAM:
        return None
    return stream.removesuffix(SNAPSHOT_STREAM)


def _sent(field: Raw) -> bool:
    return field is not _ABSENT
