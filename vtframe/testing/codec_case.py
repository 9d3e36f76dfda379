"""A codec on trial: messages of one venue in the order in which they came, and the instruments that they are about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from vtframe.api import Codec, DecodeError
from vtframe.domain import Instrument, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.testing.verdict import LawBroken

CodecFactory = Callable[[], Codec]


class CodecCase(msgspec.Struct, frozen=True, kw_only=True):
    """What the laws of codecs are tried on. A few dozen real messages of every type say most."""

    make: CodecFactory
    instruments: tuple[Instrument, ...]
    messages: tuple[bytes, ...]  # whole, in the venue's order; market data and others
    others: tuple[bytes, ...] = ()  # whole messages that carry no market data: answers, heartbeats, types it does not know

    def opened(self, instruments: Sequence[Instrument] | None = None) -> Codec:
        """A new codec that knows the instruments."""
        codec = self.make()
        codec.open(SessionInstruments(self.instruments if instruments is None else instruments))
        return codec

    def decode(self, messages: Sequence[bytes] | None = None) -> tuple[list[str], Records]:
        """Names and records of all messages, by a new codec. Raises LawBroken where a whole message is refused."""
        codec, records = self.opened(), Records()
        names = [decoded(codec, message, records) for message in (self.messages if messages is None else messages)]
        return names, records


def decoded(codec: Codec, message: bytes, records: Records) -> str:
    """The type of a whole message, its frames appended."""
    try:
        return codec.decode(message, records)
    except DecodeError as error:
        raise LawBroken(f"it refuses a whole message: {error}; the message is {shown(message)}") from error


def arrays(records: Records) -> tuple[NDArray[Any], NDArray[Any]]:
    """The filled part: copies of frames and events."""
    return records.frames[: records.n_frames].copy(), records.events[: records.n_events].copy()


def same(left: Records, right: Records, problem: str) -> None:
    """Raise LawBroken with ``problem`` and the first frame that differs, where one does."""
    for name, a, b in zip(("frame", "event"), arrays(left), arrays(right), strict=True):
        if a.tobytes() != b.tobytes():
            k = next((k for k in range(min(len(a), len(b))) if a[k].tobytes() != b[k].tobytes()), min(len(a), len(b)))
            found = [str(rows[k]) if k < len(rows) else "nothing" for rows in (a, b)]
            raise LawBroken(f"{problem}; first in {name} {k}: {found[0]} and {found[1]}")


def shown(message: bytes) -> str:
    """The beginning of a message, for messages to people."""
    return repr(message[:120]) + ("..." if len(message) > 120 else "")
