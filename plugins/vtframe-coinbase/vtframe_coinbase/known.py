"""Coinbase's fees, and what a product's name says. Fees: the lowest tier of https://www.coinbase.com/advanced-fees."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from vtframe.domain import Instrument, InstrumentKind

VENUE = "coinbase"
MAKER_FEE, TAKER_FEE = Decimal("0.006"), Decimal("0.012")


def make_instrument(
    symbol: str, *, tick: Decimal, lot: Decimal, price_decimals: int, quantity_decimals: int
) -> Instrument | None:
    """A spot product; None for a name of another form (futures are ``BIT-28AUG26-CDE``)."""
    parts = symbol.split("-")
    if len(parts) != 2 or not all(part.isalnum() for part in parts):
        return None
    base, quote = parts
    return Instrument(
        venue=VENUE,
        symbol=symbol,
        kind=InstrumentKind.SPOT,
        base=base,
        quote=quote,
        settlement=quote,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        tick_size=int(tick.scaleb(price_decimals)),
        lot_size=int(lot.scaleb(quantity_decimals)),
        maker_fee=MAKER_FEE,
        taker_fee=TAKER_FEE,
    )


class _Units(NamedTuple):
    tick: str
    lot: str
    price_decimals: int
    quantity_decimals: int


_KNOWN = {
    "BTC-USD": _Units("0.01", "0.00000001", 2, 8),
    "ETH-USD": _Units("0.01", "0.00000001", 2, 8),
}
"""GET /api/v3/brokerage/market/products, August 2026."""


def known_instrument(venue: str, symbol: str) -> Instrument | None:
    """What is known by heart of an instrument; None where nothing is."""
    units = _KNOWN.get(symbol if venue == VENUE else "")
    if units is None:
        return None
    return make_instrument(
        symbol,
        tick=Decimal(units.tick),
        lot=Decimal(units.lot),
        price_decimals=units.price_decimals,
        quantity_decimals=units.quantity_decimals,
    )
