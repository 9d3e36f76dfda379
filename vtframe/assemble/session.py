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
from vtframe.api import Codec, MarketInfo, SessionInfo
from vtframe.assemble.check import Examined, check_lane_instruments, examine
from vtframe.assemble.drift import drift_rules, recorded_verdicts, restrained
from vtframe.assemble.feed_table import AT_VENUES, playing
from vtframe.assemble.market import Market as OpenedMarket
from vtframe.assemble.market import make_pipeline, open_market
from vtframe.assemble.new_version import NewVersions
from vtframe.assemble.parts import LaneParts, Parts
from vtframe.assemble.served_models import ServedModels
from vtframe.builtin import PLUGINS
from vtframe.builtin.parquet.sink import ParquetSink
from vtframe.clock import EventClock, LiveClock
from vtframe.config import read_document
from vtframe.engine.engine import Engine, ServedModel
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.engine.lane import Lane
from vtframe.engine.lane_view import Market
from vtframe.engine.lifecycle import Lifecycle
from vtframe.engine.market_log import MarketLog, MarketTap
from vtframe.engine.meters import Meters
from vtframe.engine.newest_rows import NewestRows
from vtframe.engine.prediction_log import PredictionLog
from vtframe.engine.risk_view import RiskView
from vtframe.engine.row_log import RowLog
from vtframe.engine.session import Session
from vtframe.engine.verdicts import FoundVerdicts, RecordedVerdicts
from vtframe.errors import ConfigError, Fault, SessionError
from vtframe.execution.client_order_ids import ClientOrderIds
from vtframe.execution.order_table import OrderTable
from vtframe.features.pipeline import Pipeline
from vtframe.inference.drift import DriftMonitor
from vtframe.inference.quality import PredictionQuality
from vtframe.journal.records import SessionStarted
from vtframe.journal.writer import JournalWriter
from vtframe.kernels import announcing
from vtframe.portfolio.ledger import Ledger
from vtframe.risk.gate import Gate
from vtframe.risk.restraint import DriftRestraint
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

    def overrides(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration's tables that these wishes replace."""
        changed = dict(feed)
        if self.recordings:
            changed = playing(self.recordings, feed)
        if self.speed is not None:
            changed["speed"] = self.speed
        if self.venue_url is not None and changed.get("use") in AT_VENUES:
            changed["url"] = self.venue_url
        return {"feed": changed} if changed != feed else {}


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
    clock: EventClock | LiveClock = EventClock(measured=not wishes.deterministic) if parts.feed.market_time else LiveClock()
    market = open_market(parts.feed, config, examined.plugins, clock, announce=wishes.on_compile)
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
    clock: EventClock | LiveClock,
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
    faults: list[Fault] = []
    check_lane_instruments(config, info.instruments, faults)
    if faults:
        raise ConfigError(*faults)
    try:
        folder.mkdir(parents=True)
    except OSError as e:
        raise SessionError(str(folder), f"cannot be made: {e.strerror}", "name another folder with --session") from None
    try:
        (folder / "config.toml").write_text(config.as_run)
        journal = JournalWriter(folder / "journal", session_id=info.session_id)
        journal.write(_started(info, examined, instruments, sources))
        session = _Builder(
            info=info,
            examined=examined,
            parts=parts,
            clock=clock,
            instruments=instruments,
            pipeline=pipeline,
            journal=journal,
            wishes=wishes,
        ).build(market.codec, models)
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
        clock: EventClock | LiveClock,
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
        self.pipeline = pipeline
        self.journal = journal
        self.meters = Meters()
        self.tables = {lane.id: lane.table for lane in parts.lanes}
        self.orders = OrderTable()
        self.ids = ClientOrderIds(info.session_id)
        self.ledgers = {lane.id: Ledger() for lane in parts.lanes if not lane.table.shadow}
        self.shadows = sum(lane.table.shadow for lane in parts.lanes)
        self.market = Market(
            clock=clock, instruments=instruments, books=pipeline.books, rows=NewestRows(pipeline.ring, pipeline.columns)
        )
        self.gate = Gate(parts.risk, self._risk_view(self.orders, self.ledgers))
        self.gates = [self.gate]

    def build(self, codec: Codec | None, models: ServedModels) -> Session:
        in_turn = sorted(self.parts.lanes, key=lambda parts: parts.table.shadow)  # shadows after those that trade
        lanes = {parts.id: self._lane(parts) for parts in in_turn}
        served = [self._serve(name, models, lanes) for name in self.examined.bundles]
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
        for gate in self.gates:
            gate.start()
        engine = Engine(
            codec=codec,
            pipeline=self.pipeline,
            models=served,
            lanes=tuple(lanes.values()),
            clock=self.clock,
            meters=self.meters,
            journal=self.journal,
        )
        verdicts = self._verdicts(engine, row_log)
        drift.tell = verdicts.put
        log = self.info.folder / "log"
        lifecycle = Lifecycle(
            engine,
            self.examined.bundles,
            NewVersions(self.examined, models, self.pipeline, self.clock, log).prepare,
            lanes=tuple(lanes.values()),
            columns=self.pipeline.columns,
            journal=self.journal,
            clock=self.clock,
        )
        return Session(
            info=self.info,
            feed=self.parts.feed,
            engine=engine,
            pipeline=self.pipeline,
            lanes=tuple(lanes.values()),
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
            inputs=None if market_log is None else MarketTap(engine, market_log),
        )

    def _verdicts(self, engine: Engine, row_log: RowLog) -> FoundVerdicts | RecordedVerdicts:
        """How verdicts on drift come to the engine. Runs that must decide alike wait for the thread that finds them."""
        if self.wishes.verdicts_of is not None:
            return RecordedVerdicts(engine, recorded_verdicts(self.wishes.verdicts_of))
        return FoundVerdicts(engine, wait=row_log.drain if self.rules and self.wishes.deterministic else None)

    def _tell_started(self, info: SessionInfo) -> None:
        """A plugin that raises here stops the session before its first input."""
        for answer in self.examined.plugins.call("session_started", session=info):
            if answer.error is not None:
                raise answer.error

    def _tell_stopped(self, info: SessionInfo, report: Mapping[str, Any]) -> None:
        for answer in self.examined.plugins.call("session_stopped", session=info, report=report):
            if answer.error is not None:
                _log.error("%s", answer.error)

    def _risk_view(self, orders: OrderTable, ledgers: Mapping[str, Ledger], lane: str | None = None) -> RiskView:
        return RiskView(market=self.market, orders=orders, ledgers=ledgers, lane=lane)

    def _lane(self, parts: LaneParts) -> Lane:
        table = parts.table
        models = restrained(self.rules)
        restraint = DriftRestraint() if table.model in models or (models and self.shadows) else None
        limits = parts.limits if restraint is None else (restraint, *parts.limits)
        gate, orders, ledgers, ids = self.gate, self.orders, self.ledgers, self.ids
        if table.shadow:  # an account of its own
            orders, ledgers = OrderTable(), {parts.id: Ledger()}
            gate = Gate(parts.account, self._risk_view(orders, ledgers))
            ids = ClientOrderIds(f"{self.info.session_id}-s{len(self.gates)}")
            self.gates.append(gate)
        chosen = [self.info.instruments.index(name) for name in table.instruments] or None
        return Lane(
            parts.id,
            parts.strategy,
            parts.execution,
            gate=gate,
            limits=Gate(limits, self._risk_view(orders, ledgers, parts.id)) if limits else None,
            restraint=restraint,
            ledger=ledgers[parts.id],
            orders=orders,
            ids=ids,
            capital=table.capital,
            when_late=table.when_late,
            model=self.examined.bundles.get(table.model),
            market=self.market,
            journal=self.journal,
            meters=None if table.shadow else self.meters,
            shadow=table.shadow,
            instruments=chosen,
        )

    def _serve(self, name: str, models: ServedModels, lanes: Mapping[str, Lane]) -> ServedModel:
        executor = models.executor(name, self.pipeline, self.clock, self.info.folder / "log")
        log = PredictionLog(name, len(self.examined.bundles[name].classes))
        return ServedModel(name, executor, log, [lane for lane in lanes.values() if self.tables[lane.lane_id].model == name])


def _examine(path: Path, wishes: Wishes) -> Examined:
    feed = read_document(path).data.get("feed")
    overrides = wishes.overrides(feed if isinstance(feed, dict) else {})
    return examine(path, overrides=overrides, builtin=wishes.builtin)


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
    info: SessionInfo, examined: Examined, instruments: SessionInstruments, sources: tuple[SourceFile, ...]
) -> SessionStarted:
    return SessionStarted(
        session_id=info.session_id,
        vtframe_version=__version__,
        ts=LiveClock().now_ns(),
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
