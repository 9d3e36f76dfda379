"""Was the model right? Every prediction is scored once its horizon has passed, in blocks and bounded memory.

Labels are api.Label's: what the mid did over ``horizon_rows`` rows or ``horizon_ms`` of ``ts_recv``, as a direction or as the
move itself. A prediction counts where its row and every row up to the horizon were valid: no label crosses a gap or a resync.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, PredictionBlock, RowBlock, SessionInfo
from vtframe.domain.label import direction, move_bps
from vtframe.inference.past_rows import SLACK, PastRows
from vtframe.inference.regimes import Regimes
from vtframe.inference.scored import Scored
from vtframe.inference.version_scores import VersionScores

Tell = Callable[[str, int, Scored], None]
_DIRECTIONS: Final = {"down", "flat", "up"}


def _ignore(model: str, instrument: int, scored: Scored) -> None:
    """Nobody watches the scores."""


class Part(NamedTuple):
    """The outputs of a bundle that are scored: where they lie, and the bundle as if it had no others."""

    place: slice
    bundle: BundleInfo


def scored_part(bundle: BundleInfo) -> Part | None:
    """The first head that says what the label asks: probabilities of a direction, or the move itself, in bps."""
    kind, first = bundle.label.kind, 0
    for head in bundle.output_heads:
        place = slice(first, first + len(head.outputs))
        first = place.stop
        if kind == "mid_move":
            fits = len(head.outputs) == 1 and (head.kind == "regression" or not bundle.heads)
        else:
            fits = predicts_direction(bundle) and head.kind == "classification" and set(head.outputs) <= _DIRECTIONS
        if fits:
            moves = bundle.expected_move_bps[place]
            return Part(place, msgspec.structs.replace(bundle, classes=head.outputs, expected_move_bps=moves, heads=()))
    return None


def predicts_direction(bundle: BundleInfo) -> bool:
    """Whether a head of ``bundle`` is scored as probabilities of a direction."""
    if bundle.label.kind not in ("mid_direction", "spread_direction"):
        return False
    return any(head.kind == "classification" and set(head.outputs) <= _DIRECTIONS for head in bundle.output_heads)


class PredictionQuality:
    """Scores every model of ``bundles`` (by name). It takes blocks like a sink, in the row log's thread.

    Models that predict neither a direction (classes other than "down", "flat", "up") nor the move of the mid are not scored,
    nor those whose label is a triple barrier. Of several heads the first that the label speaks of is. ``tell`` gets every
    model's scored predictions, in the order of their rows, those of each version apart.

    Of a model that was swapped the report has the scores of all predictions, and those of each version beside what its own
    bundle says of itself.
    """

    name: ClassVar[str] = "quality"

    def __init__(self, bundles: Mapping[str, BundleInfo], *, tell: Tell = _ignore) -> None:
        self._rows: dict[int, PastRows] = {}
        self._models = {
            name: _Pending(name, part, tell) for name, bundle in bundles.items() if (part := scored_part(bundle)) is not None
        }
        self._latest = self._compute()
        self._asked = False

    def start(self, session: SessionInfo) -> None:
        """Nothing to prepare: the bundles say it all."""

    def on_version(self, model: str, bundle: BundleInfo, number: int) -> None:
        """From the rows of inputs after ``number`` on ``bundle`` may answer. From any thread, before it does."""
        if model in self._models:
            self._models[model].know(bundle)

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
            model.add(instrument, block.meta[chosen], block.outputs[chosen], block.versions)
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


class _Waiting(NamedTuple):
    """Predictions of one instrument whose horizon is not reached; arrays of one length."""

    rows: NDArray[np.int64]
    versions: NDArray[np.uint16]  # of the model, as PredictionBlock counts them
    outputs: NDArray[np.float32]

    def take(self, chosen: NDArray[Any]) -> _Waiting:
        return _Waiting(*(part[chosen] for part in self))


class _Pending:
    """One model's predictions that wait for their horizon, and the scores of those that have reached it."""

    def __init__(self, name: str, part: Part, tell: Tell) -> None:
        bundle, self._place = part.bundle, part.place
        label = bundle.label
        self.horizon = str(label.horizon_rows) if label.horizon_ms is None else f"{label.horizon_ms} ms"
        self._name = name
        self._tell = tell
        self._label = label
        self._waiting: dict[int, list[_Waiting]] = {}
        self._of_classes = predicts_direction(bundle)
        self._scores = VersionScores(bundle, of_classes=self._of_classes)
        self._regimes = Regimes(bundle.classes, bundle.expected_move_bps) if self._of_classes else None
        self._hashes: tuple[str, ...] = ()  # of the versions that have answered, as PredictionBlock counts them
        self._first = bundle.hash
        self._unlabeled = 0  # no label: a row up to the horizon was not valid
        self._missed = 0  # the row was forgotten (or lost) before the prediction came

    def know(self, bundle: BundleInfo) -> None:
        """It may answer from now on, with the same outputs."""
        part = scored_part(bundle)
        if part is not None:
            self._scores.know(part.bundle)

    def add(self, instrument: int, meta: NDArray[Any], outputs: NDArray[np.float32], versions: tuple[str, ...]) -> None:
        """Answers: ``meta`` of domain.PREDICTION, and the hashes of the versions that it counts."""
        self._hashes = versions
        waiting = _Waiting(meta["row"].copy(), meta["version"].copy(), outputs[:, self._place].copy())
        self._waiting.setdefault(instrument, []).append(waiting)

    def first_needed(self, rows: PastRows) -> int:
        """The oldest row that a prediction still to come may need, with the past that its regime is told from."""
        return rows.needed(rows.end - SLACK, self._label)

    def settle(self, instrument: int, rows: PastRows) -> int:
        """Score what ``rows`` reaches; the oldest row that is still waited for (``rows.end`` where none is)."""
        parts = self._waiting.pop(instrument, None)
        if parts is None:
            return rows.end
        waiting = _Waiting(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        waiting = waiting.take(np.argsort(waiting.rows, kind="stable"))  # answers of a pool may overtake each other
        known = waiting.rows >= rows.start
        self._missed += int((~known).sum())
        waiting = waiting.take(known)
        at = waiting.rows - rows.start
        ends, ready = rows.ends(at, self._label)
        oldest = rows.end
        if not ready.all():
            left = waiting.take(~ready)
            self._waiting[instrument] = [left]
            oldest = rows.needed(int(left.rows.min()), self._label)
        at, ends, waiting = at[ready], ends[ready], waiting.take(ready)
        clean = rows.unbroken(at, ends)
        self._unlabeled += int((~clean).sum())
        at, ends, waiting = at[clean], ends[clean], waiting.take(clean)
        turns = np.flatnonzero(np.diff(waiting.versions)) + 1
        for part in np.split(np.arange(len(at)), turns):  # of one version each
            if len(part):
                self._score(instrument, rows, at[part], ends[part], waiting.take(part))
        return oldest

    def _score(
        self, instrument: int, rows: PastRows, at: NDArray[np.int64], ends: NDArray[np.int64], answered: _Waiting
    ) -> None:
        number = int(answered.versions[0])
        version = self._hashes[number] if number < len(self._hashes) else self._first
        moves = move_bps(rows.mids[at], rows.mids[ends])
        if self._regimes is None:
            self._scores.add(version, answered.outputs, None, moves)
            return
        spreads = rows.spreads_bps(at)
        threshold = self._label.threshold_bps + (spreads / 2 if self._label.kind == "spread_direction" else 0.0)
        labels = direction(moves, threshold)
        losses = self._scores.add(version, answered.outputs, labels, moves)
        if losses is None:
            return
        self._regimes.add(
            answered.outputs,
            labels,
            moves,
            volatilities=rows.volatilities_bps(at, self._label),
            spreads=spreads,
            expects=self._scores.bundle(version).expected_move_bps,
        )
        some = ~np.isnan(losses.log_losses)
        told = (at[some] + rows.start, rows.inputs[ends[some]], losses.log_losses[some], losses.briers[some])
        self._tell(self._name, instrument, Scored(*told, version=version))

    def report(self) -> dict[str, Any]:
        waiting = sum(len(part.rows) for parts in self._waiting.values() for part in parts)
        counts = {"unlabeled": self._unlabeled, "missed": self._missed, "waiting": waiting}
        regimes = {} if self._regimes is None else {"regimes": self._regimes.report()}
        return {**self._scores.report(), **regimes, **counts}
