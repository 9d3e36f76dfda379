"""What a market does, one thing at a time: the words between an engine that makes a market and the tape that publishes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from vtframe.domain import FrameKind, Records, Side
from vtframe.venue.book import Deltas


class Traded(NamedTuple):
    """One aggressor's trades at one instant: (aggressor's side, price, quantity) for each price."""

    ts_ns: int
    trades: Deltas


class Changed(NamedTuple):
    """Levels that changed together: (side, price, total quantity)."""

    ts_ns: int
    levels: Deltas


class Filled(NamedTuple):
    """An order from outside traded, or (``canceled``) the engine took it out."""

    ts_ns: int
    order: int
    price: int
    quantity: int
    leaves: int
    maker: bool
    canceled: bool = False


Happening = Traded | Changed


class Engine(Protocol):
    """Makes one instrument's market and takes orders from outside. Prices are ticks, quantities lots, times ns UTC."""

    def advance(self, until_ns: int) -> Iterator[Happening]:
        """What happens up to ``until_ns``, in order."""
        ...

    def limit(self, side: Side, price: int, quantity: int, *, ts_ns: int, rests: bool) -> tuple[int, Sequence[Happening]]:
        """A limit order takes effect: its number, and what it does. What it cannot trade waits, or is canceled."""
        ...

    def market(self, side: Side, quantity: int, *, ts_ns: int) -> tuple[int, Sequence[Happening]]: ...

    def cancel(self, order: int, *, ts_ns: int) -> tuple[int, Sequence[Happening]]:
        """Lots that were left (0 where it is not working), and what changed."""
        ...

    def take_fills(self) -> list[Filled]:
        """What happened to orders from outside since the last call, oldest first."""
        ...


def happenings(records: Records) -> Iterator[Happening]:
    """Frames and events of a market as happenings."""
    count = records.n_events
    events = records.events[:count]
    rows = list(
        zip(
            events["side"].tolist(),
            events["price"].tolist(),
            events["quantity"].tolist(),
            events["ts_event"].tolist(),
            strict=True,
        )
    )
    frames = records.frames[: records.n_frames]
    for kind, n_events, first in zip(
        frames["kind"].tolist(), frames["n_events"].tolist(), frames["first_event"].tolist(), strict=True
    ):
        chosen = rows[first : first + n_events]
        ts_ns = chosen[0][3]
        triples = tuple(row[:3] for row in chosen if row[0])
        yield Traded(ts_ns, triples) if kind == FrameKind.TRADE else Changed(ts_ns, triples)
