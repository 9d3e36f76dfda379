"""What follows a row inside the same compiled call: models that are joined to a pipeline, by the addresses of their entries."""

from __future__ import annotations

from typing import Any

from vtframe.buffers.entry import call_entry
from vtframe.features import layout as at


def follow(followers: Any, before: int, control: Any, ints: Any, rows: Any) -> None:
    """Call each of ``followers`` (address, table) for the rows noted in control since there were ``before`` of them.

    Only an instrument's newest row counts: older ones of one call are overtaken. A row that is not valid is nobody's input.
    """
    if len(followers) == 0:
        return
    capacity = rows.shape[1] >> 1
    for k in range(before, control[at.COUNT]):
        instrument = control[at.NEW + k]
        if k + 1 < control[at.COUNT] and control[at.NEW + k + 1] == instrument:
            continue
        slot = ints[instrument, at.SLOT]
        place = capacity + (slot if slot > 0 else capacity) - 1  # in the second half every window lies before it
        if rows[instrument, place]["valid"]:
            for follower in range(len(followers)):
                call_entry(followers[follower, 0], followers[follower, 1], instrument, instrument + 1, place)
