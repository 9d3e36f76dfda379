"""Labels rows as they stream by, in the order in which they were made; holds back only those whose horizon is still open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.dataset.labels import LabelRule, label_path, path_of
from vtframe.domain import ROW
from vtframe.features.pipeline import RowBatch


class LabeledRows(msgspec.Struct, frozen=True):
    """Rows with their labels; ``label``, ``move_bps`` and ``end`` mean something only where ``there``."""

    meta: NDArray[Any]
    values: NDArray[Any]
    there: NDArray[np.bool_]
    label: NDArray[np.int8]
    move_bps: NDArray[np.float64]
    end: NDArray[np.int64]  # ts_recv of the row at the label's end


class Labeler:
    """``columns`` are those of the rows' values, where the rule's barriers may be taken from."""

    def __init__(self, rule: LabelRule, *, columns: Sequence[str], dtype: str) -> None:
        """Raises ValueError where the barrier column is not among ``columns``."""
        if rule.barrier_column is not None and rule.barrier_column not in columns:
            raise ValueError(f"no column {rule.barrier_column!r}; there are: {', '.join(columns)}")
        self._rule = rule
        self._column = None if rule.barrier_column is None else list(columns).index(rule.barrier_column)
        self._meta = np.zeros(0, ROW)
        self._values: NDArray[Any] = np.zeros((0, len(columns)), dtype)

    @property
    def held(self) -> int:
        """Rows held back."""
        return len(self._meta)

    def add(self, batch: RowBatch) -> LabeledRows:
        """Take rows; returns those, held back or new, that nothing to come can change."""
        self._meta = np.concatenate([self._meta, batch.meta])
        self._values = np.concatenate([self._values, batch.values])
        return self._release(ended=False)

    def finish(self) -> LabeledRows:
        """All that is left: rows whose horizon the data did not reach have no label."""
        return self._release(ended=True)

    def _release(self, *, ended: bool) -> LabeledRows:
        meta, values = self._meta, self._values
        decided = np.zeros(len(meta), np.bool_)
        there = np.zeros(len(meta), np.bool_)
        label = np.zeros(len(meta), np.int8)
        moves = np.full(len(meta), np.nan)
        ends = np.zeros(len(meta), np.int64)
        for instrument in np.unique(meta["instrument"]).tolist():
            rows = np.flatnonzero(meta["instrument"] == instrument)
            scale = None if self._column is None else values[rows, self._column]
            found = label_path(self._rule, path_of(meta[rows], scale), ended=ended)
            rows = rows[: found.decided]
            decided[rows] = True
            there[rows], label[rows], moves[rows], ends[rows] = found.there, found.label, found.move_bps, found.end
        waiting = np.flatnonzero(~decided)
        upto = int(waiting[0]) if len(waiting) else len(meta)
        self._meta, self._values = meta[upto:].copy(), values[upto:].copy()
        return LabeledRows(meta[:upto], values[:upto], there[:upto], label[:upto], moves[:upto], ends[:upto])
