"""Bybit's codec: books and trades of spot, linear and inverse contracts, from WebSocket v5."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from vtframe.api import Codec, ConfigError, Fault, InstrumentTable
from vtframe.domain import Instrument, Records, SequenceRule
from vtframe_bybit.known import VENUES, known_instrument
from vtframe_bybit.recognition import recognize
from vtframe_bybit.reference import Reference, Units


class BybitCodec(Codec):
    """Books of the topics ``orderbook.N``, best prices of ``orderbook.1``, and trades of ``publicTrade``.

    ``depth`` names the topic that makes the books; by default it is the first that arrives for a symbol. Spot and linear
    contracts share symbols and send messages that do not say which they are: a session has one of two such instruments.
    """

    name = "bybit"
    venues: ClassVar[tuple[str, ...]] = VENUES

    depth: Literal[0, 25, 50, 100, 200, 500, 1000] = 0

    def open(self, instruments: InstrumentTable) -> None:
        units: dict[str, Units] = {}
        for index, instrument in enumerate(instruments):
            if instrument.venue not in VENUES:
                continue
            if instrument.symbol in units:
                problem = f"{instrument.symbol} stands for two instruments, whose messages do not say which of them they are of"
                raise ConfigError(Fault(table="[feed]", problem=problem, hint="give each market a session of its own"))
            units[instrument.symbol] = Units(index, instrument.price_decimals, instrument.quantity_decimals)
        self._reference = Reference(units, self.depth)

    def decode(self, data: bytes, records: Records) -> str:
        return self._reference.decode(data, records)

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return SequenceRule.INCREMENT

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        return recognize(messages)

    @classmethod
    def known_instrument(cls, venue: str, symbol: str) -> Instrument | None:
        return known_instrument(venue, symbol)
