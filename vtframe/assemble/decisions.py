"""A session's decisions made again from its recorded inputs, and compared with those that it made, bit for bit.

Nothing that time decided is decided anew: answers arrive, are late or stale, and verdicts on drift come as they did then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vtframe.api import BundleInfo, SessionInfo
from vtframe.assemble.account import Account
from vtframe.assemble.as_it_was import bundle_as_it_was
from vtframe.assemble.drift import drift_rules
from vtframe.assemble.parts import Parts, decode_parts
from vtframe.assemble.recorded_answers import Answers, RecordedElsewhere, RecordedExecutor
from vtframe.assemble.recorded_venue import RecordedVenue
from vtframe.assemble.replay import CONFIG, Recorded, Replay, read_recorded
from vtframe.assemble.replayed_inputs import RecordedTime, ReplayedInputs
from vtframe.assemble.served_models import answers_later
from vtframe.builtin import PLUGINS
from vtframe.clock import EventClock, InputClock
from vtframe.config import in_order
from vtframe.dataset.decision_comparison import DecisionComparison, DecisionDifference
from vtframe.dataset.logged_predictions import LoggedPredictions
from vtframe.engine.engine import Engine
from vtframe.engine.lifecycle import Lifecycle
from vtframe.engine.meters import Meters
from vtframe.engine.prediction_log import PredictionLog
from vtframe.engine.served_model import ServedModel
from vtframe.engine.tally import Tally
from vtframe.errors import ConfigError, Fault, InvariantError, SessionError
from vtframe.inference.executor import Executor
from vtframe.journal.reader import JournalReader
from vtframe.journal.records import LanesExchanged, ModelChanged, Record

_ENDLESS = 1 << 62


class DecisionCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison of decisions came to."""

    decisions: int  # recorded: intents, orders, denials, cancels, what became of orders
    compared: int
    identical: int
    left: int  # recorded, and not made again: where a killed session's log or recording ends before its journal
    inputs: int  # that were taken again
    first_difference: DecisionDifference | None
    hash: str  # as report.json has it
    hash_here: str
    problems: tuple[str, ...] = ()
    passed: bool


class _Journal:
    """Takes what the replay decides, and writes nothing."""

    def __init__(self, comparison: DecisionComparison, tally: Tally) -> None:
        self._compare = comparison.add
        self._count = tally.add

    def write(self, *records: Record) -> None:
        for record in records:
            self._compare(record)
            self._count(record)


class _Taken(msgspec.Struct, frozen=True):
    """A version that takes over in the replay: nothing is to be opened, its answers are in the log."""

    bundle: BundleInfo
    executor: Executor

    def switch(self) -> None: ...
    def retire(self) -> None: ...
    def discard(self) -> None: ...


def _without_venues(parts: Parts) -> Parts:
    """Lanes that traded at a venue hear what the journal has of it."""
    lanes = tuple(
        msgspec.structs.replace(lane, execution=RecordedVenue()) if lane.execution.live else lane for lane in parts.lanes
    )
    return msgspec.structs.replace(parts, lanes=lanes)


