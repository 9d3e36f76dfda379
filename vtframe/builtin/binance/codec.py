"""The codec "binance": a compiled scanner reads what is written as the venue writes it, the reference everything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import numpy as np

from vtframe.api import InstrumentTable
from vtframe.api.scan import LONGEST, OTHER, ScannedCodec, symbol_table
from vtframe.builtin.binance import kernel_members as km
from vtframe.builtin.binance.kernel import read
from vtframe.builtin.binance.known import SPOT, USDM
from vtframe.builtin.binance.notes import NOTE
from vtframe.builtin.binance.reference import BinanceReferenceCodec
from vtframe.domain import Instrument, Records, SequenceRule


class BinanceCodec(ScannedCodec):
    """Depth diffs, trades, best prices and depth snapshots of spot, USD-M and COIN-M, bare or in combined streams; and what a
    live feed adds (``notes``).

    The same records as ``binance_reference``, about ten times as fast. What the scanner does not expect
    is read by the reference, and counted in ``fallbacks``.
    """

    name = "binance"
    venues: ClassVar[tuple[str, ...]] = BinanceReferenceCodec.venues
    types = km.NAMES
    reasons = km.ALL_REASONS

    trades: Literal["trade", "aggTrade"] = "trade"

    def open(self, instruments: InstrumentTable) -> None:
        reference = BinanceReferenceCodec(trades=self.trades)
        reference.open(instruments)
        cells = np.full(km.SEEN + 2 * len(instruments), km.UNSEEN, np.int64)
        cells[km.TRADES] = km.NAMES.index(self.trades)
        cells[km.DOUBTFUL] = reference.doubtful
        reference.seen = cells[km.SEEN :].reshape(-1, 2)
        ours = {
            (group + (km.SPOT if instrument.venue == SPOT else km.FUTURES), symbol): (
                index,
                instrument.price_decimals,
                instrument.quantity_decimals,
                int(instrument.venue == USDM),
            )
            for index, instrument in enumerate(instruments)
            if instrument.venue in self.venues
            for group, symbol in ((0, instrument.symbol), (km.SMALL, instrument.symbol.lower()))
        }
        fits = all(0 < len(symbol.encode()) <= LONGEST for _, symbol in ours)
        self.scan_with(read, reference, symbol_table(ours) if fits else None, cells)

    def decode(self, data: bytes, records: Records) -> str:
        code = self._scan(data, records)
        if code >= 0:
            return km.NAMES[code]
        if code != OTHER:
            self._fallbacks[km.ALL_REASONS[code]] += 1
        before = records.n_frames
        name: str = self._reference.decode(data, records)
        if code == OTHER and records.n_frames > before and name != NOTE:  # those without market data are no fallbacks
            self._fallbacks[km.ALL_REASONS[code]] += 1
        return name

    def sequence_rule(self, instrument: int) -> SequenceRule:
        rule: SequenceRule = self._reference.sequence_rule(instrument)
        return rule

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        return BinanceReferenceCodec.recognize(messages)

    @classmethod
    def known_instrument(cls, venue: str, symbol: str) -> Instrument | None:
        return BinanceReferenceCodec.known_instrument(venue, symbol)

    @classmethod
    def examples(cls) -> tuple[Sequence[Instrument], Sequence[bytes]]:
        return BinanceReferenceCodec.examples()
