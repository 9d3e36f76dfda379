"""What a live feed adds to the venue's own messages, in their form, so that a recording of them is self-contained.

- A REST depth snapshot, as received, in an envelope that names its book: ``{"stream":"btcusdt@depthSnapshot","data":...}``.
- A loss that no message shows (a connection is down, a stream silent, a trade missing): its book is invalid from here on.
- What only REST tells of an instrument: that it is not traded from here on, or is again.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from vtframe.builtin.binance.messages import SNAPSHOT_STREAM
from vtframe.domain import EventFlag, Instrument

NOTE: Final = "vtframe.note"
State = Literal["gap", "stale", "halted", "trading"]
NOTE_FLAGS: Final[dict[State, EventFlag]] = {
    "gap": EventFlag.GAP,
    "stale": EventFlag.STALE,
    "halted": EventFlag.HALTED,
    "trading": EventFlag.TRADING,
}


class Note(msgspec.Struct, frozen=True, gc=False):
    """One book cannot be trusted from here on: ``gap``, or ``stale``, where nothing is known to be missing, or heard.

    Or one instrument is not traded (``halted``), or is again.
    """

    e: Literal["vtframe.note"]
    venue: str
    symbol: str
    state: State
    reason: str = ""


def snapshot_envelope(symbol: str, body: bytes) -> bytes:
    """A REST answer to ``GET .../depth`` as a message of a combined stream."""
    return b'{"stream":"%b%b","data":%b}' % (symbol.lower().encode(), SNAPSHOT_STREAM.encode(), body)


def note(instrument: Instrument, state: State, reason: str) -> bytes:
    """The message that makes a book invalid, or halts its instrument."""
    said = Note(NOTE, instrument.venue, instrument.symbol, state, reason)
    stream = f"{instrument.symbol.lower()}@note"
    return b'{"stream":%b,"data":%b}' % (msgspec.json.encode(stream), msgspec.json.encode(said))
