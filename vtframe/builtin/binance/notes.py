"""What a live feed adds to the venue's own messages, in their form, so that a recording of them is self-contained.

- A REST depth snapshot, as received, in an envelope that names its book: ``{"stream":"btcusdt@depthSnapshot","data":...}``.
- A loss that no message shows (a connection is down, a stream silent, a trade missing): its book is invalid from here on.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from vtframe.builtin.binance.messages import SNAPSHOT_STREAM
from vtframe.domain import EventFlag, Instrument

NOTE: Final = "vtframe.note"
NOTE_FLAGS: Final = {"gap": EventFlag.GAP, "stale": EventFlag.STALE}


class Note(msgspec.Struct, frozen=True, gc=False):
    """One book cannot be trusted from here on. ``stale``: nothing is known to be missing, and nothing was heard."""

    e: Literal["vtframe.note"]
    venue: str
    symbol: str
    state: Literal["gap", "stale"]
    reason: str = ""


def snapshot_envelope(symbol: str, body: bytes) -> bytes:
    """A REST answer to ``GET .../depth`` as a message of a combined stream."""
    return b'{"stream":"%b%b","data":%b}' % (symbol.lower().encode(), SNAPSHOT_STREAM.encode(), body)


def note(instrument: Instrument, state: Literal["gap", "stale"], reason: str) -> bytes:
    """The message that makes a book invalid."""
    said = Note(NOTE, instrument.venue, instrument.symbol, state, reason)
    stream = f"{instrument.symbol.lower()}@note"
    return b'{"stream":%b,"data":%b}' % (msgspec.json.encode(stream), msgspec.json.encode(said))
