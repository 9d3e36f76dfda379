"""Does this depth frame follow the book? Each venue's rule (domain.SequenceRule), checked on every frame, compiled."""

from __future__ import annotations

from typing import Any

from vtframe.book import meta as m
from vtframe.domain import BookState, SequenceRule

FOLLOWS = 0
OLD = 1  # ends before the snapshot: to be dropped
BROKEN = 2  # something between is missing

NONE = int(SequenceRule.NONE)
NEXT = int(SequenceRule.NEXT)
PREVIOUS = int(SequenceRule.PREVIOUS)
INCREMENT = int(SequenceRule.INCREMENT)
GAP = int(BookState.GAP)


def check(meta: Any, first_id: int, last_id: int, previous_id: int) -> int:
    """FOLLOWS, OLD or BROKEN. Only the first frame after a snapshot can be OLD; later, an id that goes back is BROKEN, for a
    venue that restarts its ids would otherwise freeze a book that says it is live.

    ``PREVIOUS`` also takes a first frame whose predecessor ended at the snapshot's id or before it: whatever changed since is
    in that frame.
    """
    rule = meta[m.RULE]
    last = meta[m.LAST_ID]
    first = meta[m.FIRST] == 1
    if rule == NEXT:
        if first and last_id <= last:
            return OLD
        good = first_id == last + 1 or (first and first_id <= last)
    elif rule == PREVIOUS:
        if first and last_id < last:
            return OLD
        good = previous_id == last or (first and (first_id <= last or 0 <= previous_id <= last))
    elif rule == INCREMENT:
        if first and last_id <= last:
            return OLD
        good = last_id == last + 1
    else:
        good = True
    return FOLLOWS if good else BROKEN


def mark_gap(meta: Any) -> None:
    """Something is missing, or the book is not the venue's: it waits for a snapshot."""
    meta[m.STATE] = GAP
    meta[m.GAPS] += 1
