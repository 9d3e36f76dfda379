"""Watches the inputs of one model in one instrument by one rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.api import TrainingColumn
from vtframe.domain import Answer
from vtframe.inference.drift.change import MeanChange
from vtframe.inference.drift.rule import DriftRule, Level
from vtframe.inference.drift.window import BinWindow


class Finding(NamedTuple):
    """One judgement."""

    subject: str
    value: float
    threshold: float | None  # where the rule's answer changes
    row: int
    input: int


class InputWatch:
    """Takes valid rows. Judgements depend on the rows alone, not on the blocks that they come in.

    ``psi`` and ``ks`` compare the window with training. ``adwin`` needs no window: it is how far the mean rank of a column (the
    share of training rows below it, 0..1) has moved, at a change that ADWIN found in means of ``every`` rows.
    """

    def __init__(
        self,
        rule: DriftRule,
        columns: Sequence[str],
        reference: Sequence[TrainingColumn],
        dtype: str,
        *,
        version: str = "",
        before: Answer = Answer.NONE,
    ) -> None:
        """``reference`` of ``columns``; ``dtype`` of the rows; ``version`` is the bundle's hash, ``before`` as Level has it."""
        self.version = version
        self.level = Level(rule, before)
        self.values: NDArray[np.float64] = np.full(len(columns), np.nan)
        self.most: NDArray[np.float64] = np.zeros(len(columns))
        self.judged = 0
        self.columns = tuple(columns)
        self._every = rule.every
        self._edges = [np.asarray(column.edges, dtype) for column in reference]
        self._left = rule.every  # rows until the next judgement
        self._window = BinWindow(reference, rule.window)
        self._measure = self._window.psi if rule.measure == "psi" else self._window.ks
        self._changes = [MeanChange(rule.delta) for _ in columns] if rule.measure == "adwin" else []
        self._ranks = [_ranks(column) for column in reference]
        self._gathered: list[NDArray[np.int64]] = []

    def add(self, meta: NDArray[Any], values: NDArray[Any]) -> Iterator[Finding]:
        """The next valid rows: ``values`` (n, columns)."""
        if not len(meta):
            return
        bins = np.column_stack([np.searchsorted(edges, values[:, k], side="left") for k, edges in enumerate(self._edges)])
        at = 0
        while at < len(bins):
            part = bins[at : at + self._left]
            at += len(part)
            self._left -= len(part)
            if self._changes:
                self._gathered.append(part)
            else:
                self._window.add(part)
            if self._left:
                return
            self._left = self._every
            if self._changes or self._window.full:
                yield self._judge(int(meta["number"][at - 1]), int(meta["input"][at - 1]))

    def _judge(self, row: int, number: int) -> Finding:
        if self._changes:
            bins = np.concatenate(self._gathered)
            means = [float(ranks[bins[:, k]].mean()) for k, ranks in enumerate(self._ranks)]
            self.values = np.abs([change.add(mean) for change, mean in zip(self._changes, means, strict=True)])
            self._gathered.clear()
        else:
            self.values = self._measure()
        self.judged += 1
        self.most = np.maximum(self.most, self.values)
        worst = int(self.values.argmax())
        value = float(self.values[worst])
        return Finding(self.columns[worst], value, self.level.judge(value, self._every), row, number)

    def report(self) -> dict[str, Any]:
        """The newest value of each column, and the largest so far; None before the first judgement."""
        if not self.judged:
            return {"now": None, "most": None}
        now, most = self.values.tolist(), self.most.tolist()
        return {"now": dict(zip(self.columns, now, strict=True)), "most": dict(zip(self.columns, most, strict=True))}


def _ranks(column: TrainingColumn) -> NDArray[np.float64]:
    """Of each bin: the share of training rows below it, and half of its own."""
    shares = np.asarray(column.shares)
    return np.cumsum(shares) - shares / 2
