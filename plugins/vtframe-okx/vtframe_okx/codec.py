"""OKX's codec: books and trades of spot, swaps and futures, from WebSocket v5."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from vtframe.api import Codec, InstrumentTable
from vtframe.api.scan import COMPILED, LONGEST, REASONS, Scanner, symbol_table
from vtframe.domain import ChecksumRule, Instrument, Records, SequenceRule
from vtframe_okx import examples, kernel
from vtframe_okx.known import VENUE, known_instrument
from vtframe_okx.recognition import recognize
from vtframe_okx.reference import Reference, Units

CHECKSUM = ChecksumRule(levels=25, interleaved=True, separator=":", point=True, shortest=True)
"""Best bid, best ask, second bid, ... as ``price:quantity:...``:
https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel."""
_REASONS = {**REASONS, **kernel.OWN_REASONS}


class OkxCodec(Codec):
    """Books of the channels ``books``, ``books-l2-tbt`` and ``books50-l2-tbt``, and the channel ``trades``. Every message of a
    book names the one before; where it carries a checksum that is not 0, that is verified too (docs/venues/okx.md)."""

    name = "okx"
    venues: ClassVar[tuple[str, ...]] = (VENUE,)

    def open(self, instruments: InstrumentTable) -> None:
        units = {
            instrument.symbol: Units(index, instrument.price_decimals, instrument.quantity_decimals)
            for index, instrument in enumerate(instruments)
            if instrument.venue == VENUE
        }
        self._fallbacks: Counter[str] = Counter()
        self._reference = Reference(units)
        ours = {symbol: unit for symbol, unit in units.items() if len(symbol.encode()) <= LONGEST}
        symbols = symbol_table({(0, symbol): tuple(unit) for symbol, unit in ours.items()})
        if COMPILED:
            self._scan = Scanner(self.name, kernel.read, symbols=symbols, cells=np.zeros(1, np.int64)).scan
        else:
            self.decode = self._reference.decode  # type: ignore[method-assign]

    def decode(self, data: bytes, records: Records) -> str:
        code = self._scan(data, records)
        if code >= 0:
            return kernel.NAMES[code]
        if code != kernel.OTHER:
            self._fallbacks[_REASONS[code]] += 1
        return self._reference.decode(data, records)

    @property
    def fallbacks(self) -> Mapping[str, int]:
        return self._fallbacks

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return SequenceRule.PREVIOUS

    def checksum_rule(self, instrument: int) -> ChecksumRule:
        return CHECKSUM

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        return recognize(messages)

    @classmethod
    def known_instrument(cls, venue: str, symbol: str) -> Instrument | None:
        return known_instrument(venue, symbol)

    @classmethod
    def examples(cls) -> tuple[Sequence[Instrument], Sequence[bytes]]:
        return examples.INSTRUMENTS, examples.MESSAGES
