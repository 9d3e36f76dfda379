"""A codec of two halves: a compiled kernel reads what the venue usually writes, its plain twin everything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vtframe.api.source import Codec, InstrumentTable
from vtframe.domain import Records
from vtframe.wire.scan.codes import OTHER, REASONS
from vtframe.wire.scan.scanner import COMPILED, Kernel, Scanner
from vtframe.wire.scan.symbols import LONGEST, symbol_table


class Units(NamedTuple):
    """What is needed to read one instrument's messages; the first columns of a symbol table."""

    number: int  # index in the session's table
    price_decimals: int
    quantity_decimals: int


def units_of(instruments: InstrumentTable, venues: Collection[str]) -> dict[str, Units]:
    """By symbol, for the instruments of these venues."""
    return {
        instrument.symbol: Units(index, instrument.price_decimals, instrument.quantity_decimals)
        for index, instrument in enumerate(instruments)
        if instrument.venue in venues
    }


def unit_table(units: Mapping[str, Sequence[int]]) -> NDArray[np.int64]:
    """A symbol table of one group. A symbol that it has no room for is left out: the plain twin reads its messages."""
    return symbol_table({(0, symbol): tuple(unit) for symbol, unit in units.items() if len(symbol.encode()) <= LONGEST})


class Twin(Protocol):
    """The plain half."""

    def decode(self, data: bytes, records: Records) -> str: ...


class ScannedCodec(Codec):
    """``open`` of a subclass ends with ``scan_with``. Where kernels are not compiled, the plain twin decodes everything.

    ``types`` names what the kernel's answers mean; ``reasons`` its codes, the shared ones among them.
    """

    types: ClassVar[Sequence[str]]
    reasons: ClassVar[Mapping[int, str]] = REASONS

    def scan_with(
        self, kernel: Kernel, twin: Twin, symbols: NDArray[np.int64] | None, cells: NDArray[np.int64] | None = None
    ) -> None:
        """Decode by ``kernel``, and by ``twin`` what the kernel answers with a code; everything where there is no table of
        ``symbols``. Raises KernelError."""
        self._fallbacks: Counter[str] = Counter()
        self._reference: Any = twin
        if COMPILED and symbols is not None:
            own = np.zeros(1, np.int64) if cells is None else cells
            self._scan = Scanner(self.name, kernel, symbols=symbols, cells=own).scan
        else:
            self.decode = twin.decode  # type: ignore[method-assign]

    def decode(self, data: bytes, records: Records) -> str:
        code = self._scan(data, records)
        if code >= 0:
            return self.types[code]
        if code != OTHER:
            self._fallbacks[self.reasons[code]] += 1
        name: str = self._reference.decode(data, records)
        return name

    @property
    def fallbacks(self) -> Mapping[str, int]:
        return self._fallbacks
