"""A session: start-up, main loop, shutdown, with the files that it leaves behind."""

from __future__ import annotations

import gc
import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from vtframe.api import Feed, FeedSink, SessionInfo
from vtframe.clock import Clock, LiveClock
from vtframe.domain import Verdict
from vtframe.engine.engine import Engine
from vtframe.engine.headroom import Headroom
from vtframe.engine.lane import Lane
from vtframe.engine.lifecycle import Lifecycle
from vtframe.engine.main_loop import run_loop
from vtframe.engine.meters import Counters, Meters
from vtframe.engine.recorder import Recorder
from vtframe.engine.rehearsal import Rehearsals
from vtframe.engine.report import measured, report_of, write_report
from vtframe.engine.row_log import RowLog
from vtframe.engine.session_log import SessionLog
from vtframe.engine.stop_signal import StopSignal
from vtframe.engine.venues import VenuePort
from vtframe.engine.verdicts import FoundVerdicts, RecordedVerdicts
from vtframe.errors import PluginError, VtframeError
from vtframe.features.pipeline import Pipeline
from vtframe.inference.drift import DriftMonitor
from vtframe.inference.quality import PredictionQuality
from vtframe.journal.records import Checkpoint, SessionStopped
from vtframe.journal.writer import JournalWriter

_log = logging.getLogger("vtframe.session")
_CHECKPOINT_NS = 5_000_000_000  # of the machine's time
_PATIENCE_S = 1.0  # for answers that are still due at the end


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running session stands; for progress."""

    inputs: int
    rows: int
    predictions: int
    late: int
    orders: int
    fills: int
    denied: int
    market_time: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a session ended."""

    reason: str
    interrupted: bool
    halted: bool = False  # by a rule of its configuration
    report: dict[str, Any]


