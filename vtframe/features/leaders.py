"""Features that one instrument's events drive and that every instrument's rows show: who leads, and whose row is made first."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from numpy.typing import NDArray

from vtframe.api import KernelError
from vtframe.domain import Instrument
from vtframe.features import layout as at
from vtframe.features.plan import Plan


def lead(ints: NDArray[Any], layout: Plan, instruments: Sequence[Instrument]) -> None:
    """Write into ``ints`` whose cells each instrument shows, and the order of the clock's rows.

    Raises KernelError for a leader that the session does not have.
    """
    names = [instrument.instrument_id for instrument in instruments]
    ints[:, at.ORDER] = ints[:, at.INSTRUMENT] = range(len(names))
    leaders: dict[int, int] = {}  # feature: its leader
    for k, placed in enumerate(layout.placed):
        if placed.leader is None:
            continue
        wanted = placed.feature.instrument
        if wanted not in names:
            near = difflib.get_close_matches(wanted, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[:10])}"
            raise KernelError(placed.label, f"the session has no instrument {wanted!r}; {hint}")
        leaders[k] = names.index(wanted)
        ints[:, placed.leader] = leaders[k]
        ints[leaders[k], placed.leader] = -1  # its own: computed, not shown
        ints[leaders[k], at.LEADS] = 1
    first = _leaders_first(layout, leaders)
    ints[:, at.ORDER] = [*first, *(index for index in range(len(names)) if index not in first)]


def _leaders_first(layout: Plan, leaders: dict[int, int]) -> list[int]:
    """Leaders, each after those whose cells its own features read, so that all of a boundary's rows show that boundary."""
    cells = {placed.out + c: k for k, placed in enumerate(layout.placed) for c in range(len(placed.kernel.outputs))}
    behind: dict[int, set[int]] = {}  # feature: the leaders that it depends on
    graph: dict[int, set[int]] = {leader: set() for leader in leaders.values()}
    for k in layout.order:
        behind[k] = {leader for cell in layout.placed[k].inputs for leader in behind[cells[cell]]}
        if k in leaders:
            graph[leaders[k]] |= behind[k] - {leaders[k]}
            behind[k] = behind[k] | {leaders[k]}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:  # two that lead each other: one of them shows the other's boundary before
        return sorted(graph)
