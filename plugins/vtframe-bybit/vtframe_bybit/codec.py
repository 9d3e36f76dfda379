"""Bybit's codec: books and trades of spot, linear and inverse contracts, from WebSocket v5."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from vtframe.api import Codec, ConfigError, Fault, InstrumentTable
from vtframe.api.scan import COMPILED, LENGTH, LONGEST, REASONS, Scanner, symbol_table
from vtframe.domain import Instrument, Records, SequenceRule
from vtframe_bybit import examples, kernel
from vtframe_bybit.known import VENUES, known_instrument
from vtframe_bybit.recognition import recognize
from vtframe_bybit.reference import Reference, Units

_REASONS = {**REASONS, **kernel.OWN_REASONS}


class BybitCodec(Codec):
    """Books of the topics ``orderbook.N``, best prices of ``orderbook.1``, and trades of ``publicTrade``.

    ``depth`` names the topic that makes the books; by default it is the first that arrives for a symbol. Spot and linear
    contracts share symbols and send messages that do not say which they are: a session has one of two such instruments.
    ``fallbacks`` counts, by reason, the messages that the scanner left to the reference.
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
        self._fallbacks: Counter[str] = Counter()
        self._reference = Reference(units, self.depth, self._on_depth)
        ours = {symbol: unit for symbol, unit in units.items() if len(symbol.encode()) <= LONGEST}
        self._symbols = symbol_table({(0, symbol): (*unit, self.depth) for symbol, unit in ours.items()})
        if COMPILED:
            self._scan = Scanner(self.name, kernel.read, symbols=self._symbols, cells=np.zeros(1, np.int64)).scan
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
