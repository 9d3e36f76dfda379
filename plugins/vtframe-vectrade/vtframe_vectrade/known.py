"""What an instrument is: VecTrade publishes no units, so that they are ours, and every symbol's can be set.

``BASE-QUOTE`` (BTC-USD, XAU-USD, EUR-USD) is a pair, any other name a stock in US dollars. Fees as its simulator's.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from vtframe.api import ConfigError, Fault
from vtframe.domain import Instrument, InstrumentKind

VENUE: Final = "vectrade"
TICK, LOT = "0.01", "0.00000001"  # what a symbol has where nothing else is set
CRYPTO_FEE = Decimal("0.001")  # of a pair; a stock's are by share, which a fraction cannot say


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The units of one symbol, as decimal texts: prices and quantities with more digits are refused."""

    tick: str = TICK
    lot: str = LOT


def instrument_of(symbol: str, units: Units | None = None) -> Instrument:
    """Raises ConfigError for units that are none."""
    units = units or Units()
    tick, lot = (_unit(symbol, name, getattr(units, name)) for name in ("tick", "lot"))
    base, dash, quote = symbol.partition("-")
    return Instrument(
        venue=VENUE,
        symbol=symbol,
        kind=InstrumentKind.SPOT,
        base=base,
        quote=quote if dash else "USD",
        settlement=quote if dash else "USD",
        price_decimals=_decimals(tick),
        quantity_decimals=_decimals(lot),
        tick_size=int(tick.scaleb(_decimals(tick))),
        lot_size=int(lot.scaleb(_decimals(lot))),
        maker_fee=CRYPTO_FEE if dash else Decimal(0),
        taker_fee=CRYPTO_FEE if dash else Decimal(0),
    )


def make_instrument(symbol: str, *, tick: Decimal, lot: Decimal, price_decimals: int, quantity_decimals: int) -> Instrument:
    """With the units that a recording's numbers have."""
    return msgspec.structs.replace(
        instrument_of(symbol),
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        tick_size=int(tick.scaleb(price_decimals)),
        lot_size=int(lot.scaleb(quantity_decimals)),
    )


def _unit(symbol: str, name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0 or _decimals(value) > 18:
        problem = f"{symbol}: {name} {text!r} is no unit"
        raise ConfigError(Fault(key="units", problem=problem, hint='expected a decimal number above 0, like "0.01"'))
    return value


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 99
