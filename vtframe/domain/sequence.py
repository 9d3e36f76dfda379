"""How a venue's update ids follow each other. The rule is checked on every depth frame, in the compiled book."""

from __future__ import annotations

from enum import IntEnum


class SequenceRule(IntEnum):
    """What the next depth frame's ids must be, once ``last`` is the last id applied; and how the first one after a snapshot
    with id ``last`` is found. Frames with ``last_id`` before the snapshot are dropped."""

    NONE = 0  # the source states no ids, or makes them itself without loss
    NEXT = 1  # first_id == last + 1; first after a snapshot: first_id <= last + 1 <= last_id (Binance spot)
    PREVIOUS = 2  # previous_id == last; first after a snapshot: first_id <= last <= last_id (Binance futures)
    INCREMENT = 3  # last_id == last + 1 (a plain counter)
