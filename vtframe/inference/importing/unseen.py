"""Which rows a model is measured on: labeled ones that it was not trained on, as the person who trained it says."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import Label
from vtframe.errors import InputError
from vtframe.inference.importing.rows import Labels, RowSet
from vtframe.inference.importing.wishes import ImportWishes

_LEAST = 100  # rows to measure anything on


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by number, oldest first. Between the parts, and before the first, labels that would reach across are left out."""

    labels: Labels
    seen: NDArray[np.int64]  # valid rows before the first unseen one; empty where all are unseen
    fitting: NDArray[np.int64]  # for a calibrator; empty where none is asked for
    test: NDArray[np.int64]
    horizon_ns: int
    span_ns: int
    told: str

    def direction(self, rows: NDArray[np.int64]) -> NDArray[np.int8]:
        return self.labels.direction[rows]

    def moves(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.labels.move_bps[rows]


def choose_unseen(wishes: ImportWishes, rows: RowSet) -> Unseen | None:
    """None where the economics are stated. Raises InputError where neither rows nor options tell what is needed."""
    labels = rows.labels
    if wishes.stated:
        return None
    stated = "--expected-move-bps, --variance-bps2 and --horizon-ms"
    if labels is None:
        problem = "has no labels, so nobody can say what the model's answers are worth"
        hint = f"make rows with labels (--label mid_direction --horizon-rows N), or state it: {stated}"
        raise InputError(str(rows.path), problem, hint)
    if wishes.unseen is None:
        problem = "which rows has the model not been trained on?"
        hint = f"say --unseen 0.3 for the last 30% (--unseen 1: none of them was trained on), or state its worth: {stated}"
        raise InputError(str(rows.path), problem, hint)
    usable = rows.usable(wishes.window)
    labeled = usable[labels.there[usable]]
    labeled = labeled[np.argsort(rows.ts_recv[labeled], kind="stable")]
    first = len(labeled) - round(len(labeled) * wishes.unseen)
    tail = _after(rows, labels, labeled, first)
    fitting, test = tail[:0], tail
    told = (
        "all labeled rows, none of which it was trained on"
        if first == 0
        else f"the last {wishes.unseen:.0%} of the labeled rows"
    )
    if wishes.calibrate is not None:
        half = len(tail) // 2
        fitting, test = tail[:half], _after(rows, labels, tail, half)
        told += ", of these the second half"
    if len(test) < _LEAST or (wishes.calibrate is not None and len(fitting) < _LEAST):
        problem = f"has {len(tail)} unseen rows with a label, too few to measure anything on ({_LEAST} at least)"
        raise InputError(str(rows.path), problem, "make rows of a longer recording, or a greater share with --unseen")
    return Unseen(
        labels=labels,
        seen=usable[rows.ts_recv[usable] < rows.ts_recv[labeled[first]]] if first else usable[:0],
        fitting=fitting,
        test=test,
        horizon_ns=max(1, int(np.median(labels.end[test] - rows.ts_recv[test]))),
        span_ns=int(labels.end[test].max() - rows.ts_recv[test[0]]),
        told=f"{told}, by time; rows whose label reaches across a border are left out",
    )


def label_of(wishes: ImportWishes, rows: RowSet, *, regression: bool) -> Label:
    """What the model predicts: as its rows are labeled, or as stated. Raises InputError where neither says."""
    label = rows.labels.rule if rows.labels is not None else wishes.label
    if label is None:
        hint = "say --label mid_direction --horizon-rows N --threshold-bps X"
        raise InputError(str(rows.path), "has no labels: over which horizon does the model predict?", hint)
    if regression:
        return msgspec.structs.replace(label, kind="mid_move", threshold_bps=0.0)
    return label


def _after(rows: RowSet, labels: Labels, labeled: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    """``labeled`` from ``first`` on, less those that come before the labels of earlier rows have ended."""
    if first == 0:
        return labeled
    reach = labels.end[labeled[:first]].max()
    tail = labeled[first:]
    later: NDArray[np.int64] = tail[rows.ts_recv[tail] > reach]
    return later
