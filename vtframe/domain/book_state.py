"""What state a book is in. It travels with every row and every prediction; only LIVE books feed models."""

from __future__ import annotations

from enum import IntEnum


class BookState(IntEnum):
    SYNCING = 0  # waits for a snapshot; diffs are buffered
    LIVE = 1
    STALE = 2  # connected, but silent for too long
    GAP = 3  # a diff is missing
    CROSSED = 4  # best bid at or above best ask: the picture is wrong
