"""All rules of a session: rows and scores in, verdicts out. It takes blocks like a sink, in the row log's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

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


class DriftMonitor:
    """Judges every rule for every instrument by itself. ``tell`` takes a verdict wherever a rule's answer changes.

    Memory: ``window`` bytes for each column that a rule watches in an instrument.
    """

    name: ClassVar[str] = "drift"

    def __init__(self, rules: Sequence[DriftRule], bundles: Mapping[str, BundleInfo]) -> None:
        self.tell: Callable[[DriftVerdict], None] = _ignore
        self._rules = tuple(rules)
        self._bundles = dict(bundles)
        self._inputs: dict[tuple[int, int], InputWatch] = {}  # by rule and instrument
        self._scores: dict[tuple[int, int], ScoreWatch] = {}
        self._columns: list[tuple[DriftRule, list[int], tuple[str, ...]]] = []
        self._instruments: tuple[str, ...] = ()
        self._dtype = "float32"
        self._verdicts = 0
        self._newest: list[dict[str, Any]] = []
        self._latest: dict[str, Any] = {}
        self._asked = False

    def start(self, session: SessionInfo) -> None:
        """Find the rules' columns in the rows."""
        self._instruments, self._dtype = session.instruments, session.dtype
        for rule in self._rules:
            if rule.watch == "inputs":
                names = rule.columns or self._bundles[rule.model].columns
                self._columns.append((rule, [session.columns.index(name) for name in names], names))
        if any(rule.measure == "adwin" for rule in self._rules):
            MeanChange(0.5)  # here, before the first input: the import takes a second or two
        self._latest = self._compute()

    def rows(self, block: RowBlock) -> None:
        """Valid rows go to the rules that watch inputs."""
        if self._columns:
            valid = block.meta["valid"] != 0
            instruments = block.meta["instrument"]
            for instrument in np.unique(instruments[valid]).tolist():
                chosen = valid & (instruments == instrument)
                meta, values = block.meta[chosen], block.values[chosen]
                for rule, places, names in self._columns:
                    watch = self._input_watch(rule, instrument, names)
                    for finding in watch.add(meta, values[:, places]):
                        self._found(rule, instrument, watch.level.answer, finding)
        if self._asked:
            self._asked = False
            self._latest = self._compute()

    def predictions(self, block: PredictionBlock) -> None:
        """Scores come by ``scored``, once a horizon has passed."""

    def scored(self, model: str, instrument: int, scored: Scored) -> None:
        """Predictions of ``model`` that were just scored."""
        for rule in self._rules:
            if rule.watch == "scores" and rule.model == model:
                watch = self._score_watch(rule, instrument)
                for finding in watch.add(scored):
                    self._found(rule, instrument, watch.level.answer, finding)

    def close(self) -> None:
        """The report is final."""
        self._latest = self._compute()

    def report(self) -> dict[str, Any]:
        """The "drift" of report.json; empty without rules. As PredictionQuality.report: at once, from any thread."""
        self._asked = True
        return self._latest

    def _input_watch(self, rule: DriftRule, instrument: int, names: tuple[str, ...]) -> InputWatch:
        watch = self._inputs.get((rule.number, instrument))
        if watch is None:
            training = self._bundles[rule.model].training
            watch = InputWatch(rule, names, [training[name] for name in names], self._dtype)
            self._inputs[rule.number, instrument] = watch
        return watch

    def _score_watch(self, rule: DriftRule, instrument: int) -> ScoreWatch:
        watch = self._scores.get((rule.number, instrument))
        if watch is None:
            watch = ScoreWatch(rule, self._bundles[rule.model].metrics.get("log_loss", 0.0))
            self._scores[rule.number, instrument] = watch
        return watch

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
                }
                for (number, instrument), watch in sorted(watches.items())
                if number == rule.number
            },
        }
