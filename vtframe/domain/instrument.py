"""What is traded: its units, its currencies, and the arithmetic that depends on its kind."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from vtframe.domain.fixed_point import to_decimal


class InstrumentKind(Enum):
    """Decides how a price difference turns into money."""

    SPOT = "spot"  # the base asset itself; cannot be short
    LINEAR = "linear"  # a contract on `multiplier` units of base, settled in quote
    INVERSE = "inverse"  # a contract worth `multiplier` units of quote, settled in base


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable thing at one venue.

    ``tick_size`` and ``lot_size`` are fixed point (``price_decimals``, ``quantity_decimals``); a quantity counts base
    units for spot and linear instruments and contracts for inverse ones. Fees are fractions of notional.
    """

    venue: str
    symbol: str  # as the venue writes it
    kind: InstrumentKind
    base: str
    quote: str
    settlement: str
    price_decimals: int
    quantity_decimals: int
    tick_size: int
    lot_size: int
    multiplier: Decimal = Decimal(1)
    minimum_notional: Decimal = Decimal(0)  # in quote
    maker_fee: Decimal = Decimal(0)
    taker_fee: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        for name in ("tick_size", "lot_size"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, found {getattr(self, name)}")
        for name in ("price_decimals", "quantity_decimals"):
            if not 0 <= getattr(self, name) <= 18:
                raise ValueError(f"{name} must be in 0..18, found {getattr(self, name)}")
        if self.multiplier <= 0:
            raise ValueError(f"multiplier must be positive, found {self.multiplier}")

    @property
    def instrument_id(self) -> str:
        """The name used in configurations, files and reports: ``SYMBOL@venue``."""
        return f"{self.symbol}@{self.venue}"

    def price(self, value: int) -> Decimal:
        return to_decimal(value, self.price_decimals)

    def quantity(self, value: int) -> Decimal:
        return to_decimal(value, self.quantity_decimals)

    def notional(self, price: int, quantity: int) -> Decimal:
        """Absolute size of ``quantity`` at ``price``, in quote currency, whatever the settlement currency is."""
        count = abs(self.quantity(quantity)) * self.multiplier
        return count if self.kind is InstrumentKind.INVERSE else count * self.price(price)

    def settlement_value(self, price: int, quantity: int) -> Decimal:
        """Absolute size of ``quantity`` at ``price``, in the settlement currency: what fees are charged on."""
        notional = self.notional(price, quantity)
        return notional / self.price(price) if self.kind is InstrumentKind.INVERSE else notional

    def profit(self, entry: Decimal, exit_price: Decimal, quantity: int) -> Decimal:
        """Gross profit of holding signed ``quantity`` from ``entry`` to ``exit_price``, in the settlement currency.

        Linear and spot: q x m x (exit - entry). Inverse: q x m x (1 / entry - 1 / exit).
        """
        count = self.quantity(quantity) * self.multiplier
        if self.kind is InstrumentKind.INVERSE:
            return count * (1 / entry - 1 / exit_price)
        return count * (exit_price - entry)
