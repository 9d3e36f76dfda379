"""A stretch of market as frames ready to send, over and over: only the numbers that must go on are written anew.

Update ids, trade ids and times grow by the same amounts in every round, and the last depth frame of a round leads the book
back to where it began: to a client the market never ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.venue.frame import Message

_FIELD = re.compile(rb'"(U|u|pu|t|E|T)":([0-9]{9,})')


class Growth(NamedTuple):
    """What a round adds, of one instrument."""

    ids: int
    trades: int
    ms: int


class Captured(NamedTuple):
    """One message of the stretch."""

    number: int  # among all messages of all instruments
    message: Message
    growth: Growth


class LoopFrames:
    """Frames of one set of streams, as one array of bytes."""

    def __init__(self, captured: Sequence[Captured], *, combined: bool) -> None:
        framed = [one.message.framed(combined=combined) for one in captured]
        self.numbers = np.array([one.number for one in captured], np.int64)
        ends = np.cumsum([len(frame) for frame in framed], dtype=np.int64)
        self._starts: NDArray[np.int64] = np.concatenate(([0], ends)).astype(np.int64)
        self._bytes = np.frombuffer(b"".join(framed), np.uint8).copy()
        places: list[tuple[int, int, int, int]] = []  # where the digits are, how many, the number, what a round adds
        for one, frame, start in zip(captured, framed, self._starts.tolist(), strict=False):
            for match in _FIELD.finditer(frame):
                name, digits = match[1], match[2]
                grown = one.growth.ids if name in (b"U", b"u", b"pu") else one.growth.ms
                grown = one.growth.trades if name == b"t" else grown
                places.append((start + match.start(2), len(digits), int(digits), grown))
        self._fields = np.array(places, np.int64).reshape(-1, 4)
        self._field_at = np.searchsorted(self._fields[:, 0], self._starts)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def slice(self, first: int, last: int, round_number: int) -> bytes:
        """The bytes of frames ``first`` to ``last`` - 1 as they are in this round."""
        fields = self._fields[self._field_at[first] : self._field_at[last]]
        if len(fields):
            values = fields[:, 2] + round_number * fields[:, 3]
            for digits in np.unique(fields[:, 1]).tolist():
                chosen = fields[:, 1] == digits
                at, value = fields[chosen, 0], values[chosen]
                for place in range(digits - 1, -1, -1):
                    value, digit = np.divmod(value, 10)
                    self._bytes[at + place] = digit + 48
        return self._bytes[self._starts[first] : self._starts[last]].tobytes()
