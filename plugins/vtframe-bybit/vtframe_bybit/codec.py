"""Bybit's codec: books and trades of spot, linear and inverse contracts, from WebSocket v5."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from vtframe.api import ConfigError, Fault, InstrumentTable
from vtframe.api.scan import LENGTH, ScannedCodec, unit_table, units_of
from vtframe.domain import Instrument, SequenceRule
from vtframe_bybit import examples, kernel
from vtframe_bybit.known import VENUES, known_instrument
from vtframe_bybit.recognition import recognize
from vtframe_bybit.reference import Reference


class BybitCodec(ScannedCodec):
    """Books of the topics ``orderbook.N``, best prices of ``orderbook.1``, and trades of ``publicTrade``.

    ``depth`` names the topic that makes the books; by default it is the first that arrives for a symbol. Spot and linear
    contracts share symbols and send messages that do not say which they are: a session has one of two such instruments.
    ``fallbacks`` counts, by reason, the messages that the scanner left to the reference.
    """

    name = "bybit"
    venues: ClassVar[tuple[str, ...]] = VENUES
    types = kernel.NAMES

    depth: Literal[0, 25, 50, 100, 200, 500, 1000] = 0

    def open(self, instruments: InstrumentTable) -> None:
        units = units_of(instruments, self.venues)
        for index, instrument in enumerate(instruments):
            if instrument.venue in self.venues and units[instrument.symbol].number != index:
                problem = f"{instrument.symbol} stands for two instruments, whose messages do not say which of them they are of"
                raise ConfigError(Fault(table="[feed]", problem=problem, hint="give each market a session of its own"))
        self._symbols = unit_table({symbol: (*unit, self.depth) for symbol, unit in units.items()})
        self.scan_with(kernel.read, Reference(units, self.depth, self._on_depth), self._symbols)

    def _on_depth(self, instrument: int, depth: int) -> None:
        """A symbol's first book has come: from here on the scanner reads its topic."""
        mine = (self._symbols[:, kernel.INSTRUMENT] == instrument) & (self._symbols[:, LENGTH] > 0)
        self._symbols[mine, kernel.DEPTH] = depth

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
