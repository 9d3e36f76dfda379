"""The sink: takes blocks from the row log's thread into a bounded buffer, and never waits. The publisher does the rest."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from vtframe.api import ConfigError, Fault, MarketBlock, PredictionBlock, RowBlock, SessionInfo, Sink
from vtframe_redis.address import resolve, shown
from vtframe_redis.buffer import Block, Buffer
from vtframe_redis.client import connect
from vtframe_redis.entries import Entries, size_of
from vtframe_redis.keys import MARKET, PREDICTIONS, ROWS, Keys, describe
from vtframe_redis.publisher import Publisher, Retention

_TABLE = "[[sinks]] redis"
_log = logging.getLogger("vtframe.redis")


class RedisSink(Sink):
    """Publishes rows, predictions and (where ``share`` names them) market inputs to Redis 6.2 or newer.

    Redis may be slow, down, or come back empty: the session goes on, at most ``buffer_mb`` waits, and what is dropped is
    counted and shows as a gap to readers.
    """

    name: ClassVar[str] = "redis"
    url: str  # redis://HOST:PORT/DB, rediss:// (TLS), unix://PATH; "env:NAME" or "file:/PATH" where it holds a password
    namespace: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$")] = "vtframe"
    share: tuple[Literal["rows", "predictions", "market"], ...] = ("rows", "predictions")  # market: what a `redis` feed plays
    readable: bool = False  # text beside the bytes, one row an entry: for people, and dearer
    rows_per_entry: Annotated[int, Meta(ge=1, le=4096)] = 64
    keep_rows: Annotated[int, Meta(ge=1)] = 1_000_000  # of rows, and of each model's predictions
    keep_inputs: Annotated[int, Meta(ge=1)] = 10_000_000  # of market inputs
    keep_hours: Annotated[float, Meta(gt=0)] = 24.0  # after the last change
    buffer_mb: Annotated[float, Meta(gt=0)] = 64.0
    timeout_s: Annotated[float, Meta(gt=0)] = 2.0  # of one answer
    close_s: Annotated[float, Meta(ge=0, le=8)] = 3.0  # how long the end waits for what is still to be sent

    @property
    def takes_market(self) -> bool:
        return MARKET in self.share

    def start(self, session: SessionInfo) -> None:
        """Start the publisher; Redis need not be there. Raises ConfigError for an address that cannot be one."""
        address = resolve(self.url, table=_TABLE)
        if self.takes_market and session.market is None:
            raise ConfigError(Fault(table=_TABLE, key="share", problem="the session does not tell its market side"))
        connect(address, timeout_s=self.timeout_s, table=_TABLE).close()  # options are looked at, nothing is sent
        keys = Keys(self.namespace, session.session_id)
        self._told = False
        self._buffer = Buffer(int(self.buffer_mb * 2**20))
        self._publisher = Publisher(
            partial(connect, address, timeout_s=self.timeout_s),
            self._buffer,
            Entries(session, keys, rows_per_entry=self.rows_per_entry, readable=self.readable),
            describe(session, market=self.takes_market),
            keys,
            retention=Retention(items=self.keep_rows, market=self.keep_inputs, seconds=max(1, int(self.keep_hours * 3600))),
            where=shown(address),
        )
        self._publisher.start()

    def rows(self, block: RowBlock) -> None:
        if ROWS in self.share:
            self._put(ROWS, len(block.meta), block)

    def predictions(self, block: PredictionBlock) -> None:
        if "predictions" in self.share:
            self._put(PREDICTIONS + block.model, len(block.meta), block)

    def market(self, block: MarketBlock) -> None:
        self._put(MARKET, block.count, block, first=block.first + 1)

    def close(self) -> None:
        self._publisher.close(self.close_s)

    def report(self) -> Mapping[str, Any]:
        """``made`` = ``published`` + ``dropped`` of each stream, once it is closed; before, the rest waits."""
        streams = {
            name: {"made": counts.made, "published": counts.published, "dropped": counts.dropped}
            for name, counts in self._buffer.look().items()
        }
        publisher = self._publisher
        return {"streams": streams, "connections": publisher.connections, "entries_sent_again": publisher.again}

    def _put(self, stream: str, count: int, block: Block, *, first: int | None = None) -> None:
        dropped = self._buffer.put(stream, count, size_of(block), block, first=first)
        if dropped and not self._told:
            self._told = True
            _log.error("the buffer for Redis is full; the oldest is dropped and counted", extra={"buffer_mb": self.buffer_mb})
