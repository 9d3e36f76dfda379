"""Watches how right one model is in one instrument, by one rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from vtframe.domain import Answer
from vtframe.inference.drift.change import MeanChange
from vtframe.inference.drift.input_watch import Finding
from vtframe.inference.drift.rule import DriftRule, Level
from vtframe.inference.scored import Scored

SUBJECT = "scores"


class ScoreWatch:
    """Takes the losses of scored predictions in the order of their rows.

    ``log_loss``: the mean over the window, less the bundle's own out of sample, in nats. ``adwin``: how much the mean Brier
    score has risen, halved so that it lies in 0..1, at a change that ADWIN found in means of ``every`` predictions. What is
    better than expected is no drift.
    """

    def __init__(self, rule: DriftRule, expected_log_loss: float, *, version: str = "", before: Answer = Answer.NONE) -> None:
        """``version`` is the hash of the bundle whose figure is expected, ``before`` as Level has it."""
        self.version = version
        self.newest = -1  # row that was scored
        self.level = Level(rule, before)
        self.value = 0.0
        self.most = 0.0
        self.judged = 0
        self._every = rule.every
        self._expected = expected_log_loss
        self._change = MeanChange(rule.delta) if rule.measure == "adwin" else None
        self._blocks = np.zeros(max(1, rule.window // rule.every))  # sums of log losses
        self._block = 0
        self._sum = 0.0
        self._left = rule.every

    def add(self, scored: Scored) -> Iterator[Finding]:
        """The next scored predictions."""
        if len(scored.rows):
            self.newest = max(self.newest, int(scored.rows[-1]))
        losses = scored.log_losses if self._change is None else scored.briers / 2
        at = 0
        while at < len(losses):
            part = losses[at : at + self._left]
            at += len(part)
            self._left -= len(part)
            self._sum = float(np.cumsum(np.concatenate([[self._sum], part]))[-1])  # one by one: blocks change no bit
            if self._left:
                return
            self._left = self._every
            if self._judge():
                self.judged += 1
                self.most = max(self.most, self.value)
                threshold = self.level.judge(self.value, self._every)
                yield Finding(SUBJECT, self.value, threshold, int(scored.rows[at - 1]), int(scored.inputs[at - 1]))

    def _judge(self) -> bool:
        total, self._sum = self._sum, 0.0
        if self._change is not None:
            self.value = max(0.0, self._change.add(total / self._every))
            return True
        self._blocks[self._block % len(self._blocks)] = total
        self._block += 1
        if self._block < len(self._blocks):
            return False
        self.value = max(0.0, float(self._blocks.sum()) / (len(self._blocks) * self._every) - self._expected)
        return True

    def report(self) -> dict[str, Any]:
        """The newest value and the largest so far; None before the first judgement."""
        return {"now": self.value, "most": self.most} if self.judged else {"now": None, "most": None}
