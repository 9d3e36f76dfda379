"""What became of the mid after every row: labels by rows or by time, that see nothing beyond their horizon.

Arrays are of one instrument, oldest row first. A row's label is known once its end has been seen; it has none where an invalid
row lies between (a gap, a resync, an empty side), and none where the data end before.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.dataset.barriers import walk
from vtframe.domain.label import FLAT, count_invalid, direction, move_bps, unbroken

Kind = Literal["mid_direction", "spread_direction", "triple_barrier"]


class LabelRule(msgspec.Struct, frozen=True, kw_only=True):
    """How rows are labeled, over ``horizon_rows`` rows or ``horizon_ms`` of ``ts_recv`` (one of the two).

    - ``mid_direction``: up (1), down (-1) where the mid at the end is more than ``threshold_bps`` away, else flat (0).
    - ``spread_direction``: the same, beyond half the row's own spread besides: who took the row's prices is ahead, at mid.
    - ``triple_barrier`` (Lopez de Prado 2018, chapter 3): 1 where the mid is ``upper_bps`` or more above before it is
      ``lower_bps`` or more below, -1 the other way round, 0 where the horizon comes first. With ``barrier_column`` the two are
      multiples of that column of the row (a volatility in bps).

    The end of a time horizon is the last row with ``ts_recv`` at most the horizon later.
    """

    kind: Kind
    horizon_rows: int | None = None
    horizon_ms: int | None = None
    threshold_bps: float = 0.0
    upper_bps: float | None = None
    lower_bps: float | None = None
    barrier_column: str | None = None

    def __post_init__(self) -> None:
        if (self.horizon_rows is None) == (self.horizon_ms is None):
            raise ValueError("a label needs horizon_rows or horizon_ms, and not both")
        if any(horizon is not None and horizon < 1 for horizon in (self.horizon_rows, self.horizon_ms)):
            raise ValueError("a horizon is at least 1")
        barriers = (self.upper_bps, self.lower_bps)
        if self.kind == "triple_barrier":
            if any(barrier is None or not barrier > 0 for barrier in barriers):
                raise ValueError("triple_barrier needs upper_bps and lower_bps, both more than 0")
            if self.threshold_bps:
                raise ValueError("triple_barrier has barriers, and no threshold_bps")
        elif barriers != (None, None) or self.barrier_column is not None:
            raise ValueError(f"barriers go with triple_barrier, not with {self.kind}")
        if not self.threshold_bps >= 0:
            raise ValueError(f"threshold_bps is at least 0, found {self.threshold_bps}")


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive rows of one instrument, as far as labels go. ``mid`` and ``half_spread`` are in any one unit."""

    mid: NDArray[np.float64]
    half_spread: NDArray[np.float64]
    valid: NDArray[np.bool_]
    ts_recv: NDArray[np.int64]
    scale: NDArray[np.float64] | None = None  # the barrier column


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """Of the first ``decided`` rows of a path. A row without a label has false, 0, nan and 0."""

    decided: int
    there: NDArray[np.bool_]
    label: NDArray[np.int8]
    move_bps: NDArray[np.float64]  # of the mid, from the row to its end
    end: NDArray[np.int64]  # ts_recv of the row at the end


def path_of(meta: NDArray[Any], scale: NDArray[Any] | None = None) -> Path:
    """The path of rows (domain.ROW) of one instrument. A row without both sides counts as invalid."""
    bid, ask = meta["bid"].astype(np.float64), meta["ask"].astype(np.float64)
    there = (meta["bid_quantity"] > 0) & (meta["ask_quantity"] > 0) & (bid + ask > 0)
    return Path(
        mid=(bid + ask) / 2.0,
        half_spread=(ask - bid) / 2.0,
        valid=(meta["valid"] != 0) & there,
        ts_recv=meta["ts_recv"].astype(np.int64),
        scale=None if scale is None else scale.astype(np.float64),
    )


def label_path(rule: LabelRule, path: Path, *, ended: bool) -> Labels:
    """Label as many rows of ``path``, from its first on, as what was seen decides; all of them where the data ``ended``."""
    ends, seen = _horizon(rule, path.ts_recv)
    if rule.kind == "triple_barrier":
        ends, seen, there, label = _touches(rule, path, ends, seen)
    else:
        there = seen & unbroken(count_invalid(path.valid), np.arange(len(ends)), ends)
        label = np.zeros(len(ends), np.int8)
    moves = np.full(len(ends), np.nan)
    moves[there] = move_bps(path.mid[there], path.mid[ends[there]])
    if rule.kind != "triple_barrier":
        threshold = np.full(int(there.sum()), rule.threshold_bps)
        if rule.kind == "spread_direction":
            threshold += path.half_spread[there] / path.mid[there] * 1e4
        label[there] = direction(moves[there], threshold)
    label[~there] = FLAT
    waiting = np.flatnonzero(~seen)
    decided = len(ends) if ended or not len(waiting) else int(waiting[0])
    return Labels(
        decided=decided,
        there=there[:decided],
        label=label[:decided],
        move_bps=moves[:decided],
        end=np.where(there[:decided], path.ts_recv[ends[:decided]], 0),
    )


def _horizon(rule: LabelRule, ts_recv: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Position of every row's end, and whether it was seen; where it was not, the last row there is."""
    count = len(ts_recv)
    if rule.horizon_rows is not None:
        ends = np.arange(count) + rule.horizon_rows
        return np.minimum(ends, count - 1), ends < count
    until = ts_recv + (rule.horizon_ms or 0) * 1_000_000
    ends = np.searchsorted(ts_recv, until, side="right") - 1
    return ends, until < (ts_recv[-1] if count else 0)  # a later row has come: no other row can be the end


def _touches(
    rule: LabelRule, path: Path, ends: NDArray[np.int64], seen: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int8]]:
    """Ends pulled in to the first touch of a barrier, which of them are known, which rows have a label, and its sign.

    A row that comes to an invalid one has no label, and so has a row that no barrier can be drawn for.
    """
    count = len(ends)
    width = np.ones(count) if path.scale is None else path.scale
    label = np.full(count, FLAT, np.int8)
    drawn = path.valid & np.isfinite(width) & (width > 0)
    ends, seen, there = ends.copy(), seen | ~drawn, seen & drawn
    ends[~drawn] = np.flatnonzero(~drawn)
    width = np.where(drawn, width, np.nan)
    walk(path.mid, path.valid, (rule.upper_bps or 0.0) * width, (rule.lower_bps or 0.0) * width, ends, seen, there, label)
    return ends, seen, there, label
