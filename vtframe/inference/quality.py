"""Was the model right? Every prediction is scored once its horizon has passed, in blocks and bounded memory.

Labels are api.Label's: what the mid did over ``horizon_rows`` rows or ``horizon_ms`` of ``ts_recv``, as a direction or as the
move itself. A prediction counts where its row and every row up to the horizon were valid: no label crosses a gap or a resync.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, PredictionBlock, RowBlock, SessionInfo
from vtframe.domain.label import direction, move_bps
from vtframe.inference.past_rows import SLACK, PastRows
from vtframe.inference.regimes import Regimes
from vtframe.inference.scored import Scored
from vtframe.inference.scores import Scores
from vtframe.inference.value_scores import ValueScores

Tell = Callable[[str, int, Scored], None]


def _ignore(model: str, instrument: int, scored: Scored) -> None:
    """Nobody watches the scores."""


def predicts_direction(bundle: BundleInfo) -> bool:
    """Whether the outputs of ``bundle`` are scored: all of them are probabilities of a direction."""
    return bundle.label.kind in ("mid_direction", "spread_direction") and set(bundle.classes) <= {"down", "flat", "up"}


def _moves(bundle: BundleInfo) -> bool:
    """Whether its one output is the move itself, in bps."""
    return bundle.label.kind == "mid_move" and len(bundle.classes) == 1


class PredictionQuality:
    """Scores every model of ``bundles`` (by name). It takes blocks like a sink, in the row log's thread.

    Models that predict neither a direction (classes other than "down", "flat", "up") nor the move of the mid are not scored,
    nor those whose label is a triple barrier. ``tell`` gets every model's scored predictions, in the order of their rows.
    """

    name: ClassVar[str] = "quality"

    def __init__(self, bundles: Mapping[str, BundleInfo], *, tell: Tell = _ignore) -> None:
        self._rows: dict[int, PastRows] = {}
        self._models = {
            name: _Pending(name, bundle, tell)
            for name, bundle in bundles.items()
            if predicts_direction(bundle) or _moves(bundle)
        }
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
            rows = self._rows.setdefault(instrument, PastRows())
            rows.extend(block.meta[instruments == instrument])
            oldest = rows.end
            for model in self._models.values():
                oldest = min(oldest, model.settle(instrument, rows), model.first_needed(rows))
            rows.forget(oldest)
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
        """``{model: {horizon: scores}}``, the "quality" of report.json; a horizon is a number of rows, or as in ``"500 ms"``.

        May be called from any thread and returns at once: until ``close`` it is what the thread computed after the previous
        call, because ranking takes milliseconds that the hot path does not have.
        """
        self._asked = True
        return self._latest

    def _compute(self) -> dict[str, dict[str, Any]]:
        return {name: {model.horizon: model.report()} for name, model in self._models.items()}


class _Pending:
    """One model's predictions that wait for their horizon, and the scores of those that have reached it."""

    def __init__(self, name: str, bundle: BundleInfo, tell: Tell) -> None:
        label = bundle.label
        self.horizon = str(label.horizon_rows) if label.horizon_ms is None else f"{label.horizon_ms} ms"
        self._name = name
        self._tell = tell
        self._label = label
        self._waiting: dict[int, list[tuple[NDArray[np.int64], NDArray[np.float32]]]] = {}
        self._classes = Scores(bundle.classes, bundle.expected_move_bps) if predicts_direction(bundle) else None
        self._values = ValueScores(bundle.expected_move_bps[0]) if self._classes is None else None
        self._regimes = Regimes(bundle.classes, bundle.expected_move_bps) if self._classes is not None else None
        self._stated = bundle.metrics
        self._unlabeled = 0  # no label: a row up to the horizon was not valid
        self._missed = 0  # the row was forgotten (or lost) before the prediction came

    def add(self, instrument: int, rows: NDArray[np.int64], outputs: NDArray[np.float32]) -> None:
        self._waiting.setdefault(instrument, []).append((rows.copy(), outputs.copy()))

    def first_needed(self, rows: PastRows) -> int:
        """The oldest row that a prediction still to come may need, with the past that its regime is told from."""
        return rows.needed(rows.end - SLACK, self._label)

    def settle(self, instrument: int, rows: PastRows) -> int:
        """Score what ``rows`` reaches; the oldest row that is still waited for (``rows.end`` where none is)."""
        waiting = self._waiting.pop(instrument, None)
        if waiting is None:
            return rows.end
        numbers = np.concatenate([n for n, _ in waiting])
        outputs = np.concatenate([o for _, o in waiting])
        order = np.argsort(numbers, kind="stable")  # answers of a pool may overtake each other
        numbers, outputs = numbers[order], outputs[order]
        known = numbers >= rows.start
        self._missed += int((~known).sum())
        numbers, outputs = numbers[known], outputs[known]
        at = numbers - rows.start
        ends, ready = rows.ends(at, self._label)
        oldest = rows.end
        if not ready.all():
            self._waiting[instrument] = [(numbers[~ready], outputs[~ready])]
            oldest = rows.needed(int(numbers[~ready].min()), self._label)
        at, ends, outputs = at[ready], ends[ready], outputs[ready]
        clean = rows.unbroken(at, ends)
        self._unlabeled += int((~clean).sum())
        if clean.any():
            self._score(instrument, rows, at[clean], ends[clean], outputs[clean])
        return oldest

    def _score(
        self,
        instrument: int,
        rows: PastRows,
        at: NDArray[np.int64],
        ends: NDArray[np.int64],
        outputs: NDArray[np.float32],
    ) -> None:
        moves = move_bps(rows.mids[at], rows.mids[ends])
        if self._classes is None or self._regimes is None:
            if self._values is not None:
                self._values.add(outputs[:, 0], moves)
            return
        spreads = rows.spreads_bps(at)
        threshold = self._label.threshold_bps + (spreads / 2 if self._label.kind == "spread_direction" else 0.0)
        labels = direction(moves, threshold)
        losses = self._classes.add(outputs, labels, moves)
        self._regimes.add(outputs, labels, moves, volatilities=rows.volatilities_bps(at, self._label), spreads=spreads)
        some = ~np.isnan(losses.log_losses)
        self._tell(
            self._name,
            instrument,
            Scored(at[some] + rows.start, rows.inputs[ends[some]], losses.log_losses[some], losses.briers[some]),
        )

    def report(self) -> dict[str, Any]:
        waiting = sum(len(numbers) for parts in self._waiting.values() for numbers, _ in parts)
        counts = {"unlabeled": self._unlabeled, "missed": self._missed, "waiting": waiting}
        scores = self._classes if self._classes is not None else self._values
        found = scores.report() if scores is not None else {}
        regimes = {} if self._regimes is None else {"regimes": self._regimes.report()}
        stated = {name: self._stated[name] for name in found if name in self._stated}
        return {**found, "out_of_sample": stated, **regimes, **counts}
