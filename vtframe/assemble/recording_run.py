"""A configuration's feed, recorded without a session: no features, no model, no order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from vtframe.api import BookWatch, FeedSink, MarketInfo
from vtframe.assemble.bookkeeping import Bookkeeper
from vtframe.assemble.feed_table import feed_overrides
from vtframe.assemble.market import open_market
from vtframe.assemble.parts import decode_feed, load_registries
from vtframe.assemble.recorder import make_recorder, recording_files
from vtframe.builtin import PLUGINS
from vtframe.clock import EventClock, LiveClock
from vtframe.config import in_order, read_config
from vtframe.domain import Records
from vtframe.engine.market_log import MarketTap
from vtframe.engine.stop_signal import StopSignal
from vtframe.errors import ConfigError, SessionError

_NEEDED = ("[vtframe]", "[feed]", "[recorder]")


class RecordingOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    folder: str
    files: list[str]
    reason: str  # why it ended
    interrupted: bool
    damaged: int  # places that the feed could not read
    recorder: dict[str, Any]  # as report.json has it


class RecordingRun:
    """Records once. ``inputs`` tells how far it is."""

    def __init__(
        self,
        path: Path,
        folder: Path,
        *,
        count: int | None = None,
        seconds: float | None = None,
        recordings: tuple[Path, ...] = (),
        venue_url: str | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Open the feed of the configuration at ``path`` (or ``recordings``), at the embedded venue ``venue_url`` where one is
        named, to be recorded into ``folder`` until ``count`` inputs came, or for ``seconds``.

        Raises ConfigError, PluginError, RecordingError, SessionError.
        """
        if folder.exists():
            raise SessionError(str(folder), "there is something already", "name a folder that does not exist with --out")
        config, found = read_config(path, overrides=feed_overrides(path, recordings, venue_url))
        faults = [fault for fault in found if not fault.table or fault.table.startswith(_NEEDED)]
        plugins = load_registries(config, faults, builtin=PLUGINS)
        feed = decode_feed(config, plugins.registries, faults)
        if faults or feed is None:
            raise ConfigError(*in_order(faults))
        live = LiveClock()
        self._market = open_market(feed, config, plugins, EventClock() if feed.market_time else live, announce=announce)
        codec = self._market.codec
        info = MarketInfo(
            instruments=tuple(self._market.instruments),
            rules=self._market.rules,
            codec="" if codec is None else codec.name,
            codec_settings={} if codec is None else msgspec.to_builtins(codec),
            market_time=feed.market_time,
        )
        self._folder = folder
        self._sink = _Sink(count)
        self._seconds = seconds
        self._recorder = make_recorder(
            folder,
            config.recorder,
            info,
            name=folder.name,
            now=live.now_ns,
            on_failure=self._sink.fail,
            waits=feed.market_time and getattr(feed, "speed", None) is None,
        )
        self._sink.to = MarketTap(Bookkeeper(self._market), self._recorder)
        self.total = count if count is not None else feed.total()

    @property
    def inputs(self) -> int:
        return self._recorder.inputs

    def run(self) -> RecordingOutcome:
        """Record until the feed ends, enough came, or a signal asks to stop. Raises what the feed raises, SessionError where
        the disk does not take it; what came before is kept."""
        sink = self._sink
        self._recorder.start()
        try:
            with StopSignal(sink.stop) as signal:
                asyncio.run(self._deliver())
                interrupted = signal.received
        finally:
            self._recorder.close()
            if not recording_files(self._folder):
                with suppress(OSError):
                    self._folder.rmdir()
        if self._recorder.failed:
            problem = f"recording stopped: {self._recorder.failed}"
            raise RecorderError(str(self._folder), problem, "what was written before is whole")
        return RecordingOutcome(
            folder=str(self._folder),
            files=[str(file) for file in recording_files(self._folder)],
            reason=sink.reason or "end of data",
            interrupted=interrupted,
            damaged=sink.damaged,
            recorder=self._recorder.report(),
        )

    async def _deliver(self) -> None:
        feed = asyncio.ensure_future(self._market.feed.run(self._sink))
        timer = None if self._seconds is None else asyncio.ensure_future(self._stop_after(self._seconds))
        try:
            await feed
        finally:
            if timer is not None:
                timer.cancel()

    async def _stop_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._sink.stop(f"{seconds:g} s are over")


class RecorderError(SessionError):
    """The disk did not take a recording."""

    exit_code = 1


class _Sink:
    """Hands on to ``to`` what the feed brings until enough came."""

    to: FeedSink

    def __init__(self, count: int | None) -> None:
        self.reason = ""
        self.damaged = 0
        self._left = sys.maxsize if count is None else count

    @property
    def stopping(self) -> bool:
        return self.reason != ""

    @property
    def books(self) -> BookWatch:
        return self.to.books

    def stop(self, reason: str) -> None:
        self.reason = self.reason or reason

    def fail(self, reason: str) -> None:
        self.stop(f"the recorder stopped: {reason}")

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        if self._take(1):
            self.to.on_message(data, ts_recv, connection=connection)

    def on_records(self, records: Records) -> None:
        taken = self._take(records.n_frames)
        if taken < records.n_frames:
            records.n_frames = taken
        self.to.on_records(records)

    def on_damage(self, where: str, problem: str) -> None:
        if self._take(1):
            self.damaged += 1
            self.to.on_damage(where, problem)

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        if self._take(1):
            self.to.on_connection(connection, up=up, reason=reason)

    def _take(self, inputs: int) -> int:
        taken = min(inputs, self._left)
        self._left -= taken
        if not self._left:
            self.stop("enough inputs came")
        return taken
