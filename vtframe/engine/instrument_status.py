"""What a STATUS frame says of an instrument's trading: its lanes deny what would open a position in it meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.domain import EventFlag, FrameKind, Records
from vtframe.engine.lane import Lane

_HALTED, _TRADING = int(EventFlag.HALTED), int(EventFlag.TRADING)


def take_status(records: Records, index: int, lanes: Sequence[Lane]) -> None:
    """Look at one frame, which was applied. Most say nothing of it."""
    frame = records.frames[index]
    if frame["kind"] != FrameKind.STATUS:
        return
    first = int(frame["first_event"])
    for flags in records.events["flags"][first : first + int(frame["n_events"])].tolist():
        if flags & (_HALTED | _TRADING):
            for lane in lanes:
                lane.on_trading(int(frame["instrument"]), int(frame["input"]), trading=bool(flags & _TRADING))
