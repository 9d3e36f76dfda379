"""Bybit's markets and fees, and what a symbol says.

Spot and linear contracts share symbols (BTCUSDT), so that each market is a venue of its own.
Fees: the lowest tier of https://www.bybit.com/en/help-center/article/Trading-Fee-Structure.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from vtframe.domain import Instrument, InstrumentKind

SPOT, LINEAR, INVERSE = "bybit_spot", "bybit_linear", "bybit_inverse"
VENUES = (SPOT, LINEAR, INVERSE)
KINDS = {SPOT: InstrumentKind.SPOT, LINEAR: InstrumentKind.LINEAR, INVERSE: InstrumentKind.INVERSE}
MAKER_FEE = {SPOT: Decimal("0.001"), LINEAR: Decimal("0.0002"), INVERSE: Decimal("0.0002")}
TAKER_FEE = {SPOT: Decimal("0.001"), LINEAR: Decimal("0.00055"), INVERSE: Decimal("0.00055")}

_QUOTES = ("USDT", "USDC", "USDE", "BTC", "ETH", "EUR", "BRL", "TRY")


def contract_market(symbol: str) -> str:
    """Of a contract: inverse ones are on USD (BTCUSD, BTCUSDH26), linear ones on USDT and USDC (BTCUSDT, BTCPERP)."""
    base = symbol.partition("USD")[0]
    rest = symbol.removeprefix(base + "USD")
    return INVERSE if base != symbol and rest[:1] not in {"T", "C", "E"} else LINEAR


def make_instrument(
    venue: str, symbol: str, *, tick: Decimal, lot: Decimal, price_decimals: int, quantity_decimals: int
) -> Instrument | None:
    """None where the symbol does not say what its currencies are. Linear contracts are on 1 of base, inverse ones on 1 USD."""
    if venue == INVERSE:
        base, quote = symbol.partition("USD")[0], "USD"
    elif symbol.endswith("PERP"):
        base, quote = symbol.removesuffix("PERP"), "USDC"
    else:
        name = symbol.partition("-")[0]
        quote = next((quote for quote in _QUOTES if name.endswith(quote) and name != quote), "")
        base = name.removesuffix(quote)
    if not base or not quote:
        return None
    return Instrument(
        venue=venue,
        symbol=symbol,
        kind=KINDS[venue],
        base=base,
        quote=quote,
        settlement=base if venue == INVERSE else quote,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        tick_size=int(tick.scaleb(price_decimals)),
        lot_size=int(lot.scaleb(quantity_decimals)),
        maker_fee=MAKER_FEE[venue],
        taker_fee=TAKER_FEE[venue],
    )


class _Units(NamedTuple):
    tick: str
    lot: str
    price_decimals: int
    quantity_decimals: int


_KNOWN = {
    (LINEAR, "BTCUSDT"): _Units("0.1", "0.001", 2, 3),
    (LINEAR, "ETHUSDT"): _Units("0.01", "0.01", 2, 2),
    (LINEAR, "SOLUSDT"): _Units("0.01", "0.1", 3, 1),
    (LINEAR, "DOGEUSDT"): _Units("0.00001", "1", 5, 0),
    (SPOT, "BTCUSDT"): _Units("0.1", "0.000001", 1, 6),
    (SPOT, "ETHUSDT"): _Units("0.01", "0.00001", 2, 5),
}
"""GET /v5/market/instruments-info, August 2026."""


def known_instrument(venue: str, symbol: str) -> Instrument | None:
    """What is known by heart of an instrument; None where nothing is."""
    units = _KNOWN.get((venue, symbol))
    if units is None:
        return None
    return make_instrument(
        venue,
        symbol,
        tick=Decimal(units.tick),
        lot=Decimal(units.lot),
        price_decimals=units.price_decimals,
        quantity_decimals=units.quantity_decimals,
    )
