"""Coinbase's codec: books of the level2 channel and trades of market_trades, from Advanced Trade's WebSocket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from vtframe.api import Codec, InstrumentTable
from vtframe.api.scan import COMPILED, LONGEST, REASONS, Scanner, symbol_table
from vtframe.domain import Instrument, Records, SequenceRule
from vtframe_coinbase import examples, kernel
from vtframe_coinbase.known import VENUE, known_instrument
from vtframe_coinbase.recognition import recognize
from vtframe_coinbase.reference import Product, Reference
from vtframe_coinbase.sequence import Sequences

_REASONS = {**REASONS, **kernel.OWN_REASONS}


class CoinbaseCodec(Codec):
    """Books and trades of spot products. A break in a connection's ``sequence_num`` is a gap in every book that lives from it:
    the codec states it, for the number is of no single book (docs/venues/coinbase.md). ``last_id`` is that number."""

    name = "coinbase"
    venues: ClassVar[tuple[str, ...]] = (VENUE,)

    def open(self, instruments: InstrumentTable) -> None:
        products = {
            instrument.symbol: Product(index, instrument.price_decimals, instrument.quantity_decimals)
            for index, instrument in enumerate(instruments)
            if instrument.venue == VENUE
        }
        self._fallbacks: Counter[str] = Counter()
        self._sequences = Sequences()
        self._reference = Reference(products, self._sequences)
        ours = {symbol: product for symbol, product in products.items() if len(symbol.encode()) <= LONGEST}
        symbols = symbol_table({(0, symbol): tuple(product) for symbol, product in ours.items()})
        cells = np.zeros(2, np.int64)
        self._cells = memoryview(cells.data)
        if COMPILED:
            self._scan = Scanner(self.name, kernel.read, symbols=symbols, cells=cells).scan
        else:
            self.decode = self._reference.decode  # type: ignore[method-assign]

    def decode(self, data: bytes, records: Records) -> str:
        frames, events = records.n_frames, records.n_events
        code = self._scan(data, records)
        if code >= 0:
            if self._sequences.follows(self._cells[kernel.SEQUENCE], records.connection):
                if self._cells[kernel.PICTURE_OF] >= 0:
                    self._sequences.begin(self._cells[kernel.PICTURE_OF], records.connection)
                return kernel.NAMES[code]
            records.n_frames, records.n_events = frames, events  # the gap must stand before what this message brings
        elif code != kernel.OTHER:
            self._fallbacks[_REASONS[code]] += 1
        return self._reference.decode(data, records)

    @property
    def fallbacks(self) -> Mapping[str, int]:
        return self._fallbacks

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