class DecisionRun:
    """One replay of one session. ``inputs`` tells how far it is, of ``total`` (None where nobody knows)."""

    def __init__(
        self,
        folder: Path,
        *,
        on_compile: Callable[[str], None] | None = None,
        builtin: Sequence[str] = PLUGINS,
    ) -> None:
        """Raises SessionError, ConfigError, JournalError, BundleError or RecordingError where it cannot be run again."""
        self.recorded = recorded = read_recorded(folder)
        self.replay = replay = Replay(recorded, builtin=builtin)
        started, side = recorded.started, replay.side
        self._tally = Tally()
        self._tally.add(started)
        self._comparison = DecisionComparison(iter(JournalReader(folder / "journal")))
        journal = _Journal(self._comparison, self._tally)
        self._time = RecordedTime(started.ts)
        self._clock = EventClock(measured=False) if started.market_time else InputClock(self._time)
        pipeline = replay.pipeline(on_compile)
        self._tables = {table.name: table for table in side.config.models if table.bundle}
        self._versions = self._bundles(recorded)
        bundles = {name: self._versions[name, digest] for name, digest in started.models.items()}
        faults: list[Fault] = []
        parts = decode_parts(side.config, side.plugins.registries, faults, features=side.features)
        if faults or parts is None:
            raise ConfigError(*in_order(faults))
        names = tuple(instrument.instrument_id for instrument in side.market.instruments)
        self._account = Account(
            info=SessionInfo(
                session_id=started.session_id,
                folder=folder,
                instruments=names,
                columns=pipeline.columns,
                dtype=side.config.rows.dtype,
                schema_hash=pipeline.schema_hash,
                fingerprint=pipeline.fingerprint,
            ),
            parts=_without_venues(parts),
            bundles=bundles,
            rules=drift_rules(side.config),
            clock=self._clock,
            instruments=side.market.instruments,
            pipeline=pipeline,
            journal=journal,
            meters=Meters(),
        )
        self._elsewhere: dict[str, RecordedElsewhere] = {}
        self._logs = {name: self._log(name, bundle, names) for name, bundle in bundles.items()}
        serving: dict[str, Any] = {"ring": pipeline.ring, "columns": pipeline.columns, "clock": self._clock}
        served = [
            ServedModel(
                name,
                self._executor(name, bundle, serving),
                PredictionLog(name, len(bundle.classes)),
                self._account.lanes_of(name),
            )
            for name, bundle in bundles.items()
        ]
        self._engine = Engine(
            codec=side.market.codec,
            pipeline=pipeline,
            models=served,
            lanes=tuple(self._account.lanes.values()),
            clock=self._clock,
            meters=Meters(),
            journal=journal,
        )
        self._engine.housekeeping = self._forget
        self._lifecycle = Lifecycle(
            self._engine,
            bundles,
            _nothing_to_prepare,
            lanes=tuple(self._account.lanes.values()),
            columns=pipeline.columns,
            journal=journal,
            clock=self._clock,
        )
        self.total = side.market.feed.total()

    @property
    def inputs(self) -> int:
        return self._engine.number

    def run(self) -> DecisionCertificate:
        """Decide everything again and compare. Raises what the feed raises."""
        folder = self.recorded.folder
        ended = self.recorded.reason != ""
        inputs = ReplayedInputs(
            self._engine,
            JournalReader(folder / "journal"),
            self._time,
            elsewhere=self._elsewhere,
            lanes=self._account.lanes,
            change=self._change,
            until=_ENDLESS if ended else min((log.last_arrival() for log in self._logs.values()), default=_ENDLESS),
        )
        lanes = tuple(self._account.lanes.values())
        self._account.start()
        for lane in lanes:
            lane.start()
        problems = list(self.replay.problems)
        try:
            asyncio.run(self.replay.side.market.feed.run(inputs))
            inputs.catch_up()
        except SessionError as e:
            problems.append(str(e))
        if inputs.stopped is not None:
            self._time.now = inputs.stopped.ts
            self._engine.note_stop(inputs.stopped.reason)
            for lane in lanes:
                lane.stop(inputs.stopped.reason)
        self._lifecycle.close()
        return self._certificate(problems, whole=inputs.stopped is not None)

    def _certificate(self, problems: list[str], *, whole: bool) -> DecisionCertificate:
        found = self._comparison
        if self.recorded.reason and not whole:
            problems.append("the replay did not come to the session's end")
        left = found.finish(whole=whole)
        recorded = Tally()
        for record in JournalReader(self.recorded.folder / "journal"):
            recorded.add(record)
        hashes = recorded.decisions(), self._tally.decisions()
        if whole and found.first is None and hashes[0] != hashes[1]:
            problems.append("the hashes of the decisions differ")
        for log in self._logs.values():
            problems += log.problems
        return DecisionCertificate(
            decisions=found.compared + left,
            compared=found.compared,
            identical=found.identical,
            left=left,
            inputs=self._engine.number,
            first_difference=found.first,
            hash=hashes[0],
            hash_here=hashes[1],
            problems=tuple(problems),
            passed=found.first is None and found.identical == found.compared and not problems,
        )

    def _forget(self) -> None:
        """Nobody reads what the replay logs of predictions."""
        for model in self._engine.models:
            model.log.take()

    def _change(self, change: ModelChanged | LanesExchanged) -> None:
        ready = None
        if isinstance(change, ModelChanged):
            executor = next(model.executor for model in self._engine.models if model.name == change.model)
            ready = _Taken(self._versions[change.model, change.after], executor)
        self._lifecycle.repeat(change, ready)

    def _executor(self, name: str, bundle: BundleInfo, serving: dict[str, Any]) -> Executor:
        table = self._tables[name]
        answers = Answers(self._logs[name], name)
        serving |= {"deadline_ns": table.deadline_us * 1_000, "max_age_ns": table.stale_ms * 1_000_000, "name": name}
        if not answers_later(table, waits=self.replay.waited):
            return RecordedExecutor(answers, bundle, **serving)
        self._elsewhere[name] = RecordedElsewhere(answers, bundle, **serving)
        return self._elsewhere[name]

    def _log(self, name: str, bundle: BundleInfo, instruments: Sequence[str]) -> LoggedPredictions:
        return LoggedPredictions(
            self.recorded.folder / "predictions" / name,
            model=name,
            session_id=self.recorded.started.session_id,
            instruments=instruments,
            outputs=bundle.classes,
        )

    def _bundles(self, recorded: Recorded) -> dict[tuple[str, str], BundleInfo]:
        """By model and hash, every version that ran."""
        found = {}
        for name, digest in recorded.started.models.items():
            if name not in self._tables:
                raise SessionError(str(recorded.folder / CONFIG), f"names no bundle of the session's model {name!r}")
            found[name, digest] = bundle_as_it_was(self.replay.side.config.resolve(self._tables[name].bundle), digest)
        for change in recorded.changes:
            if (change.model, change.after) not in found:
                found[change.model, change.after] = bundle_as_it_was(Path(change.bundle), change.after)
        return found


def _nothing_to_prepare(model: ServedModel, folder: Path) -> _Taken:
    raise InvariantError(f"a replay prepares no model, and was asked for {model.name} of {folder}")
