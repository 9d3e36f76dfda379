"""All rules of a session: rows and scores in, verdicts out. It takes blocks like a sink, in the row log's thread."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, PredictionBlock, RowBlock, SessionInfo
from vtframe.domain import Answer, DriftVerdict
from vtframe.inference.drift.change import MeanChange
from vtframe.inference.drift.input_watch import Finding, InputWatch
from vtframe.inference.drift.rule import DriftRule
from vtframe.inference.drift.score_watch import ScoreWatch
from vtframe.inference.scored import Scored

_log = logging.getLogger("vtframe.drift")


def _ignore(verdict: DriftVerdict) -> None:
    """Until somebody takes verdicts they are only told."""


class _Change(NamedTuple):
    number: int  # of the input: rows of later ones are the version's
    model: str
    bundle: BundleInfo


class DriftMonitor:
    """Judges every rule for every instrument by itself. ``tell`` takes a verdict wherever a rule's answer changes.

    Where a model is swapped, each version is held against its own bundle: from its first row on windows begin anew, and what
    was said of the version before stands until the new one is judged for the first time.

    Memory: ``window`` bytes for each column that a rule watches in an instrument.
    """

    name: ClassVar[str] = "drift"

    def __init__(self, rules: Sequence[DriftRule], bundles: Mapping[str, BundleInfo]) -> None:
        self.tell: Callable[[DriftVerdict], None] = _ignore
        self._rules = tuple(rules)
        self._bundles = dict(bundles)  # whose training rows are compared with
        self._versions = {name: {bundle.hash: bundle} for name, bundle in bundles.items()}
        self._changes: deque[_Change] = deque()  # whose first row has not been seen yet
        self._earlier: dict[tuple[int, int], list[dict[str, Any]]] = {}  # what was found of versions before
        self._inputs: dict[tuple[int, int], InputWatch] = {}  # by rule and instrument
        self._scores: dict[tuple[int, int], ScoreWatch] = {}
        self._all_columns: tuple[str, ...] = ()
        self._watches_inputs = any(rule.watch == "inputs" for rule in self._rules)
        self._instruments: tuple[str, ...] = ()
        self._dtype = "float32"
        self._verdicts = 0
        self._newest: list[dict[str, Any]] = []
        self._latest: dict[str, Any] = {}
        self._asked = False

    def start(self, session: SessionInfo) -> None:
        """Find the rules' columns in the rows."""
        self._instruments, self._dtype = session.instruments, session.dtype
        self._all_columns = session.columns
        if any(rule.measure == "adwin" for rule in self._rules):
            MeanChange(0.5)  # here, before the first input: the import takes a second or two
        self._latest = self._compute()

    def rows(self, block: RowBlock) -> None:
        """Valid rows go to the rules that watch inputs."""
        if self._watches_inputs and len(block.meta):
            inputs, first = block.meta["input"], 0
            while self._changes and self._changes[0].number < inputs[-1]:
                change = self._changes.popleft()
                last = int(np.searchsorted(inputs, change.number))
                self._watch(block.meta[first:last], block.values[first:last])
                self._turn_to(change)
                first = last
            self._watch(block.meta[first:], block.values[first:])
        if self._asked:
            self._asked = False
            self._latest = self._compute()

    def predictions(self, block: PredictionBlock) -> None:
        """Scores come by ``scored``, once a horizon has passed."""

    def scored(self, model: str, instrument: int, scored: Scored) -> None:
        """Predictions of one version of ``model`` that were just scored. What a version before answered late is left aside."""
        if not len(scored.rows):
            return
        bundle = self._versions[model].get(scored.version, self._bundles[model])
        for rule in self._rules:
            if rule.watch == "scores" and rule.model == model:
                watch = self._score_watch(rule, instrument, bundle)
                if watch.version != bundle.hash:
                    if scored.rows[0] < watch.newest:
                        continue
                    self._keep(rule, instrument, watch)
                    watch = self._score_watch(rule, instrument, bundle, before=self._scores.pop((rule.number, instrument)))
                for finding in watch.add(scored):
                    self._found(rule, instrument, watch.level.answer, finding)

    def on_version(self, model: str, bundle: BundleInfo, number: int) -> None:
        """From the rows of inputs after ``number`` on, ``bundle`` answers for ``model``. From the engine's thread, before it
        does."""
        self._versions[model][bundle.hash] = bundle
        if self._watches_inputs:
            self._changes.append(_Change(number, model, bundle))

    def close(self) -> None:
        """The report is final."""
        self._latest = self._compute()

    def report(self) -> dict[str, Any]:
        """The "drift" of report.json; empty without rules. As PredictionQuality.report: at once, from any thread."""
        self._asked = True
        return self._latest

    def _watch(self, meta: NDArray[Any], values: NDArray[Any]) -> None:
        """Rows between two changes of versions."""
        valid = meta["valid"] != 0
        instruments = meta["instrument"]
        for instrument in np.unique(instruments[valid]).tolist():
            chosen = valid & (instruments == instrument)
            some, rows = meta[chosen], values[chosen]
            for rule in self._rules:
                if rule.watch == "inputs":
                    watch = self._input_watch(rule, instrument)
                    for finding in watch.add(some, rows[:, [self._all_columns.index(name) for name in watch.columns]]):
                        self._found(rule, instrument, watch.level.answer, finding)

    def _turn_to(self, change: _Change) -> None:
        self._bundles[change.model] = change.bundle
        models = {rule.number: rule.model for rule in self._rules}
        for (number, instrument), watch in list(self._inputs.items()):
            if models[number] == change.model:
                rule = self._rules[number]
                self._keep(rule, instrument, watch)
                self._input_watch(rule, instrument, before=self._inputs.pop((number, instrument)))

    def _input_watch(self, rule: DriftRule, instrument: int, *, before: InputWatch | None = None) -> InputWatch:
        watch = self._inputs.get((rule.number, instrument))
        if watch is None:
            bundle = self._bundles[rule.model]
            names = rule.columns or bundle.columns
            said = Answer.NONE if before is None else before.level.answer
            training = [bundle.training[name] for name in names]
            watch = InputWatch(rule, names, training, self._dtype, version=bundle.hash, before=said)
            self._inputs[rule.number, instrument] = watch
        return watch

    def _score_watch(
        self, rule: DriftRule, instrument: int, bundle: BundleInfo, *, before: ScoreWatch | None = None
    ) -> ScoreWatch:
        watch = self._scores.get((rule.number, instrument))
        if watch is None:
            said = Answer.NONE if before is None else before.level.answer
            watch = ScoreWatch(rule, bundle.metrics.get("log_loss", 0.0), version=bundle.hash, before=said)
            self._scores[rule.number, instrument] = watch
        return watch

    def _keep(self, rule: DriftRule, instrument: int, watch: InputWatch | ScoreWatch) -> None:
        """For the report: what was found of a version that another one takes the place of."""
        found = {"version": watch.version, "judged": watch.judged, **watch.report()}
        self._earlier.setdefault((rule.number, instrument), []).append(found)

    def _found(self, rule: DriftRule, instrument: int, answer: Answer, finding: Finding) -> None:
        if finding.threshold is None:
            return
        verdict = DriftVerdict(
            rule=rule.number,
            model=rule.model,
            instrument=instrument,
            instrument_id=self._instruments[instrument],
            answer=answer,
            factor=rule.factor if answer is Answer.SHRINK else 1.0,
            measure=rule.measure,
            subject=finding.subject,
            value=finding.value,
            threshold=finding.threshold,
            row=finding.row,
            input=finding.input,
        )
        self._verdicts += 1
        self._newest = [*self._newest[-19:], {"answer": answer.word, "text": verdict.text, "input": verdict.input}]
        _log.warning("drift: %s: %s", answer.word, verdict.text)
        self.tell(verdict)

    def _compute(self) -> dict[str, Any]:
        if not self._rules:
            return {}
        return {
            "rules": [self._report_rule(rule) for rule in self._rules],
            "verdicts": self._verdicts,
            "newest": list(self._newest),
        }

    def _report_rule(self, rule: DriftRule) -> dict[str, Any]:
        watches: Mapping[tuple[int, int], InputWatch | ScoreWatch] = self._inputs if rule.watch == "inputs" else self._scores
        return {
            "model": rule.model,
            "watch": rule.watch,
            "measure": rule.measure,
            "instruments": {
                self._instruments[instrument]: {
                    "answer": watch.level.answer.word,
                    "judged": watch.judged,
                    **watch.report(),
                    **self._told_of_versions(number, instrument, watch.version),
                }
                for (number, instrument), watch in sorted(watches.items())
                if number == rule.number
            },
        }

    def _told_of_versions(self, number: int, instrument: int, version: str) -> dict[str, Any]:
        """Nothing, where the model was not swapped."""
        earlier = self._earlier.get((number, instrument))
        return {} if earlier is None else {"version": version, "earlier": list(earlier)}
