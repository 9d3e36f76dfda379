"""The one composition root: a configuration, the loaded parts and the command line's wishes become a Session."""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from vtframe import __version__
from vtframe.api import Codec, FeedSink, MarketInfo, SessionInfo
from vtframe.assemble.account import Account
from vtframe.assemble.check import Examined, check_lane_instruments, examine
from vtframe.assemble.drift import drift_rules, recorded_verdicts
from vtframe.assemble.feed_table import at_venue, feed_at, playing
from vtframe.assemble.live_lanes import check_live_instruments
from vtframe.assemble.market import Market as OpenedMarket
from vtframe.assemble.market import make_pipeline, open_market
from vtframe.assemble.new_version import NewVersions
from vtframe.assemble.parts import Parts
from vtframe.assemble.recorder import RECORDING, make_recorder, records
from vtframe.assemble.served_models import ServedModels
from vtframe.builtin import PLUGINS
from vtframe.builtin.parquet.sink import ParquetSink
from vtframe.clock import Clock, EventClock, InputClock, LiveClock
from vtframe.config import read_document
from vtframe.engine.engine import Engine
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.engine.lifecycle import Lifecycle
from vtframe.engine.market_log import MarketLog, MarketTap
from vtframe.engine.meters import Meters
from vtframe.engine.prediction_log import PredictionLog
from vtframe.engine.recorder import Recorder
from vtframe.engine.row_log import RowLog
from vtframe.engine.served_model import ServedModel
from vtframe.engine.session import Session
from vtframe.engine.verdicts import FoundVerdicts, RecordedVerdicts
from vtframe.errors import ConfigError, Fault, InvariantError, SessionError
from vtframe.features.pipeline import Pipeline
from vtframe.inference.age import Arrivals
from vtframe.inference.drift import DriftMonitor
from vtframe.inference.loop_beat import LoopBeat
from vtframe.inference.quality import PredictionQuality
from vtframe.journal.records import SessionStarted
from vtframe.journal.writer import JournalWriter
from vtframe.kernels import announcing
from vtframe.wire import SourceFile

_log = logging.getLogger("vtframe.session")


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for beside the configuration."""

    recordings: tuple[Path, ...] = ()  # play these instead of the configured feed, in order
    speed: float | None = None  # 1 is real time; None as fast as possible
    venue_url: str | None = None  # of an embedded venue, for the parts that speak to one
    folder: Path | None = None  # of the session; must not exist
    deterministic: bool = False  # processing time does not count: two runs over one input decide alike
    verdicts_of: Path | None = None  # take verdicts on drift from this session's journal, as numbered there, not from the data
    on_compile: Callable[[str], None] | None = None
    builtin: tuple[str, ...] = PLUGINS  # a bench adds parts of its own

    def overrides(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The tables of the configuration ``data`` that these wishes replace."""
        feed = data.get("feed")
        feed = feed if isinstance(feed, dict) else {}
        changed = dict(feed)
        if self.recordings:
            changed = playing(self.recordings, feed)
        if self.speed is not None:
            changed["speed"] = self.speed
        if self.venue_url is not None:
            changed = feed_at(changed, self.venue_url)
        tables: dict[str, Any] = {"feed": changed} if changed != feed else {}
        if self.venue_url is not None and (lanes := at_venue(data.get("lanes"), self.venue_url)):
            tables["lanes"] = lanes
        return tables


class Assembled(msgspec.Struct, frozen=True, kw_only=True):
    """A session ready to run, and what the shell around it needs."""

    session: Session
    examined: Examined
    total: int | None  # inputs, where the feed knows


def assemble(path: Path, wishes: Wishes) -> Assembled:
    """Make the session of the configuration at ``path``. Nothing is written before everything could be opened.

    Raises ConfigError (with every fault), PluginError, KernelError, BundleError, RecordingError or SessionError.
    """
    examined = _examine(path, wishes)
    parts = examined.usable_parts()
    config = examined.config
    session_id = _new_session_id()
    folder = _free_folder(wishes.folder or config.resolve(config.session.sessions) / session_id)
    clock = EventClock(measured=not wishes.deterministic) if parts.feed.market_time else InputClock(LiveClock())
    wall: Clock = clock if isinstance(clock, EventClock) else LiveClock()
    market = open_market(parts.feed, config, examined.plugins, wall, announce=wishes.on_compile)
    with announcing(wishes.on_compile) if wishes.on_compile is not None else nullcontext():
        models = ServedModels(
            {table.name: table for table in parts.models},
            examined.bundles,
            examined.plugins.registries.model_backends,
            waits=parts.feed.market_time and getattr(parts.feed, "speed", None) is None,
        )
    try:
        pipeline = make_pipeline(config, parts.features, market, wishes.on_compile, memory=models.row_memory)
        return _join(
            examined, wishes, market=market, pipeline=pipeline, models=models, clock=clock, folder=folder, session_id=session_id
        )
    except BaseException:
        models.release()
        raise


