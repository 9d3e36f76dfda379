"""The streams of a session, and what of them was handed on: each message once, and nothing missing without a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from vtframe.builtin.binance.places import Kind, Market
from vtframe.domain import Instrument

_IDS: Final[dict[str, bytes]] = {  # the member that numbers a stream's messages
    "depth": b'"u":',
    "trade": b'"t":',
    "aggTrade": b'"a":',
    "bookTicker": b'"u":',
    "markPrice": b'"E":',
}
_COUNTED: Final = ("trade", "aggTrade")  # numbered without a hole
_RESTART: Final = 64  # copies in a row that are not merely late
_LATE_NS: Final = 10_000_000_000  # a connection that brings copies for so long, and nothing new comes at all, is not late
_PEAKS: Final = 8  # connections whose numbers are remembered
NO_ID: Final = -1


class Stream:
    """One stream of one instrument. It may come on several connections; ``take`` says which copies are new."""

    __slots__ = (
        "base",
        "carried",
        "counted",
        "duplicates",
        "frames",
        "holding",
        "instrument",
        "joining",
        "key",
        "kind",
        "last",
        "missing",
        "moved_ns",
        "name",
        "old",
        "peaks",
        "route",
        "several",
        "skip",
    )

    def __init__(self, name: str, kind: Kind, instrument: int, route: str) -> None:
        self.name = name
        self.kind: Kind = kind
        self.instrument = instrument
        self.route = route
        self.key = _IDS[kind]
        self.skip = len(name) + 12  # behind the envelope's own head
        self.counted = kind in _COUNTED
        self.last = NO_ID  # number of the newest message handed on
        self.base = 0  # of ``frames``, those from before it was lost
        self.joining: list[Callable[[], bool]] = []  # connections that wait for the others to reach where they began
        self.old = 0  # copies in a row that are not merely late
        self.peaks: dict[int, int] = {}  # the newest number that each of several connections has brought
        self.moved_ns = 0  # ts_recv of the newest message handed on, while there are several
        self.several = False  # it came on several connections until its newest message, at least
        self.carried = 0  # connections on which it is subscribed
        self.holding = 0  # of these, connections that hold it back until the others have come to where they began
        self.frames = 0  # messages, copies included
        self.duplicates = 0
        self.missing = 0  # messages that never came, by their numbers

    def number(self, data: bytes) -> int:
        """The number of a message; NO_ID where it states none that can be read."""
        at = data.find(self.key, self.skip)
        if at < 0:
            return NO_ID
        at += len(self.key)
        end = data.find(b",", at, at + 24)
        try:
            return int(data[at : end if end >= 0 else data.find(b"}", at, at + 24)])
        except ValueError:
            return NO_ID

    def take(self, data: bytes, connection: int = 0, ts_recv: int = 0) -> int:
        """How many messages are missing before this one (0: none is); -1 where it is a copy of what was handed on.

        On several connections whatever is not newer is a copy, unless it goes on like that: a venue that counts anew looks like
        copies, and a book must not freeze on it. A connection that is late brings many in a row as well (all that waited in its
        socket), but its own numbers rise, and the one that is ahead goes on. On one, only the newest can have a copy; a number
        that goes back is believed, so that the book, or who counts trades, sees that something is wrong.
        """
        self.frames += 1
        number = self.number(data)
        if number == NO_ID:  # the codec says what is wrong with it
            return 0
        last = self.last
        if last == NO_ID or number > last:
            missing = number - last - 1 if self.counted and last != NO_ID else 0
            self.several = self.carried > 1
        elif (number == last or self.several) and self.old < _RESTART:
            self.old += not (self.several and self._is_late(number, connection, ts_recv))
            self.duplicates += 1
            return -1
        else:
            missing = int(self.counted)
            self.peaks.clear()
        if self.several:
            self.peaks[connection] = number
            self.moved_ns = ts_recv
        self.old = 0
        self.last = number
        self.missing += missing
        return missing

    def _is_late(self, number: int, connection: int, ts_recv: int) -> bool:
        """Whether a copy is what a slower connection brings, and no venue that counts anew."""
        if number < self.peaks.get(connection, NO_ID):
            return False
        self.peaks[connection] = number
        self.moved_ns = self.moved_ns or ts_recv
        return ts_recv - self.moved_ns < _LATE_NS

    def carry(self, more: int) -> None:
        """One connection more, or one less, has it. While there were several, a slower one may still bring copies."""
        self.carried += more
        if len(self.peaks) > _PEAKS:
            self.peaks.clear()
        if self.carried > 1:
            self.several = True
        elif self.carried == 0:  # what comes meanwhile is told as a loss
            self.last = NO_ID
            self.several = False
            self.peaks.clear()
            self.base = self.frames

    @property
    def verified(self) -> bool:
        """A message has come since it is carried: an acknowledgement alone proves nothing."""
        return self.carried > 0 and self.frames > self.base


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is subscribed for each instrument."""

    kinds: tuple[Kind, ...]
    depth_ms: int
    routes: dict[str, str]


def make_streams(market: Market, instruments: Sequence[Instrument], wanted: Wanted) -> list[Stream]:
    """The streams of all instruments."""
    suffixes = {"depth": market.depth_stream(wanted.depth_ms), "markPrice": "markPrice@1s"}
    return [
        Stream(f"{instrument.symbol.lower()}@{suffixes.get(kind, kind)}", kind, index, wanted.routes[kind])
        for index, instrument in enumerate(instruments)
        for kind in wanted.kinds
    ]
