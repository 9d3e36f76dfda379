"""Kraken's codec: spot books with checksums, and trades, from WebSocket v1 and v2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from vtframe.api import Codec, InstrumentTable
from vtframe.api.scan import COMPILED, LONGEST, REASONS, Scanner, symbol_table
from vtframe.domain import ChecksumRule, Instrument, Records, SequenceRule
from vtframe_kraken import examples, kernel
from vtframe_kraken import kernel_members as km
from vtframe_kraken.known import VENUE, names
from vtframe_kraken.recognition import recognize
from vtframe_kraken.reference import Pair, Reference

CHECKSUM = ChecksumRule(levels=10)
"""Asks from the lowest, then bids from the highest; digits without point and zeros in front:
https://docs.kraken.com/exchange/guides/websockets/book-checksum-v2."""
_REASONS = {**REASONS, **km.OWN_REASONS}


class KrakenCodec(Codec):
    """Books (every depth) and trades of spot pairs. Kraken numbers no messages: the checksum in each is what finds a loss.

    A number whose digits are not the pair's decimals is a broken message, for the checksum is made of the digits sent
    (docs/venues/kraken.md).
    """

    name = "kraken"
    venues: ClassVar[tuple[str, ...]] = (VENUE,)

    def open(self, instruments: InstrumentTable) -> None:
        pairs = {
            name: Pair(index, instrument.price_decimals, instrument.quantity_decimals)
            for index, instrument in enumerate(instruments)
            if instrument.venue == VENUE
            for name in names(instrument.symbol)
        }
        self._fallbacks: Counter[str] = Counter()
        self._reference = Reference(pairs)
        ours = {symbol: pair for symbol, pair in pairs.items() if len(symbol.encode()) <= LONGEST}
        symbols = symbol_table({(0, symbol): tuple(pair) for symbol, pair in ours.items()})
        if COMPILED:
            self._scan = Scanner(self.name, kernel.read, symbols=symbols, cells=np.zeros(1, np.int64)).scan
        else:
            self.decode = self._reference.decode  # type: ignore[method-assign]

    def decode(self, data: bytes, records: Records) -> str:
        code = self._scan(data, records)
        if code >= 0:
            return km.NAMES[code]
        if code != km.OTHER:
            self._fallbacks[_REASONS[code]] += 1
        return self._reference.decode(data, records)

    @property
    def fallbacks(self) -> Mapping[str, int]:
        return self._fallbacks

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return SequenceRule.NONE

    def checksum_rule(self, instrument: int) -> ChecksumRule:
        return CHECKSUM

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        return recognize(messages)

    @classmethod
    def examples(cls) -> tuple[Sequence[Instrument], Sequence[bytes]]:
        return examples.INSTRUMENTS, examples.MESSAGES
