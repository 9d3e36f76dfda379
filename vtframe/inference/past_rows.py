"""What the newest rows of one instrument were, as far as predictions may still be scored on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import Label
from vtframe.domain.label import count_invalid, move_bps, unbroken

SLACK = 4096  # rows kept besides those that predictions wait for: how late a prediction may come


class PastRows:
    """Positions (``at``) count from the oldest row kept, which has number ``start``."""

    def __init__(self) -> None:
        self.start = 0
        self._clear()

    def _clear(self) -> None:
        self.mids = np.empty(0, np.float64)
        self.inputs = np.empty(0, np.int64)
        self._spreads = np.empty(0, np.float64)
        self._ts = np.empty(0, np.int64)
        self._invalid_before = np.zeros(1, np.int64)  # how many of the rows kept before each were invalid
        self._squares_before = np.zeros(1, np.float64)  # sum of their squared moves, bps^2

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
            self._clear()
        mids = (meta["bid"] + meta["ask"]) / 2.0
        valid = (meta["valid"] != 0) & (mids > 0)
        before = np.concatenate([self.mids[-1:] if len(self.mids) else mids[:1], mids[:-1]])
        moves = np.zeros(len(mids))
        real = (before > 0) & (mids > 0)
        moves[real] = move_bps(before[real], mids[real])
        sums = self._squares_before[-1] + np.cumsum(moves * moves)
        self.mids = np.concatenate([self.mids, mids])
        self.inputs = np.concatenate([self.inputs, meta["input"]])
        self._spreads = np.concatenate([self._spreads, (meta["ask"] - meta["bid"]).astype(np.float64)])
        self._ts = np.concatenate([self._ts, meta["ts_recv"]])
        self._squares_before = np.concatenate([self._squares_before, sums])
        counts = count_invalid(valid, int(self._invalid_before[-1]))
        self._invalid_before = np.concatenate([self._invalid_before[:-1], counts])

    def forget(self, before: int) -> None:
        """Rows with a number less than ``before`` are no longer needed."""
        count = before - self.start
        if count > SLACK:  # in large steps: each one copies what is kept
            self.mids = self.mids[count:].copy()
            self.inputs = self.inputs[count:].copy()
            self._spreads = self._spreads[count:].copy()
            self._ts = self._ts[count:].copy()
            self._invalid_before = self._invalid_before[count:].copy()
            self._squares_before = self._squares_before[count:] - self._squares_before[count]  # sums stay small, and so exact
            self.start = before

    def ends(self, at: NDArray[np.int64], label: Label) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Position of the last row of each one's horizon, and whether that is known."""
        if label.horizon_ms is None:
            ends = at + label.horizon_rows
            return ends, ends < len(self.mids)
        ends, known = np.zeros(len(at), np.int64), at < len(self._ts)  # a prediction may come before its row does
        until = self._ts[at[known]] + label.horizon_ms * 1_000_000
        ends[known] = np.searchsorted(self._ts, until, side="right") - 1
        known[known] = until < self._ts[-1:]  # a later row has come
        return ends, known

    def unbroken(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether every row from ``first`` to ``last``, both included, was valid."""
        return unbroken(self._invalid_before, first, last)

    def spreads_bps(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """The spread of each row in bps of its mid."""
        spreads: NDArray[np.float64] = self._spreads[at] / self.mids[at] * 1e4
        return spreads

    def volatilities_bps(self, at: NDArray[np.int64], label: Label) -> NDArray[np.float64]:
        """Realized volatility: the root of the summed squared moves over one horizon before each row, bps; nan where that
        reaches over an invalid row, or further back than rows are kept."""
        first = self._past(at, label)
        found = np.full(len(at), np.nan)
        there = first >= 0
        there[there] &= self.unbroken(first[there], at[there])
        sums = self._squares_before[at[there] + 1] - self._squares_before[first[there] + 1]
        found[there] = np.sqrt(np.maximum(sums, 0.0))
        return found

    def needed(self, number: int, label: Label) -> int:
        """The oldest row that the score of row ``number`` looks back on."""
        at = np.array([max(0, min(number - self.start, len(self.mids) - 1))])
        if not len(self.mids):
            return self.end
        return self.start + max(0, int(self._past(at, label)[0]))

    def _past(self, at: NDArray[np.int64], label: Label) -> NDArray[np.int64]:
        """Position of the row one horizon before each; -1 where it is not kept."""
        if label.horizon_ms is None:
            return np.maximum(at - label.horizon_rows, -1)
        since = self._ts[at] - label.horizon_ms * 1_000_000
        found = np.searchsorted(self._ts, since, side="left")
        return np.where(since < self._ts[0], -1, found)
