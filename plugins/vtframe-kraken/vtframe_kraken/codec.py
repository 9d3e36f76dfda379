"""Kraken's codec: spot books with checksums, and trades, from WebSocket v1 and v2."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from vtframe.api import InstrumentTable
from vtframe.api.scan import ScannedCodec, unit_table, units_of
from vtframe.domain import ChecksumRule, Instrument, SequenceRule
from vtframe_kraken import examples, kernel
from vtframe_kraken import kernel_members as km
from vtframe_kraken.known import VENUE, names
from vtframe_kraken.recognition import recognize
from vtframe_kraken.reference import Reference

CHECKSUM = ChecksumRule(levels=10)
"""Asks from the lowest, then bids from the highest; digits without point and zeros in front:
https://docs.kraken.com/exchange/guides/websockets/book-checksum-v2."""


class KrakenCodec(ScannedCodec):
    """Books (every depth) and trades of spot pairs. Kraken numbers no messages: the checksum in each is what finds a loss.

    A number whose digits are not the pair's decimals is a broken message, for the checksum is made of the digits sent
    (docs/venues/kraken.md).
    """

    name = "kraken"
    venues: ClassVar[tuple[str, ...]] = (VENUE,)
    types = km.NAMES
    reasons = km.ALL_REASONS

    def open(self, instruments: InstrumentTable) -> None:
        units = {name: unit for symbol, unit in units_of(instruments, self.venues).items() for name in names(symbol)}
        self.scan_with(kernel.read, Reference(units), unit_table(units))

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
