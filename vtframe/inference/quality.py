"""Was the model right? Predictions of direction against what the mid then did, in blocks and bounded memory.

The label is api.Label's: over ``horizon_rows`` rows the mid moves up or down by more than ``threshold_bps``, else it is flat.
A prediction counts where its row and every row up to the horizon were valid: no label crosses a gap or a resync.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, PredictionBlock, RowBlock, SessionInfo
from vtframe.domain.label import count_invalid, direction, move_bps, unbroken
from vtframe.inference.scores import Scores

_SLACK = 4096  # rows kept besides those that predictions wait for: how late a prediction may come


class PredictionQuality:
    """Scores every model of ``bundles`` (by name). It takes blocks like a sink, in the row log's thread.

    Models that do not predict the mid's direction over rows (classes other than "down", "flat", "up") are not scored.
    """

    name: ClassVar[str] = "quality"

    def __init__(self, bundles: Mapping[str, BundleInfo]) -> None:
        self._rows: dict[int, _Rows] = {}
        self._models: dict[str, _Pending] = {}
        for name, bundle in bundles.items():
            label = bundle.label
            if set(bundle.classes) <= {"down", "flat", "up"} and label.kind == "mid_direction" and label.horizon_rows:
                self._models[name] = _Pending(bundle)
        self._horizon = max((model.horizon for model in self._models.values()), default=0)
        self._latest = self._compute()
        self._asked = False

    def start(self, session: SessionInfo) -> None:
        """Nothing to prepare: the bundles say it all."""

    def rows(self, block: RowBlock) -> None:
        """Learn what the mid did; predictions whose horizon is reached are scored."""
        if not self._models:
            return
        instruments = block.meta["instrument"]
        for instrument in np.unique(instruments).tolist():
            rows = self._rows.setdefault(instrument, _Rows())
            rows.extend(block.meta[instruments == instrument])
            oldest = rows.end
            for model in self._models.values():
                oldest = min(oldest, model.settle(instrument, rows))
            rows.forget(min(oldest, rows.end - self._horizon - _SLACK))
        if self._asked:
            self._asked = False
            self._latest = self._compute()

    def predictions(self, block: PredictionBlock) -> None:
        """Take predictions that have outputs, late ones too; they are scored when their horizon is reached."""
        model = self._models.get(block.model)
        if model is None:
            return
        answered = ~np.isnan(block.outputs).any(axis=1)
        instruments = block.meta["instrument"]
        for instrument in np.unique(instruments[answered]).tolist():
            chosen = answered & (instruments == instrument)
            model.add(instrument, block.meta["row"][chosen], block.outputs[chosen])
            if instrument in self._rows:
                model.settle(instrument, self._rows[instrument])

    def close(self) -> None:
        """The report is final; what still waits for its horizon stays unscored."""
        self._latest = self._compute()

    def report(self) -> dict[str, dict[str, Any]]:
        """``{model: {horizon in rows: scores}}``, the "quality" of report.json.

        May be called from any thread and returns at once: until ``close`` it is what the thread computed after the previous
        call, because ranking takes milliseconds that the hot path does not have.
        """
        self._asked = True
        return self._latest

    def _compute(self) -> dict[str, dict[str, Any]]:
        return {name: {str(model.horizon): model.report()} for name, model in self._models.items()}


class _Rows:
    """Mids and validity of one instrument's newest rows; the first one kept has number ``start``."""

    def __init__(self) -> None:
        self.start = 0
        self.mids = np.empty(0, np.float64)
        self.invalid_before = np.zeros(1, np.int64)  # of the rows from ``start`` on: how many before each were invalid

    @property
    def end(self) -> int:
        return self.start + len(self.mids)

    def extend(self, meta: NDArray[Any]) -> None:
        """Append rows. Where numbers are missing (rows were lost), all before the hole is forgotten: no label crosses it."""
        numbers = meta["number"]
        holes = np.flatnonzero(np.diff(numbers) != 1)
        if len(holes):
            meta = meta[holes[-1] + 1 :]
        if len(holes) or int(numbers[0]) != self.end:
            self.start = int(meta["number"][0])
            self.mids = np.empty(0, np.float64)
            self.invalid_before = np.zeros(1, np.int64)
        mids = (meta["bid"] + meta["ask"]) / 2.0
        valid = (meta["valid"] != 0) & (mids > 0)
        self.mids = np.concatenate([self.mids, mids])
        self.invalid_before = np.concatenate([self.invalid_before[:-1], count_invalid(valid, int(self.invalid_before[-1]))])

    def forget(self, before: int) -> None:
        count = before - self.start
        if count > _SLACK:  # in large steps: each one copies what is kept
            self.mids = self.mids[count:].copy()
            self.invalid_before = self.invalid_before[count:].copy()
            self.start = before


class _Pending:
    """One model's predictions that wait for their horizon, and the scores of those that have reached it."""

    def __init__(self, bundle: BundleInfo) -> None:
        self.horizon = bundle.label.horizon_rows
        self._threshold_bps = bundle.label.threshold_bps
        self._waiting: dict[int, list[tuple[NDArray[np.int64], NDArray[np.float32]]]] = {}
        self._scores = Scores(bundle.classes, bundle.expected_move_bps)
        self._unlabeled = 0  # no label: a row up to the horizon was not valid
        self._missed = 0  # the row was forgotten (or lost) before the prediction came

    def add(self, instrument: int, rows: NDArray[np.int64], outputs: NDArray[np.float32]) -> None:
        self._waiting.setdefault(instrument, []).append((rows.copy(), outputs.copy()))

    def settle(self, instrument: int, rows: _Rows) -> int:
        """Score what ``rows`` reaches; the oldest row that is still waited for (``rows.end`` where none is)."""
        waiting = self._waiting.pop(instrument, None)
        if waiting is None:
            return rows.end
        numbers = np.concatenate([n for n, _ in waiting])
        outputs = np.concatenate([o for _, o in waiting])
        ready = numbers + self.horizon < rows.end
        if not ready.all():
            self._waiting[instrument] = [(numbers[~ready], outputs[~ready])]
        oldest = min(rows.end, int(numbers[~ready].min(initial=rows.end)))
        at, outputs = numbers[ready] - rows.start, outputs[ready]
        known = at >= 0
        self._missed += int((~known).sum())
        at, outputs = at[known], outputs[known]
        clean = unbroken(rows.invalid_before, at, at + self.horizon)
        self._unlabeled += int((~clean).sum())
        at, outputs = at[clean], outputs[clean]
        if len(at):
            moves = move_bps(rows.mids[at], rows.mids[at + self.horizon])
            self._scores.add(outputs, direction(moves, self._threshold_bps), moves)
        return oldest

    def report(self) -> dict[str, Any]:
        waiting = sum(len(numbers) for parts in self._waiting.values() for numbers, _ in parts)
        return self._scores.report() | {"unlabeled": self._unlabeled, "missed": self._missed, "waiting": waiting}
