"""Delivers the lines of recordings to a feed's sink: frames, and what a recorder noted between them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from vtframe.api import DecodeError, FeedSink
from vtframe.builtin.recorded.identity import Identity
from vtframe.builtin.recorded.lines import append_frame
from vtframe.domain import Records
from vtframe.wire import ConnectionChange, Damage, DamageSeen, FrameRecords, Heading, Lost, OnConnection, RecordingReader

_BREATH: Final = 256  # messages between two chances for signals, progress and the like
_NAP: Final = 0.1  # seconds; the longest sleep, so that a stop is soon seen


class Player:
    """Plays one file after the other. ``speed`` is None for as fast as possible.

    A recorder's own file brings every input as it was: connection, arrival, changes of connections, damage, frames of a feed
    that decodes by itself. A foreign file brings frames on connection 0, at times that never go back.
    """

    def __init__(self, sink: FeedSink, speed: float | None) -> None:
        self.latest = 0
        self._sink = sink
        self._pace = None if speed is None else Pace(speed)
        self._count = 0
        self._records = Records(frames=_BREATH)

    async def play(self, file: Identity, reader: RecordingReader, indexes: Sequence[int]) -> bool:
        """Play it; ``indexes`` are the session's of the file's instruments. False where the sink stopped."""
        if file.sample.heading is None:
            return await self._foreign(reader)
        return await self._recorded(reader, indexes, file.sample.heading.connection)

    def on_damage(self, damage: Damage) -> None:
        """What the reader could not read."""
        self._deliver()
        self._sink.on_damage(damage.where, damage.problem)

    async def _foreign(self, reader: RecordingReader) -> bool:
        sink, pace = self._sink, self._pace
        for _, ts_recv, data in reader:
            if sink.stopping:
                reader.tell_went_back()
                return False
            self.latest = max(self.latest, ts_recv)
            if pace is not None:
                await pace.wait_for(self.latest, sink)
                if sink.stopping:
                    reader.tell_went_back()
                    return False
            sink.on_message(data, self.latest)
            await self._breathe()
        return True

    async def _recorded(self, reader: RecordingReader, indexes: Sequence[int], connection: int) -> bool:
        sink, pace = self._sink, self._pace
        for number, ts_recv, item in reader.inputs():
            if sink.stopping:
                return False
            self.latest = max(self.latest, ts_recv)
            if pace is not None:
                self._deliver()
                await pace.wait_for(self.latest, sink)
                if sink.stopping:
                    return False
            if isinstance(item, bytes):
                self._deliver()
                sink.on_message(item, ts_recv, connection=connection)
                await self._breathe()
            elif isinstance(item, FrameRecords):
                self._gather(item, ts_recv, indexes, f"{reader.path}:{number}")
                if self._records.n_frames == _BREATH:
                    self._deliver()
                    await asyncio.sleep(0)
            elif isinstance(item, OnConnection | Heading):  # a heading in the middle: files were put one behind the other
                connection = item.connection
            elif isinstance(item, ConnectionChange):
                self._deliver()
                sink.on_connection(item.connection, up=item.up, reason=item.reason)
            elif isinstance(item, DamageSeen):
                self._deliver()
                sink.on_damage(item.where, item.problem)
            elif isinstance(item, Lost):
                self._deliver()
                sink.on_damage(f"{reader.path}:{number}", f"lost by the recorder: {item.inputs} inputs are missing here")
        self._deliver()
        return True

    def _gather(self, item: FrameRecords, ts_recv: int, indexes: Sequence[int], where: str) -> None:
        try:
            append_frame(self._records, item, ts_recv, indexes)
        except DecodeError as e:
            self._deliver()
            self._sink.on_damage(where, f"broken mark: {e}")

    def _deliver(self) -> None:
        """Hand over the frames that have gathered."""
        if self._records.n_frames:
            self._sink.on_records(self._records)
            self._records.clear()

    async def _breathe(self) -> None:
        self._count += 1
        if not self._count % _BREATH:
            await asyncio.sleep(0)


class Pace:
    """Waits until the recording's clock, run at ``speed``, has come to a time."""

    def __init__(self, speed: float) -> None:
        self._seconds_per_ns = 1e-9 / speed
        self._started: tuple[float, int] | None = None

    async def wait_for(self, ts_recv: int, sink: FeedSink) -> None:
        """Return at the time of ``ts_recv``, or as soon as the sink is stopping. Runs on the loop's monotonic clock."""
        now = asyncio.get_running_loop().time
        if self._started is None:
            self._started = now(), ts_recv
        began, first = self._started
        due = began + (ts_recv - first) * self._seconds_per_ns
        while (left := due - now()) > 0 and not sink.stopping:
            await asyncio.sleep(min(left, _NAP))
