"""Market inputs on their way from the feed to the sinks that ask for them. Noting one is an append; the row log takes them."""

from __future__ import annotations

from typing import Protocol

from vtframe.api import (
    BookWatch,
    FeedSink,
    MarketBlock,
    Received,
    ReceivedConnection,
    ReceivedDamage,
    ReceivedMessage,
    ReceivedRecords,
)
from vtframe.domain import Records


class MarketLog:
    """What the feed delivered since the last ``take``."""

    def __init__(self) -> None:
        self.count = 0  # of inputs; each frame of records is one
        self._first = 0
        self._inputs: list[Received] = []

    def add(self, received: Received, count: int = 1) -> None:
        self._inputs.append(received)
        self.count += count

    def take(self) -> MarketBlock | None:
        """What was added since the last time; None where nothing was."""
        if not self.count:
            return None
        block = MarketBlock(first=self._first, count=self.count, inputs=tuple(self._inputs))
        self._first += self.count
        self.count = 0
        self._inputs = []
        return block


class InputLog(Protocol):
    """Who notes inputs: the market log, the recorder."""

    def add(self, received: Received, count: int = 1) -> None: ...


class MarketTap:
    """A feed's sink that notes every input in ``log`` and hands it on to ``sink``."""

    def __init__(self, sink: FeedSink, log: InputLog) -> None:
        self._sink = sink
        self._add = log.add
        self._hand_on = sink.on_message

    @property
    def stopping(self) -> bool:
        return self._sink.stopping

    @property
    def books(self) -> BookWatch:
        return self._sink.books

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self._add(ReceivedMessage(data, ts_recv, connection))
        self._hand_on(data, ts_recv, connection=connection)

    def on_records(self, records: Records) -> None:
        count = records.n_frames
        if count:
            frames, events = records.frames[:count].tobytes(), records.events[: records.n_events].tobytes()
            self._add(ReceivedRecords(frames, events), count)
        self._sink.on_records(records)

    def on_damage(self, where: str, problem: str) -> None:
        self._add(ReceivedDamage(where, problem))
        self._sink.on_damage(where, problem)

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self._add(ReceivedConnection(connection, up, reason))
        self._sink.on_connection(connection, up=up, reason=reason)
