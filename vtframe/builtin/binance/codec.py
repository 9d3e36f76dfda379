"""The codec "binance": a compiled scanner reads what is written as the venue writes it, the reference everything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from vtframe.api import Codec, InstrumentTable
from vtframe.api.scan import COMPILED, LONGEST, REASONS, Scanner, symbol_table
from vtframe.builtin.binance import kernel_members as km
from vtframe.builtin.binance.kernel import read
from vtframe.builtin.binance.known import SPOT, USDM
from vtframe.builtin.binance.reference import BinanceReferenceCodec
from vtframe.domain import Instrument, Records, SequenceRule

_REASONS = {**REASONS, **km.OWN_REASONS}


class BinanceCodec(Codec):
    """Depth diffs, trades, best prices and depth snapshots of spot, USD-M and COIN-M, bare or in combined streams.

    The same records as ``binance_reference``, about ten times as fast. What the scanner does not expect
    is read by the reference, and counted in ``fallbacks``.
    """

    name = "binance"
    venues: ClassVar[tuple[str, ...]] = BinanceReferenceCodec.venues

    trades: Literal["trade", "aggTrade"] = "trade"

    def open(self, instruments: InstrumentTable) -> None:
        self._fallbacks: Counter[str] = Counter()
        self._reference = BinanceReferenceCodec(trades=self.trades)
        self._reference.open(instruments)
        cells = np.full(km.SEEN + 2 * len(instruments), km.UNSEEN, np.int64)
        cells[km.TRADES] = km.NAMES.index(self.trades)
        cells[km.DOUBTFUL] = self._reference.doubtful
        self._reference.seen = cells[km.SEEN :].reshape(-1, 2)
        ours = {
            (km.SPOT if instrument.venue == SPOT else km.FUTURES, instrument.symbol): (
                index,
                instrument.price_decimals,
                instrument.quantity_decimals,
                int(instrument.venue == USDM),
            )
            for index, instrument in enumerate(instruments)
            if instrument.venue in self.venues
        }
        if COMPILED and all(0 < len(symbol.encode()) <= LONGEST for _, symbol in ours):
            self._scan = Scanner(self.name, read, symbols=symbol_table(ours), cells=cells).scan
        else:
            self.decode = self._reference.decode  # type: ignore[method-assign]

    def decode(self, data: bytes, records: Records) -> str:
        code = self._scan(data, records)
        if code >= 0:
            return km.NAMES[code]
        if code != km.OTHER:
            self._fallbacks[_REASONS[code]] += 1
            return self._reference.decode(data, records)
        before = records.n_frames
        name = self._reference.decode(data, records)
        if records.n_frames > before:  # most others carry no market data: they are no fallbacks
            self._fallbacks[_REASONS[code]] += 1
        return name

    @property
    def fallbacks(self) -> Mapping[str, int]:
        return self._fallbacks

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return self._reference.sequence_rule(instrument)

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        return BinanceReferenceCodec.recognize(messages)

    @classmethod
    def known_instrument(cls, venue: str, symbol: str) -> Instrument | None:
        return BinanceReferenceCodec.known_instrument(venue, symbol)

    @classmethod
    def examples(cls) -> tuple[Sequence[Instrument], Sequence[bytes]]:
        return BinanceReferenceCodec.examples()
