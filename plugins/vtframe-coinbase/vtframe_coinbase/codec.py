"""Coinbase's codec: books of the level2 channel and trades of market_trades, from Advanced Trade's WebSocket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from vtframe.api import Codec, InstrumentTable
from vtframe.domain import Instrument, Records, SequenceRule
from vtframe_coinbase.known import VENUE, known_instrument
from vtframe_coinbase.recognition import recognize
from vtframe_coinbase.reference import Product, Reference
from vtframe_coinbase.sequence import Sequences


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
        self._reference = Reference(products, Sequences())

    def decode(self, data: bytes, records: Records) -> str:
        return self._reference.decode(data, records)

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return SequenceRule.NONE

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        return recognize(messages)

    @classmethod
    def known_instrument(cls, venue: str, symbol: str) -> Instrument | None:
        return known_instrument(venue, symbol)
