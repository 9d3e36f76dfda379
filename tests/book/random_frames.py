"""Frames made by hand for tests of the book's rules."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.domain import EventFlag, EventKind, FrameKind, Instrument, InstrumentKind, Records

INSTRUMENT = Instrument(
    venue="made",
    symbol="UP",
    kind=InstrumentKind.SPOT,
    base="UP",
    quote="USD",
    settlement="USD",
    price_decimals=2,
    quantity_decimals=3,
    tick_size=1,
    lot_size=1,
)

Level = tuple[int, int, int]  # side, price, quantity


class Tape:
    """Records with one call per frame; input numbers and arrival times count up."""

    def __init__(self) -> None:
        self.records = Records()

    def snapshot(self, last_id: int, *levels: Level, instrument: int = 0) -> None:
        clear = (0, self._now, 0, 0, 0, instrument, int(EventFlag.SNAPSHOT), int(EventKind.BOOK_CLEAR), 0)
        self._add(FrameKind.SNAPSHOT, instrument, [clear, *self._deltas(levels, instrument)], (last_id, last_id, -1))

    def depth(
        self, first_id: int, last_id: int, *levels: Level, previous: int = -1, instrument: int = 0, flags: int = 0
    ) -> None:
        self._add(FrameKind.DEPTH, instrument, self._deltas(levels, instrument, flags), (first_id, last_id, previous))

    def trade(self, side: int, price: int, quantity: int, *, instrument: int = 0, flags: int = 0) -> None:
        event = (0, self._now, price, quantity, 0, instrument, flags, int(EventKind.TRADE), side)
        self._add(FrameKind.TRADE, instrument, [event], (-1, -1, -1))

    def status(self, *, kind: int = EventKind.STATUS, flags: int = 0, instrument: int = 0) -> None:
        self._add(FrameKind.STATUS, instrument, [(0, self._now, 0, 0, 0, instrument, flags, int(kind), 0)], (-1, -1, -1))

    @property
    def _now(self) -> int:
        return 1_000_000_000 + self.records.n_frames * 1_000_000

    def _deltas(self, levels: Sequence[Level], instrument: int, flags: int = 0) -> list[tuple[int, ...]]:
        kind = int(EventKind.BOOK_DELTA)
        return [(0, self._now, price, quantity, 0, instrument, flags, kind, side) for side, price, quantity in levels]

    def _add(self, kind: FrameKind, instrument: int, events: list, ids: tuple[int, int, int]) -> None:
        number = self.records.n_frames
        self.records.append(
            kind=kind,
            instrument=instrument,
            events=events,
            number=number,
            ts_recv=self._now,
            first_id=ids[0],
            last_id=ids[1],
            previous_id=ids[2],
        )
