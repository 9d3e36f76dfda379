"""What waits for Redis: bounded in bytes, every item numbered. Where it overflows the oldest goes, and is counted."""

from __future__ import annotations

import threading
from collections import deque

import msgspec

from vtframe.api import MarketBlock, PredictionBlock, RowBlock

Block = RowBlock | PredictionBlock | MarketBlock


class Item(msgspec.Struct, frozen=True):
    """A block of one stream: items ``first`` to ``first + count - 1``, counted from 1."""

    stream: str
    first: int
    count: int
    size: int  # bytes, about
    block: Block


class Counts(msgspec.Struct):
    """Items of one stream. What is neither published nor dropped waits or is on its way."""

    made: int = 0
    published: int = 0  # acknowledged by Redis
    dropped: int = 0  # never acknowledged, given up


class Buffer:
    """Filled by the row log's thread, which never waits here; emptied by the publisher's."""

    def __init__(self, limit: int) -> None:
        """``limit`` in bytes."""
        self.counts: dict[str, Counts] = {}
        self._limit = limit
        self._size = 0
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, stream: str, count: int, size: int, block: Block, *, first: int | None = None) -> int:
        """Append a block; ``first`` where it has a number of its own (a hole before it is counted as dropped).

        Returns how many items were dropped for it.
        """
        with self._changed:
            counts = self.counts.setdefault(stream, Counts())
            before = sum(kept.dropped for kept in self.counts.values())
            if first is not None and first > counts.made + 1:
                counts.dropped += first - counts.made - 1
                counts.made = first - 1
            self._items.append(Item(stream, counts.made + 1, count, size, block))
            counts.made += count
            self._size += size
            if self._closed:  # nobody will come for it
                self._drop(0)
            else:
                self._drop(self._limit)
            self._changed.notify()
            return sum(kept.dropped for kept in self.counts.values()) - before

    def take(self, *, most: int, wait_s: float) -> list[Item]:
        """The oldest items, ``most`` bytes of them (one at least); waits for the first. Empty where none came."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(wait_s)
            taken: list[Item] = []
            size = 0
            while self._items and (not taken or size + self._items[0].size <= most):
                item = self._items.popleft()
                size += item.size
                taken.append(item)
            self._size -= size
            return taken

    def wait_closed(self, wait_s: float) -> bool:
        """Wait, but no longer than until ``close``; whether it is closed."""
        with self._changed:
            return self._closed or self._changed.wait_for(lambda: self._closed, wait_s)

    def close(self) -> None:
        """Nothing more comes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def give_up(self) -> None:
        """Count everything that was not acknowledged as dropped."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._size = 0
            for counts in self.counts.values():
                counts.dropped = counts.made - counts.published

    def settle(self, published: dict[str, int], dropped: dict[str, int]) -> None:
        """What became of items that were taken."""
        with self._changed:
            for stream, count in published.items():
                self.counts[stream].published += count
            for stream, count in dropped.items():
                self.counts[stream].dropped += count

    def look(self) -> dict[str, Counts]:
        """The counts as they are now."""
        with self._changed:
            return {stream: Counts(counts.made, counts.published, counts.dropped) for stream, counts in self.counts.items()}

    def _drop(self, limit: int) -> None:
        while self._size > limit:
            oldest = self._items.popleft()
            self._size -= oldest.size
            self.counts[oldest.stream].dropped += oldest.count
