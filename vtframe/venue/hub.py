"""Who hears what: streams by market and name, their subscribers, and the connections that have something to send."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from vtframe.venue.connection import Connection, Tally
from vtframe.venue.faults import Faults
from vtframe.venue.frame import Message

Key = tuple[str, str]
"""Market and stream name."""
_ENDED = 1000  # connections that are remembered when they are gone


class Hub:
    """Subscribers by stream. A message is made only where somebody hears it."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.slow = 0  # connections dropped because they did not read
        self.connections: set[Connection] = set()
        self.ended: deque[Tally] = deque(maxlen=_ENDED)
        self.published = 0
        self._subscribers: dict[Key, dict[Connection, None]] = {}
        self._dirty: dict[Connection, None] = {}

    def subscribe(self, connection: Connection, market: str, stream: str) -> None:
        self._subscribers.setdefault((market, stream), {})[connection] = None

    def unsubscribe(self, connection: Connection, market: str, stream: str) -> None:
        subscribers = self._subscribers.get((market, stream), {})
        subscribers.pop(connection, None)
        if not subscribers:
            self._subscribers.pop((market, stream), None)

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self.connections.discard(connection)
        self.ended.append(connection.tally)
        self.slow += connection.slow
        self._dirty.pop(connection, None)
        for market, stream in [key for key, subscribers in self._subscribers.items() if connection in subscribers]:
            self.unsubscribe(connection, market, stream)

    def subscribers(self, market: str, stream: str) -> Collection[Connection]:
        return self._subscribers.get((market, stream), ())

    def publish(self, market: str, stream: str, payload: str, *, name: str = "") -> None:
        """To everybody who subscribed; it leaves with ``flush``. ``name`` is what faults know the stream by."""
        message = Message(stream, payload, name=name)
        self.published += 1
        for connection in self._subscribers.get((market, stream), ()):
            if self._faults.on_frames:
                self._faults.deliver(connection, market, message)
            else:
                connection.send(message)
            self._dirty[connection] = None

    def flush(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for connection in dirty:
            connection.flush()
