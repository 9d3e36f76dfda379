"""What ccxt's description of a market says of its instrument, in exact units."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from vtframe.api import ConfigError, Fault
from vtframe.domain import Instrument, InstrumentKind

DECIMAL_PLACES: Final = 2  # ccxt's names for what a precision is
TICK_SIZE: Final = 4


class Digits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decimals that a symbol's numbers are kept with, where they have more than its ticks have."""

    price: int | None = None
    quantity: int | None = None


def instrument_of(market: Mapping[str, Any], exchange: str, *, precision_mode: int, digits: Digits) -> Instrument:
    """Raises ConfigError for a market that is no spot, swap or future, or whose precision is counted in significant digits."""
    symbol = str(market["symbol"])
    kind = str(market.get("type"))
    if kind not in {"spot", "swap", "future"}:
        raise _fault(f"{symbol} is a market of type {kind!r}", "spot, swap and future have order books that can be kept")
    precision = market.get("precision") or {}
    tick = _step(precision.get("price"), precision_mode, symbol, "price")
    lot = _step(precision.get("amount"), precision_mode, symbol, "amount")
    price_decimals = max(_decimals(tick), digits.price or 0)
    quantity_decimals = max(_decimals(lot), digits.quantity or 0)
    inverse = bool(market.get("inverse"))
    base, quote = str(market["base"]), str(market["quote"])
    limits = (market.get("limits") or {}).get("cost") or {}
    return Instrument(
        venue=exchange if kind == "spot" else f"{exchange}_{kind}",
        symbol=str(market["id"]),
        kind=InstrumentKind.SPOT if kind == "spot" else InstrumentKind.INVERSE if inverse else InstrumentKind.LINEAR,
        base=base,
        quote=quote,
        settlement=str(market.get("settle") or quote),
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        tick_size=int(tick.scaleb(price_decimals)),
        lot_size=int(lot.scaleb(quantity_decimals)),
        multiplier=_number(market.get("contractSize")) or Decimal(1),
        minimum_notional=_number(limits.get("min")),
        maker_fee=_number(market.get("maker")),
        taker_fee=_number(market.get("taker")),
    )


def _step(value: Any, mode: int, symbol: str, name: str) -> Decimal:
    """The smallest step of a price or an amount."""
    if value is not None and mode == DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(value))
    step = _number(value) if mode == TICK_SIZE else Decimal(0)
    if step <= 0:
        raise _fault(f"{symbol}: ccxt does not say the step of its {name}", "its numbers cannot be kept exactly")
    return step


def _number(value: Any) -> Decimal:
    """ccxt's numbers are floats made of the venue's text: the shortest text of such a float is that text, to 15 digits."""
    if value is None:
        return Decimal(0)
    found = Decimal(value if isinstance(value, str) else repr(value))
    return (
        found.to_integral_value() if found == found.to_integral_value() else found.normalize()
    )  # 5 for "5.0", not 5E+1 for 50


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _fault(problem: str, hint: str) -> ConfigError:
    return ConfigError(Fault(key="symbols", problem=problem, hint=hint))
