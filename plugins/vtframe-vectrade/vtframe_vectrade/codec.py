"""VecTrade's codec: the article's books, trades and tickers compiled; published quotes, which are few, by the plain decoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from vtframe.api import InstrumentTable
from vtframe.api.scan import ScannedCodec, unit_table, units_of
from vtframe.domain import Instrument, SequenceRule
from vtframe_vectrade import examples, kernel
from vtframe_vectrade.known import VENUE
from vtframe_vectrade.recognition import known_instrument, recognize
from vtframe_vectrade.reference import Reference


class VectradeCodec(ScannedCodec):
    """The channels ``orderbook``, ``trades`` and ``ticker`` of the article's socket, and ``quote.update`` of the published one.
    Changes of a book are numbered one by one (docs/venues/vectrade.md)."""

    name = "vectrade"
    venues: ClassVar[tuple[str, ...]] = (VENUE,)
    types = kernel.NAMES

    def open(self, instruments: InstrumentTable) -> None:
        units = units_of(instruments, self.venues)
        self.scan_with(kernel.read, Reference(units), unit_table(units))

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return SequenceRule.INCREMENT

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        return recognize(messages)

    @classmethod
    def known_instrument(cls, venue: str, symbol: str) -> Instrument | None:
        return known_instrument(venue, symbol)

    @classmethod
    def examples(cls) -> tuple[Sequence[Instrument], Sequence[bytes]]:
        return examples.INSTRUMENTS, examples.MESSAGES
