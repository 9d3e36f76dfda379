"""Kraken's names and fees as data.

Names: v1 writes XBT and XDG where v2 writes BTC and DOGE (https://docs.kraken.com/exchange/guides/websockets). Fees: spot, the
lowest tier of https://www.kraken.com/features/fee-schedule. A sidecar states what your account pays.
"""

from __future__ import annotations

from decimal import Decimal

from vtframe.domain import Instrument, InstrumentKind

VENUE = "kraken"
MAKER_FEE, TAKER_FEE = Decimal("0.0025"), Decimal("0.004")
_V2_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
_V1_NAMES = {new: old for old, new in _V2_NAMES.items()}


def names(symbol: str) -> tuple[str, ...]:
    """A pair's names in both versions of the protocol, and as it is given."""
    parts = symbol.split("/")
    old = "/".join(_V1_NAMES.get(part, part) for part in parts)
    new = "/".join(_V2_NAMES.get(part, part) for part in parts)
    return tuple(dict.fromkeys((symbol, old, new)))


def make_instrument(
    symbol: str, *, price_decimals: int, quantity_decimals: int, tick: Decimal, lot: Decimal
) -> Instrument | None:
    """A spot pair; None where its symbol does not say what its currencies are."""
    base, _, quote = symbol.partition("/")
    if not base or not quote or "/" in quote:
        return None
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
