"""Exits that came to nothing are tried again, but not at every input: a venue that refuses them bans who goes on."""

from __future__ import annotations

from typing import Final

FIRST_NS: Final = 100_000_000
MOST_NS: Final = 1_000_000_000


class ExitPace:
    """By instrument: after each failure in a row the pause is twice as long, up to ``MOST_NS``."""

    def __init__(self) -> None:
        self._failures: dict[int, int] = {}
        self._until: dict[int, int] = {}

    def failed(self, index: int, now_ns: int) -> None:
        count = self._failures.get(index, 0)
        self._failures[index] = count + 1
        self._until[index] = now_ns + min(MOST_NS, FIRST_NS << min(count, 8))

    def worked(self, index: int) -> None:
        self._failures.pop(index, None)
        self._until.pop(index, None)

    def allows(self, index: int, now_ns: int) -> bool:
        return now_ns >= self._until.get(index, 0)
