"""Coinbase's codec: books of the level2 channel and trades of market_trades, from Advanced Trade's WebSocket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np

from vtframe.api import InstrumentTable
from vtframe.api.scan import OTHER, ScannedCodec, unit_table, units_of
from vtframe.domain import Instrument, Records, SequenceRule
from vtframe_coinbase import examples, kernel
from vtframe_coinbase.known import VENUE, known_instrument
from vtframe_coinbase.recognition import recognize
from vtframe_coinbase.reference import Reference
from vtframe_coinbase.sequence import Sequences


class CoinbaseCodec(ScannedCodec):
    """Books and trades of spot products. A break in a connection's ``sequence_num`` is a gap in every book that lives from it:
    the codec states it, for the number is of no single book (docs/venues/coinbase.md). ``last_id`` is that number."""

    name = "coinbase"
    venues: ClassVar[tuple[str, ...]] = (VENUE,)
    types = kernel.NAMES

    def open(self, instruments: InstrumentTable) -> None:
        units = units_of(instruments, self.venues)
        self._sequences = Sequences()
        cells = np.zeros(2, np.int64)
        self._cells = memoryview(cells.data)
        self.scan_with(kernel.read, Reference(units, self._sequences), unit_table(units), cells)

    def decode(self, data: bytes, records: Records) -> str:
        frames, events = records.n_frames, records.n_events
        code = self._scan(data, records)
        if code >= 0:
            if self._sequences.follows(self._cells[kernel.SEQUENCE], records.connection):
                if self._cells[kernel.PICTURE_OF] >= 0:
                    self._sequences.begin(self._cells[kernel.PICTURE_OF], records.connection)
                return self.types[code]
            records.n_frames, records.n_events = frames, events  # the gap must stand before what this message brings
        elif code != OTHER:
            self._fallbacks[self.reasons[code]] += 1
        return self._reference.decode(data, records)

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return SequenceRule.NONE

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        return recognize(messages)

    @classmethod
    def known_instrument(cls, venue: str, symbol: str) -> Instrument | None:
        return known_instrument(venue, symbol)

    @classmethod
    def examples(cls) -> tuple[Sequence[Instrument], Sequence[bytes]]:
        return examples.INSTRUMENTS, examples.MESSAGES
