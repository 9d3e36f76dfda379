"""A message that comes in parts. How many there may be is bounded: parts without a byte have no size that could be."""

from __future__ import annotations

from typing import Final

from vtframe.errors import VtframeError

MOST: Final = 4096  # a message of the largest size in parts of 2 KiB


class TooManyFragmentsError(VtframeError):
    """A message has more parts than a message has."""

    def __init__(self) -> None:
        super().__init__(f"a message in more than {MOST} fragments")


class Fragments:
    """``begin`` with the first part, then ``add``."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def begin(self, part: bytes) -> None:
        self._parts = [part]

    def add(self, part: bytes) -> None:
        """Raises TooManyFragmentsError; what came is forgotten then."""
        if len(self._parts) >= MOST:
            self._parts = []
            raise TooManyFragmentsError
        self._parts.append(part)

    def whole(self) -> bytes:
        """The message, which is over."""
        whole = b"".join(self._parts)
        self._parts = []
        return whole
