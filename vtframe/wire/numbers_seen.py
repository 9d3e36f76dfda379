"""Units from digits: what the prices and quantities of a recording tell of an instrument's tick, lot and decimals."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

from vtframe.domain import Instrument
from vtframe.errors import DecodeError
from vtframe.wire.plain import fixed, written_decimals

_DECIMALS = 18
_ONE: int = 10**_DECIMALS
_KEPT = 20_000  # texts of each sort that are remembered
ENOUGH = 1_000  # different prices that a tick size may be inferred from


class NumbersSeen:
    """The numbers of one instrument. Exact: everything is a whole multiple of 10**-18 and a Python integer."""

    def __init__(self) -> None:
        self.prices: set[int] = set()  # the first ENOUGH different ones
        self._tick = 0
        self._lot = self._largest = 0
        self._written_prices: set[str] = set()  # what says nothing new, so that it is not read again
        self._written_quantities: set[str] = set()
        self.price_decimals: tuple[int, int] = (_DECIMALS, 0)  # fewest and most that were written
        self.quantity_decimals: tuple[int, int] = (_DECIMALS, 0)

    def add(self, price: str, quantity: str) -> None:
        """One level or trade, as written. A quantity of 0 says nothing of lots. Raises DecodeError for what is no number."""
        if price not in self._written_prices:
            value = _wide(price)
            if len(self.prices) < ENOUGH:
                self.prices.add(value)
            self._tick = math.gcd(self._tick, value)
            self.price_decimals = _reach(self.price_decimals, written_decimals(price))
            _keep(self._written_prices, price)
        if quantity in self._written_quantities:
            return
        lot = _wide(quantity)
        _keep(self._written_quantities, quantity)
        if lot:
            self._lot = math.gcd(self._lot, lot)
            self._largest = max(self._largest, lot)
            self.quantity_decimals = _reach(self.quantity_decimals, written_decimals(quantity))

    @property
    def enough(self) -> bool:
        """Whether the greatest common divisors may be taken for tick and lot."""
        return len(self.prices) >= ENOUGH and self._lot > 0

    def fit(self, instrument: Instrument) -> bool:
        """Whether all numbers are whole ticks, and quantities that the instrument's decimals can hold."""
        tick = int(instrument.price(instrument.tick_size).scaleb(_DECIMALS))
        return self._tick % tick == 0 and self._lot % 10 ** (_DECIMALS - instrument.quantity_decimals) == 0

    def instrument(self, known: Instrument | None, make: Callable[..., Instrument | None]) -> Instrument | None:
        """``known`` where all numbers fit it; else what ``make`` makes of tick, lot, and the most decimals that were written,
        where there are enough numbers to tell; else None."""
        if known is not None and self.fit(known):
            return known
        if not self.enough:
            return None
        return make(
            tick=self.tick, lot=self.lot, price_decimals=self.price_decimals[1], quantity_decimals=self.quantity_decimals[1]
        )

    @property
    def tick(self) -> Decimal:
        """Greatest common divisor of the prices; 0 before the first."""
        return Decimal(self._tick).scaleb(-_DECIMALS).normalize()

    @property
    def lot(self) -> Decimal:
        """Greatest common divisor of the quantities; 0 before the first."""
        return Decimal(self._lot).scaleb(-_DECIMALS).normalize()

    @property
    def largest(self) -> Decimal:
        """The largest quantity."""
        return Decimal(self._largest).scaleb(-_DECIMALS).normalize()


def _wide(text: str) -> int:
    """Times 10**18, however large."""
    if written_decimals(text) > _DECIMALS:
        raise DecodeError(f"{text[:40]!r} has more than {_DECIMALS} decimals")
    whole, _, part = text.partition(".")
    return fixed(whole, 0) * _ONE + (fixed(part.ljust(_DECIMALS, "0"), 0) if part else 0)


def _keep(texts: set[str], text: str) -> None:
    if len(texts) < _KEPT:
        texts.add(text)


def _reach(span: tuple[int, int], value: int) -> tuple[int, int]:
    return min(span[0], value), max(span[1], value)
