"""Feeds that play another session's market inputs out of Redis: the same inputs, so the same rows, bit by bit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from msgspec import Meta

from vtframe.api import (
    Codec,
    ConfigError,
    Fault,
    Feed,
    FeedContext,
    FeedSink,
    InputError,
    MarketInfo,
    Received,
    ReceivedConnection,
    ReceivedDamage,
    ReceivedMessage,
    ReceivedRecords,
)
from vtframe.domain import EVENT, FRAME, EventFlag, EventKind, FrameKind, Instrument, Records, SequenceRule
from vtframe_redis.keys import MARKET
from vtframe_redis.share import Gap, Share, SharedMarket

_TURN_S = 0.2  # the longest wait between two looks at whether the session wants to stop
_BREATH = 256  # inputs between two chances for signals and the like


class RedisFeed(Feed):
    """Follows a session that shares its market inputs (a `redis` sink with ``share = ["market"]``), by this machine's clock.

    It begins at the first input that Redis keeps, since a book is made of all that came before, and ends when that session has
    ended, or was not heard for ``silence_s``. Lost inputs are told as damage, and books wait for the next snapshot.
    """

    name: ClassVar[str] = "redis"
    url: str
    namespace: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$")] = "vtframe"
    session: str | None = None  # None: the one that began last
    wait_s: Annotated[float, Meta(ge=0)] = 10.0  # for a session to begin
    silence_s: Annotated[float, Meta(gt=0)] = 30.0
    timeout_s: Annotated[float, Meta(gt=0)] = 5.0  # of one answer

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        self._share = self._find()
        market = self._share.description.market
        if market is None:
            problem = f"session {self._share.keys.session} does not share its market inputs"
            raise InputError(self._share.where, problem, 'add "market" to share in its [[sinks]]')
        self._market: MarketInfo = market
        self._codec = self._make_codec(market, context.codecs)
        self._next = 1
        return market.instruments

    def codec(self) -> Codec | None:
        return self._codec

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return self._market.rules[instrument]

    def position(self) -> str:
        return f"{self._share.keys.stream(MARKET)} {self._next}"

    async def run(self, sink: FeedSink) -> None:
        reader = self._share.reader((MARKET,), silence_s=self.silence_s, batch=32)
        up = True
        latest = 0
        records = Records()
        try:
            while not sink.stopping and not reader.ended:
                found = await asyncio.to_thread(reader.poll, _TURN_S)
                if up == bool(reader.problem):
                    up = not up
                    sink.on_connection(-1, up=up, reason=reader.problem or "Redis is back")
                for item in found:
                    shared = self._share.decode(item)
                    if isinstance(shared, Gap):
                        self._tell_missing(shared, latest, sink, records)
                    elif isinstance(shared, SharedMarket):
                        latest = await self._deliver(shared, latest, sink, records)
                    if sink.stopping:
                        return
            if reader.silent:
                sink.on_damage(self.position(), f"publisher silent: not heard for {self.silence_s:g} s")
        finally:
            reader.close()

    async def _deliver(self, shared: SharedMarket, latest: int, sink: FeedSink, records: Records) -> int:
        """Every input as the first session took it; returns the newest arrival."""
        self._next = shared.first
        for number, received in enumerate(shared.inputs):
            latest = max(latest, _hand_over(received, sink, records))
            self._next += records.n_frames if isinstance(received, ReceivedRecords) else 1
            if sink.stopping:
                return latest
            if not number % _BREATH:
                await asyncio.sleep(0)
        return latest

    def _tell_missing(self, missing: Gap, ts: int, sink: FeedSink, records: Records) -> None:
        """A loss is told, and every book waits for a snapshot: whatever its source, it cannot be trusted."""
        where = f"{self._share.keys.stream(MARKET)} {missing.first}"
        sink.on_damage(where, f"lost inputs: {missing.count} are not in Redis (dropped, trimmed, or damaged)")
        records.clear()
        for instrument in range(len(self._market.instruments)):
            event = (0, ts, 0, 0, 0, instrument, int(EventFlag.GAP | EventFlag.LAST), int(EventKind.STATUS), 0)
            records.append(kind=FrameKind.STATUS, instrument=instrument, events=[event], ts_recv=ts)
        sink.on_records(records)

    def _find(self) -> Share:
        """The share; waits for it. A wrong address does not become right by waiting."""
        until = time.monotonic() + self.wait_s
        while True:
            try:
                return Share.open(self.url, namespace=self.namespace, session=self.session, timeout_s=self.timeout_s)
            except InputError:
                if time.monotonic() >= until:
                    raise
            time.sleep(min(0.1, self.wait_s))

    def _make_codec(self, market: MarketInfo, codecs: Mapping[str, type[Codec]]) -> Codec | None:
        if not market.codec:
            return None
        if market.codec not in codecs:
            problem = f"session {self._share.keys.session} shares messages of the codec {market.codec!r}, which is not loaded"
            raise ConfigError(Fault(key="use", problem=problem, hint="name its plugin in [vtframe] plugins"))
        try:
            return msgspec.convert(market.codec_settings, codecs[market.codec])
        except msgspec.ValidationError as e:
            problem = f"the codec {market.codec!r} of this version does not take the settings that were shared: {e}"
            raise ConfigError(Fault(key="use", problem=problem)) from None


class RedisReplay(RedisFeed):
    """The same by market time: plays what Redis keeps of a recorded, simulated or past session, as fast as possible."""

    name: ClassVar[str] = "redis_replay"
    market_time: ClassVar[bool] = True


def _hand_over(received: Received, sink: FeedSink, records: Records) -> int:
    """Returns when it arrived, 0 where it does not say."""
    if isinstance(received, ReceivedMessage):
        sink.on_message(received.data, received.ts_recv, connection=received.connection)
        return received.ts_recv
    if isinstance(received, ReceivedRecords):
        frames, events = np.frombuffer(received.frames, FRAME), np.frombuffer(received.events, EVENT)
        records.clear()
        records.reserve(frames=len(frames), events=len(events))
        records.frames[: len(frames)] = frames
        records.events[: len(events)] = events
        records.n_frames, records.n_events = len(frames), len(events)
        sink.on_records(records)
        return int(frames["ts_recv"].max(initial=0))
    if isinstance(received, ReceivedDamage):
        sink.on_damage(received.where, received.problem)
    elif isinstance(received, ReceivedConnection):
        sink.on_connection(received.connection, up=received.up, reason=received.reason)
    return 0
