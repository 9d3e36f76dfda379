"""The load generator: a stretch of each market is made beforehand, and then sent at a rate, or as fast as clients read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np

from vtframe.venue.book import Deltas, Levels, VenueBook, apply_deltas
from vtframe.venue.connection import Connection
from vtframe.venue.faults import Faults
from vtframe.venue.frame import Message
from vtframe.venue.happening import Changed, Engine, Happening
from vtframe.venue.hub import Hub
from vtframe.venue.listing import Listing
from vtframe.venue.loop_frames import Captured, Growth, LoopFrames
from vtframe.venue.tape import Tape

_PACE_S = 0.001
_UNREAD = 512 * 1024  # bytes that a client may leave unread before it is waited for
_BATCH = 2000  # frames that are written at one time
_SECOND = 1_000_000_000


class _Collector(Hub):
    """Takes every message of the streams that load is made of."""

    def __init__(self, market: str) -> None:
        super().__init__(Faults(0))
        self.messages: list[Message] = []
        self._kinds = ("depth@100ms" if market == "spot" else "depth@0ms", "bookTicker", "trade")

    def subscribers(self, market: str, stream: str) -> Sequence[Connection]:
        return (None,) if stream.partition("@")[2] in self._kinds else ()  # type: ignore[return-value]

    def publish(self, market: str, stream: str, payload: str, *, name: str = "") -> None:
        self.messages.append(Message(stream, payload))


class LoadMarket:
    """One instrument's stretch: messages by time, and the book at every update id of every round."""

    def __init__(self, listing: Listing, engine: Engine, *, start_ns: int, frames: int) -> None:
        self.listing = listing
        self.messages: list[tuple[int, Message]] = []  # by time, ns
        self._start_ns = start_ns
        collector = _Collector(listing.market)
        tape = Tape(listing, collector, Faults(0), now_ns=start_ns)
        tape.publish(engine.advance(start_ns + _SECOND))  # the opening book
        tape.settle(start_ns + _SECOND)
        collector.messages.clear()
        self.first_id = tape.book.update_id
        self.book: tuple[Levels, Levels] = (dict(tape.book.bids), dict(tape.book.asks))
        self._changes: list[tuple[int, Deltas]] = []
        first_trade, until_ns = tape.trades, start_ns + _SECOND
        while len(self.messages) < frames:
            until_ns += _SECOND
            before = len(self.messages)
            self._publish(tape, collector, engine.advance(until_ns), until_ns)
            if len(self.messages) == before:
                break  # a recording is at its end
        end_ns = (until_ns // 100_000_000 + 1) * 100_000_000
        back = _way_back(tape.book, self.book)
        self._publish(tape, collector, [Changed(end_ns - 1, back)] if back else [], end_ns + 100_000_000)
        self.growth = Growth(
            ids=tape.book.update_id - self.first_id,
            trades=tape.trades - first_trade,
            ms=(end_ns - start_ns - _SECOND) // 1_000_000,
        )

    def _publish(
        self, tape: Tape, collector: _Collector, happened: Sequence[Happening] | Iterator[Happening], end_ns: int
    ) -> None:
        for happening in happened:
            tape.publish([happening])
            if isinstance(happening, Changed):
                self._changes.append((tape.book.update_id, happening.levels))
            self.messages += [(happening.ts_ns, message) for message in collector.messages]
            collector.messages.clear()
        tape.settle(end_ns)
        self.messages += [(end_ns, message) for message in collector.messages]
        collector.messages.clear()

    def book_at(self, update_id: int) -> tuple[int, Levels, Levels]:
        """The book after the last change whose id is at most ``update_id``: that id, bids, asks."""
        rounds, within = divmod(update_id - self.first_id, self.growth.ids)
        bids, asks, reached = dict(self.book[0]), dict(self.book[1]), self.first_id
        for change_id, levels in self._changes:
            if change_id > self.first_id + within:
                break
            apply_deltas(bids, asks, levels)
            reached = change_id
        return reached + rounds * self.growth.ids, bids, asks


class Load:
    """Sends every connection its streams' part of one endless market. ``rate`` is messages a second of all streams; 0: as
    fast as the client reads."""

    def __init__(self, markets: Sequence[LoadMarket], *, rate: int) -> None:
        self.rate = rate
        self._markets = {(market.listing.market, market.listing.symbol): market for market in markets}
        merged = sorted(
            ((ts_ns, market, message) for market in markets for ts_ns, message in market.messages), key=lambda one: one[0]
        )
        longest = max(market.growth.ms for market in markets)
        self._captured: dict[tuple[str, str], list[Captured]] = {}
        self._ids: dict[tuple[str, str], list[tuple[int, int]]] = {key: [] for key in self._markets}  # index, depth's u
        for index, (_, market, message) in enumerate(merged):
            growth = market.growth._replace(ms=longest)
            name = market.listing.market
            self._captured.setdefault((name, message.stream), []).append(Captured(index, message, growth))
            if "@depth" in message.stream:
                last_id = int(message.payload.partition('"u":')[2].partition(",")[0])
                self._ids[name, market.listing.symbol].append((index, last_id))
        self._total = len(merged)
        self._loops: dict[tuple[str, frozenset[str], bool], LoopFrames] = {}
        self._began: float | None = None
        self._furthest = 0

    def position(self) -> int:
        """How many messages of all streams are due by now."""
        if not self.rate:
            return self._furthest
        now = asyncio.get_running_loop().time()
        self._began = self._began if self._began is not None else now
        return int((now - self._began) * self.rate)

    def snapshot_id(self, market: str, symbol: str) -> int:
        """The update id that every client has been sent, or will be next."""
        rounds, index = divmod(self.position(), self._total)
        ids = self._ids[market, symbol]
        at = int(np.searchsorted([one for one, _ in ids], index)) - 1
        known = self._markets[market, symbol]
        return rounds * known.growth.ids + (ids[at][1] if at >= 0 else known.first_id)

    def book_at(self, market: str, symbol: str, update_id: int | None = None) -> tuple[int, Levels, Levels] | None:
        """The book at an update id of the past, or of a snapshot now; None before the market began."""
        known = self._markets[market, symbol]
        update_id = self.snapshot_id(market, symbol) if update_id is None else update_id
        return known.book_at(update_id) if update_id >= known.first_id else None

    async def feed(self, connection: Connection) -> None:
        """Send to one connection until it is closed."""
        sent: int | None = None
        subscribed: tuple[str, ...] = ()
        while not connection.closed:
            await asyncio.sleep(_PACE_S)
            if tuple(connection.heard) != subscribed:
                subscribed = tuple(connection.heard)
                sent = None
            if not subscribed:
                continue
            frames = self._frames(connection)
            if not len(frames) or connection.deaf or connection.unread > _UNREAD:
                continue
            due = self.position() if self.rate else (sent if sent is not None else self._furthest) + self._total
            sent = self.position() if sent is None else sent
            sent = self._send(connection, frames, sent, due)
            self._furthest = max(self._furthest, sent)

    def _send(self, connection: Connection, frames: LoopFrames, sent: int, due: int) -> int:
        """Write one batch at most; how far it came."""
        rounds, index = divmod(sent, self._total)
        first = int(np.searchsorted(frames.numbers, index))
        last = min(int(np.searchsorted(frames.numbers, index + due - sent)), first + _BATCH)
        if last > first:
            connection.write(frames.slice(first, last, rounds), last - first)
        reached = due if last - first < _BATCH else rounds * self._total + int(frames.numbers[last - 1]) + 1
        return min(reached, (rounds + 1) * self._total)

    def _frames(self, connection: Connection) -> LoopFrames:
        key = connection.market, frozenset(connection.heard), connection.combined
        if key not in self._loops:
            chosen = [one for stream in key[1] for one in self._captured.get((key[0], stream), ())]
            self._loops[key] = LoopFrames(sorted(chosen, key=lambda one: one.number), combined=connection.combined)
        return self._loops[key]


def _way_back(book: VenueBook, wanted: tuple[Levels, Levels]) -> Deltas:
    """What turns ``book`` into the one that is wanted."""
    changes = []
    for side, own, other in ((1, book.bids, wanted[0]), (-1, book.asks, wanted[1])):
        changes += [(side, price, 0) for price in own if price not in other]
        changes += [(side, price, quantity) for price, quantity in other.items() if own.get(price) != quantity]
    return tuple(changes)
