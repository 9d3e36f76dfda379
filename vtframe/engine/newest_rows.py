"""The newest row of each instrument, for strategies and the journal. Reads the ring; off the kernel's path."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.buffers.ring import RowRing


class NewestRows:
    """A ``RowReader`` over the pipeline's ring."""

    def __init__(self, ring: RowRing, columns: Sequence[str]) -> None:
        self._ring = ring
        self._places = {name: place for place, name in enumerate(columns)}

    def row(self, instrument: int) -> Sequence[float]:
        if not self._ring.head(instrument):
            return ()
        values: list[float] = self._ring.window(instrument, 1)[0].tolist()
        return values

    def value(self, instrument: int, column: str) -> float:
        place = self._places[column]
        if not self._ring.head(instrument):
            return float("nan")
        return float(self._ring.window(instrument, 1)[0, place])
