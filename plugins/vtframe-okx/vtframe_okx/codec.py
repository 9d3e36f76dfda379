"""OKX's codec: books and trades of spot, swaps and futures, from WebSocket v5."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from vtframe.api import InstrumentTable
from vtframe.api.scan import ScannedCodec, unit_table, units_of
from vtframe.domain import ChecksumRule, Instrument, SequenceRule
from vtframe_okx import examples, kernel
from vtframe_okx.known import VENUE, known_instrument
from vtframe_okx.recognition import recognize
from vtframe_okx.reference import Reference

CHECKSUM = ChecksumRule(levels=25, interleaved=True, separator=":", point=True, shortest=True)
"""Best bid, best ask, second bid, ... as ``price:quantity:...``:
https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel."""


class OkxCodec(ScannedCodec):
    """Books of the channels ``books``, ``books-l2-tbt`` and ``books50-l2-tbt``, and the channel ``trades``. Every message of a
    book names the one before; where it carries a checksum that is not 0, that is verified too (docs/venues/okx.md)."""

    name = "okx"
    venues: ClassVar[tuple[str, ...]] = (VENUE,)
    types = kernel.NAMES

    def open(self, instruments: InstrumentTable) -> None:
        units = units_of(instruments, self.venues)
        self.scan_with(kernel.read, Reference(units), unit_table(units))

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