class Session:
    """Runs once. Whatever ends it (the data's end, a signal, an error), orders are canceled and the files are closed."""

    def __init__(
        self,
        *,
        info: SessionInfo,
        feed: Feed,
        engine: Engine,
        pipeline: Pipeline,
        lanes: Sequence[Lane],
        clock: Clock,
        meters: Meters,
        quality: PredictionQuality,
        drift: DriftMonitor,
        verdicts: FoundVerdicts | RecordedVerdicts,
        row_log: RowLog,
        journal: JournalWriter,
        started: Callable[[SessionInfo], None],
        stopped: Callable[[SessionInfo, dict[str, Any]], None],
        release: Callable[[], None],
        lifecycle: Lifecycle,
        inputs: FeedSink | None = None,
        recorder: Recorder | None = None,
        rehearsals: Rehearsals | None = None,
    ) -> None:
        """``started`` and ``stopped`` tell the plugins, ``release`` lets go of the models; ``inputs`` is what the feed delivers
        to (by default the engine), ``recorder`` what it tells besides."""
        self.info = info
        self.feed = feed
        self.engine = engine
        self.pipeline = pipeline
        self.lanes = tuple(lanes)
        self._account = tuple(lane for lane in lanes if not lane.shadow)
        self.clock = clock
        self.meters = meters
        self.quality = quality
        self.drift = drift
        self.verdicts = verdicts
        self.row_log = row_log
        self.journal = journal
        self.reason = ""
        self.began_ns = 0  # monotonic
        self.lifecycle = lifecycle
        self.headroom = Headroom()
        self._live = not feed.market_time and not engine.elsewhere.spins  # else it is busy all the time, and means to be
        self._inputs: FeedSink = engine if inputs is None else inputs
        self._recorder = recorder
        self._rehearsals = rehearsals
        self._started = started
        self._stopped = stopped
        self._release = release
        self._checkpoint_due = 0

    def run(self) -> Outcome:
        """Run to the end. An error of the feed or the engine is raised after the orderly stop.

        What cannot start (a part, a sink) is raised too, and then nothing was done and no folder is left.
        """
        self._start()
        with SessionLog(self.info.folder / "log"), StopSignal(self.engine.stop) as signal:
            _log.info("started", extra={"session": self.info.session_id, "instruments": self.info.instruments})
            failure = self._deliver()
            failures = [*([failure] if failure is not None else []), *self._stop()]
            report = self._report(failures)
            _log.info("stopped", extra={"reason": self.reason, "inputs": self.engine.number})
            self._stopped(self.info, report)
            interrupted = signal.received
        gc.unfreeze()
        if failures:
            raise failures[0]
        return Outcome(reason=self.reason, interrupted=interrupted, halted=self.engine.halted, report=report)

    def _start(self) -> None:
        self.engine.housekeeping = self.housekeeping
        self.engine.position = self.feed.position
        try:
            for lane in self.lanes:
                lane.start(VenuePort(self.engine, lane) if lane.adapter.live else None)
            self.row_log.start()
            self._started(self.info)
            if self._recorder is not None:
                self._recorder.start()
        except BaseException:
            self.row_log.close()
            self.journal.close()
            if self._rehearsals is not None:
                self._rehearsals.close()
            self._release()
            shutil.rmtree(self.info.folder)
            raise
        gc.collect()
        gc.freeze()  # what assembly made is never garbage: the collector need not look at it again
        self.began_ns = time.perf_counter_ns()
        self._checkpoint_due = self.began_ns + _CHECKPOINT_NS

    def _deliver(self) -> Exception | None:
        """The main loop; whatever ends it is in ``reason`` afterwards."""
        try:
            main, folder = self.feed.run(self._inputs), self.info.folder
            run_loop(
                main,
                self.engine,
                self._rest,
                lifecycle=self.lifecycle,
                folder=folder,
                lanes=self.lanes,
                rehearse=None if self._rehearsals is None else self._rehearsals.walk,
            )
        except KeyboardInterrupt:
            self.reason = "interrupted twice: the feed did not stop in time"
        except Exception as e:  # noqa: BLE001 - the caller raises it, after the orderly stop
            failure = e if isinstance(e, VtframeError) or _is_ours(e) else self._blame_feed(e)
            self.reason = f"failed: {failure}"
            _log.error("the session failed", exc_info=e)
            return failure
        else:
            self.reason = self.engine.stop_reason or "end of data"
        return None

    def look(self) -> Snapshot:
        """Where it stands now; may be called from another thread, and then reads numbers of slightly different moments."""
        verdicts = self.engine.verdicts
        now = self.clock.now_ns()
        return Snapshot(
            inputs=self.engine.number,
            rows=self.pipeline.counts().rows,
            predictions=verdicts[Verdict.OK],
            late=verdicts[Verdict.LATE] + verdicts[Verdict.STALE],
            orders=sum(lane.counters.orders for lane in self._account),
            fills=sum(lane.counters.fills for lane in self._account),
            denied=sum(lane.counters.denials.total() for lane in self._account),
            market_time=datetime.fromtimestamp(now / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S") if now else "",
        )

    def counters(self) -> Counters:
        counts = self.pipeline.counts()
        verdicts = self.engine.verdicts
        lanes = [lane.counters for lane in self._account]
        return Counters(
            frames=counts.frames,
            events=counts.events,
            gaps=counts.gaps,
            resyncs=counts.resyncs,
            rows=counts.rows,
            predictions=verdicts[Verdict.OK] + verdicts[Verdict.LATE] + verdicts[Verdict.STALE],
            late=verdicts[Verdict.LATE],
            stale=verdicts[Verdict.STALE],
            conflated=verdicts[Verdict.CONFLATED],
            invalid=verdicts[Verdict.INVALID],
            failed=verdicts[Verdict.FAILED],
            overrun=verdicts[Verdict.OVERRUN],
            pending=self.engine.elsewhere.pending,
            intents=sum(lane.intents for lane in lanes),
            orders=sum(lane.orders for lane in lanes),
            fills=sum(lane.fills for lane in lanes),
            inputs=self.engine.number,
            unknown_frames=self.engine.messages,
            damage=self.engine.damage,
            codec_fallbacks=Counter(self.engine.codec.fallbacks if self.engine.codec is not None else {}),
        )

    def housekeeping(self) -> None:
        """What is done in bulk, every few hundred frames: rows to the log, samples to the histograms, checkpoints."""
        self._keep_house()
        self.verdicts.poll()

    def _keep_house(self) -> None:
        if self._live:
            self.headroom.look()
        self.row_log.poll()
        self.meters.fold()
        if time.perf_counter_ns() >= self._checkpoint_due:
            self._checkpoint()
            self._checkpoint_due = time.perf_counter_ns() + _CHECKPOINT_NS

    def _rest(self) -> None:
        """Between two inputs of a quiet market."""
        self._keep_house()
        self.verdicts.rest()

    def _checkpoint(self) -> None:
        for lane in self.lanes:
            lane.note_denials()
        report = measured(
            self.counters(),
            self.meters,
            wall_seconds=(time.perf_counter_ns() - self.began_ns) / 1e9,
            quality=self.quality.report(),
            drift=self.drift.report(),
            workers=self.engine.elsewhere.workers(),
            row_log=self.row_log.report(),
            unrealized=self._unrealized(),
            first_prediction_at_ns=self._first_prediction_at_ns(),
            damaged_at=list(self.engine.damaged_at),
            **({} if self._recorder is None else {"recorder": self._recorder.report()}),
            feed=dict(self.feed.report()),
            headroom=self.headroom.report(),
            execution=self._adapters(),
            rehearsals={} if self._rehearsals is None else self._rehearsals.report(),
        )
        self.journal.write(Checkpoint(input=self.engine.number, ts=self.clock.now_ns(), report=report))

    def _adapters(self) -> dict[str, dict[str, Any]]:
        """By lane, what adapters tell of themselves."""
        told = {lane.lane_id: dict(lane.adapter.report()) for lane in self.lanes}
        return {lane: report for lane, report in told.items() if report}

    def _unrealized(self) -> dict[str, str]:
        """Gross profit of what is still held, halfway between bid and ask, by settlement currency; decimal text."""
        total: dict[str, Decimal] = {}
        for lane in self._account:
            for index in lane.ledger.open_positions():
                top = self.pipeline.books.top(index)
                if top.bid_quantity and top.ask_quantity:
                    currency = lane.view.instrument(index).settlement
                    ledger = lane.ledger
                    both = ledger.unrealized(index, top.bid) + ledger.unrealized(index, top.ask)
                    total[currency] = total.get(currency, Decimal(0)) + both / 2
        return {currency: f"{value:f}" for currency, value in total.items()}

    def _first_prediction_at_ns(self) -> int | None:
        """ns UTC by the machine's clock; None while there is none."""
        first, live = self.engine.first_prediction_ns, LiveClock()
        return None if first is None else live.now_ns() - (live.monotonic_ns() - first)

    def _blame_feed(self, error: Exception) -> PluginError:
        name = type(self.feed).name
        at = self.feed.position()
        return PluginError(name, f"the feed raised {error!r}" + (f" at {at}" if at else ""))

    def _stop(self) -> list[Exception]:
        """Note the command, cancel, close; each step is taken whatever became of those before it. The errors, in order."""
        steps: list[Callable[[], None]] = [partial(self.engine.note_stop, self.reason)]
        steps += [partial(lane.stop, self.reason) for lane in self.lanes]
        steps += [
            partial(self.engine.settle, _PATIENCE_S),
            self.row_log.close,
            *([] if self._recorder is None else [self._recorder.close]),
            self._checkpoint,
            self._write_end,
            self.journal.close,
            *([] if self._rehearsals is None else [self._rehearsals.close]),
            self._release,
            self.lifecycle.close,
        ]
        failures: list[Exception] = []
        for step in steps:
            try:
                step()
            except Exception as e:  # noqa: BLE001 - the next step is to be taken all the same; the caller raises the first
                _log.error("the stop went on after an error", exc_info=e)
                failures.append(e)
        return failures

    def _write_end(self) -> None:
        self.journal.write(SessionStopped(ts=self.clock.now_ns(), reason=self.reason))

    def _report(self, failures: list[Exception]) -> dict[str, Any]:
        """The report as the journal has it. Where even that fails, it is empty and ``failures`` says why."""
        try:
            report = report_of(self.info.folder)
            write_report(self.info.folder, report)
        except VtframeError as e:
            failures.append(e)
            return {}
        return report


def _is_ours(error: BaseException) -> bool:
    """Whether the error passed through the engine: then a feed delivered, and what followed went wrong here."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == Engine.__module__:
            return True
        trace = trace.tb_next
    return False
