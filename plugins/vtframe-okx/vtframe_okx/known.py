"""OKX's contracts and fees, and what an instrument's name says.

``BASE-QUOTE`` is spot, ``BASE-QUOTE-SWAP`` a perpetual, ``BASE-QUOTE-YYMMDD`` a dated future. Contracts on USD are inverse:
100 USD for BTC, 10 USD for all others. Contracts on USDT or USDC are linear; how much of the base one is worth differs from
one to the next: a few are known (``ctVal`` of GET /api/v5/public/instruments). Fees: regular user, level 1, of
https://www.okx.com/fees.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from vtframe.domain import Instrument, InstrumentKind

VENUE = "okx"
SPOT_FEES = (Decimal("0.0008"), Decimal("0.001"))  # maker, taker
CONTRACT_FEES = (Decimal("0.0002"), Decimal("0.0005"))

_NAME = re.compile(r"([A-Z0-9]+)-([A-Z0-9]+)(?:-(SWAP|[0-9]{6}))?")
_LINEAR = {"BTC": Decimal("0.01"), "ETH": Decimal("0.1"), "SOL": Decimal(1), "XRP": Decimal(100), "DOGE": Decimal(1000)}


def make_instrument(
    symbol: str, *, tick: Decimal, lot: Decimal, price_decimals: int, quantity_decimals: int
) -> Instrument | None:
    """None for options, and for contracts whose worth is not known."""
    named = _NAME.fullmatch(symbol)
    if named is None:
        return None
    base, quote, term = named.groups()
    kind, multiplier, (maker, taker) = InstrumentKind.SPOT, Decimal(1), SPOT_FEES
    if term is not None:
        maker, taker = CONTRACT_FEES
        kind = InstrumentKind.INVERSE if quote == "USD" else InstrumentKind.LINEAR
        worth = Decimal(100 if base == "BTC" else 10) if quote == "USD" else _LINEAR.get(base)
        if worth is None:
            return None
        multiplier = worth
    return Instrument(
        venue=VENUE,
        symbol=symbol,
        kind=kind,
        base=base,
        quote=quote,
        settlement=base if kind is InstrumentKind.INVERSE else quote,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        tick_size=int(tick.scaleb(price_decimals)),
        lot_size=int(lot.scaleb(quantity_decimals)),
        multiplier=multiplier,
        maker_fee=maker,
        taker_fee=taker,
    )


class _Units(NamedTuple):
    tick: str
    lot: str
    price_decimals: int
    quantity_decimals: int


_KNOWN = {
    "BTC-USDT": _Units("0.1", "0.00000001", 1, 8),
    "ETH-USDT": _Units("0.01", "0.000001", 2, 6),
    "BTC-USD-SWAP": _Units("0.1", "1", 1, 0),
}
"""GET /api/v5/public/instruments."""


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