def _join(
    examined: Examined,
    wishes: Wishes,
    *,
    market: OpenedMarket,
    pipeline: Pipeline,
    models: ServedModels,
    clock: EventClock | InputClock,
    folder: Path,
    session_id: str,
) -> Assembled:
    """Everything is open: make the session's folder, and the session."""
    parts, config, instruments = examined.usable_parts(), examined.config, market.instruments
    info = SessionInfo(
        session_id=session_id,
        folder=folder,
        instruments=tuple(instrument.instrument_id for instrument in instruments),
        columns=pipeline.columns,
        dtype=config.rows.dtype,
        schema_hash=pipeline.schema_hash,
        fingerprint=pipeline.fingerprint,
        outputs={name: bundle.classes for name, bundle in examined.bundles.items()},
        market=MarketInfo(
            instruments=tuple(instruments),
            rules=market.rules,
            codec="" if market.codec is None else market.codec.name,
            codec_settings={} if market.codec is None else msgspec.to_builtins(market.codec),
            market_time=parts.feed.market_time,
        ),
    )
    sources = market.sources()
    recorded = records(config.recorder, market_time=parts.feed.market_time)
    faults: list[Fault] = []
    check_lane_instruments(config, info.instruments, faults)
    check_live_instruments(config, parts, tuple(instruments), faults)
    if faults:
        raise ConfigError(*faults)
    try:
        folder.mkdir(parents=True)
    except OSError as e:
        raise SessionError(str(folder), f"cannot be made: {e.strerror}", "name another folder with --session") from None
    try:
        (folder / "config.toml").write_text(config.as_run)
        journal = JournalWriter(folder / "journal", session_id=info.session_id)
        journal.write(_started(info, examined, instruments, sources, ts=clock.now_ns(), recorded=recorded))
        session = _Builder(
            info=info,
            examined=examined,
            parts=parts,
            clock=clock,
            instruments=instruments,
            pipeline=pipeline,
            journal=journal,
            wishes=wishes,
        ).build(market.codec, models, recorded=recorded)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return Assembled(session=session, examined=examined, total=parts.feed.total())


class _Builder:
    """Joins the opened parts. A class because every joint needs the same few things."""

    def __init__(
        self,
        *,
        info: SessionInfo,
        examined: Examined,
        parts: Parts,
        clock: EventClock | InputClock,
        instruments: SessionInstruments,
        pipeline: Pipeline,
        journal: JournalWriter,
        wishes: Wishes,
    ) -> None:
        self.wishes = wishes
        self.rules = drift_rules(examined.config)
        self.info = info
        self.examined = examined
        self.parts = parts
        self.clock = clock
        self.wall: Clock = clock if isinstance(clock, EventClock) else LiveClock()  # what lateness is measured by
        self.pipeline = pipeline
        self.journal = journal
        self.meters = Meters()
        beat = None if isinstance(clock, EventClock) else LoopBeat(self.wall)
        self.arrivals = Arrivals(len(info.instruments), beat=beat)
        self.account = Account(
            info=info,
            parts=parts,
            bundles=examined.bundles,
            rules=self.rules,
            clock=clock,
            instruments=instruments,
            pipeline=pipeline,
            journal=journal,
            meters=self.meters,
        )

    def build(self, codec: Codec | None, models: ServedModels, *, recorded: bool) -> Session:
        lanes = tuple(self.account.lanes.values())
        served = [self._serve(name, models) for name in self.examined.bundles]
        drift = DriftMonitor(self.rules, self.examined.bundles)
        quality = PredictionQuality(self.examined.bundles, tell=drift.scored)
        sinks = (
            self.parts.sinks if any(sink.name == "parquet" for sink in self.parts.sinks) else (ParquetSink(), *self.parts.sinks)
        )
        market_log = MarketLog() if any(sink.takes_market for sink in sinks) else None
        row_log = RowLog(
            self.pipeline.ring,
            (*sinks, quality, drift),
            self.info,
            logs=[model.log for model in served],
            market=market_log,
        )
        self.account.start()
        engine = Engine(
            codec=codec,
            pipeline=self.pipeline,
            models=served,
            lanes=lanes,
            clock=self.clock,
            meters=self.meters,
            journal=self.journal,
            arrivals=self.arrivals,
        )
        inputs: FeedSink = engine
        recorder = self._recorder(engine) if recorded else None
        for log in (market_log, recorder):
            inputs = inputs if log is None else MarketTap(inputs, log)
        verdicts = self._verdicts(engine, row_log)
        drift.tell = verdicts.put
        log_folder = self.info.folder / "log"
        lifecycle = Lifecycle(
            engine,
            self.examined.bundles,
            NewVersions(self.examined, models, self.pipeline, self.wall, log_folder).prepare,
            lanes=lanes,
            columns=self.pipeline.columns,
            journal=self.journal,
            clock=self.clock,
            followers=(drift.on_version, quality.on_version),
        )
        return Session(
            info=self.info,
            feed=self.parts.feed,
            engine=engine,
            pipeline=self.pipeline,
            lanes=lanes,
            clock=self.clock,
            meters=self.meters,
            quality=quality,
            drift=drift,
            verdicts=verdicts,
            row_log=row_log,
            journal=self.journal,
            started=self._tell_started,
            stopped=self._tell_stopped,
            release=models.release,
            lifecycle=lifecycle,
            inputs=inputs,
            recorder=recorder,
            rehearsals=self.account.rehearsals() if not self.parts.feed.market_time else None,
        )

    def _verdicts(self, engine: Engine, row_log: RowLog) -> FoundVerdicts | RecordedVerdicts:
        """How verdicts on drift come to the engine. Runs that must decide alike wait for the thread that finds them."""
        if self.wishes.verdicts_of is not None:
            return RecordedVerdicts(engine, recorded_verdicts(self.wishes.verdicts_of))
        return FoundVerdicts(engine, wait=row_log.drain if self.rules and self.wishes.deterministic else None)

    def _recorder(self, engine: Engine) -> Recorder:
        table, market = self.examined.config.recorder, self.info.market
        if market is None:
            raise InvariantError("a session without a market cannot be recorded")
        stop = engine.halt if table.on_disk_full == "stop_trading" else _log.warning
        return make_recorder(
            self.info.folder / RECORDING,
            table,
            market,
            name=self.info.session_id,
            now=self.wall.now_ns,
            on_failure=lambda reason: stop(f"the recorder stopped: {reason}"),
            waits=market.market_time and getattr(self.parts.feed, "speed", None) is None,
        )

    def _tell_started(self, info: SessionInfo) -> None:
        """A plugin that raises here stops the session before its first input."""
        for answer in self.examined.plugins.call("session_started", session=info):
            if answer.error is not None:
                raise answer.error

    def _tell_stopped(self, info: SessionInfo, report: Mapping[str, Any]) -> None:
        for answer in self.examined.plugins.call("session_stopped", session=info, report=report):
            if answer.error is not None:
                _log.error("%s", answer.error)

    def _serve(self, name: str, models: ServedModels) -> ServedModel:
        executor = models.executor(name, self.pipeline, self.wall, self.info.folder / "log", self.arrivals)
        log = PredictionLog(name, len(self.examined.bundles[name].classes))
        return ServedModel(name, executor, log, self.account.lanes_of(name))


def _examine(path: Path, wishes: Wishes) -> Examined:
    return examine(path, overrides=wishes.overrides(read_document(path).data), builtin=wishes.builtin)


def _new_session_id() -> str:
    """Sorts by time; short enough for client order IDs, which begin with it and must differ from session to session."""
    now = LiveClock().now_ns()
    return f"{datetime.fromtimestamp(now / 1e9, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _free_folder(folder: Path) -> Path:
    try:
        there = folder.exists()
    except OSError as e:
        raise SessionError(str(folder), f"cannot be used: {e.strerror}", "name another folder with --session") from None
    if there:
        raise SessionError(
            str(folder), "there is something already", "a session makes its own folder: name one that does not exist"
        )
    return folder


def _started(
    info: SessionInfo,
    examined: Examined,
    instruments: SessionInstruments,
    sources: tuple[SourceFile, ...],
    *,
    ts: int,
    recorded: bool,
) -> SessionStarted:
    return SessionStarted(
        session_id=info.session_id,
        vtframe_version=__version__,
        ts=ts or LiveClock().now_ns(),
        recorded=recorded,
        market_time=examined.usable_parts().feed.market_time,
        config=examined.config.as_run,
        config_folder=str(examined.config.folder),
        sources=sources,
        instruments=tuple(msgspec.to_builtins(instrument) for instrument in instruments),
        lanes=tuple(lane.id for lane in examined.config.lanes),
        shadows=tuple(lane.id for lane in examined.config.lanes if lane.table.shadow),
        models={name: bundle.hash for name, bundle in examined.bundles.items()},
        columns=info.columns,
        schema_hash=info.schema_hash,
        fingerprint=info.fingerprint,
    )
