"""Binance's units as data: a few instruments by heart, quote assets, standard fees. Checked against the digits received.

Tick and lot sizes, contract sizes and minimum notionals are those of ``GET /api/v3/exchangeInfo``, ``/fapi/v1/exchangeInfo``
and ``/dapi/v1/exchangeInfo``; fees those of https://www.binance.com/en/fee/schedule for a regular user (VIP 0), without the
BNB discount. A venue changes them: a sidecar states what holds for one recording.

Decimals are the venue's precision, not the lot's or the tick's: orders that were placed before a lot or tick size was made
coarser still rest in the book (spot BTCUSDT of 2024: 25.426189 BTC, with a lot of 0.00001), and must be read exactly.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from vtframe.domain import Instrument, InstrumentKind

SPOT, USDM, COINM = "binance_spot", "binance_usdm", "binance_coinm"

KINDS = {SPOT: InstrumentKind.SPOT, USDM: InstrumentKind.LINEAR, COINM: InstrumentKind.INVERSE}
MAKER_FEE = {SPOT: Decimal("0.001"), USDM: Decimal("0.0002"), COINM: Decimal("0.0002")}
TAKER_FEE = {SPOT: Decimal("0.001"), USDM: Decimal("0.0005"), COINM: Decimal("0.0005")}

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL", "JPY")  # longest match first
_COIN = re.compile(r"([A-Z0-9]+)USD_(?:PERP|[0-9]{6})")
_DATED = re.compile(r"_[0-9]{6}$")


class _Units(NamedTuple):
    tick: str
    lot: str
    minimum_notional: str
    price_decimals: int
    quantity_decimals: int


_KNOWN = {
    (SPOT, "BTCUSDT"): _Units("0.01", "0.00001", "5", 2, 8),
    (SPOT, "ETHUSDT"): _Units("0.01", "0.0001", "5", 2, 8),
    (USDM, "BTCUSDT"): _Units("0.1", "0.001", "100", 2, 3),
    (USDM, "ETHUSDT"): _Units("0.01", "0.001", "20", 2, 3),
    (COINM, "BTCUSD_PERP"): _Units("0.1", "1", "0", 1, 0),
    (COINM, "ETHUSD_PERP"): _Units("0.01", "1", "0", 2, 0),
}


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
        minimum_notional=Decimal(units.minimum_notional),
    )


def make_instrument(
    venue: str,
    symbol: str,
    *,
    tick: Decimal,
    lot: Decimal,
    price_decimals: int,
    quantity_decimals: int,
    minimum_notional: Decimal = Decimal(0),
) -> Instrument | None:
    """The instrument with these units; None where its symbol does not say what its currencies are."""
    assets = _assets(venue, symbol)
    if assets is None:
        return None
    base, quote = assets
    multiplier = Decimal(1) if venue != COINM else Decimal(100 if base == "BTC" else 10)
    return Instrument(
        venue=venue,
        symbol=symbol,
        kind=KINDS[venue],
        base=base,
        quote=quote,
        settlement=base if venue == COINM else quote,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        tick_size=int(tick.scaleb(price_decimals)),
        lot_size=int(lot.scaleb(quantity_decimals)),
        multiplier=multiplier,
        minimum_notional=minimum_notional,
        maker_fee=MAKER_FEE[venue],
        taker_fee=TAKER_FEE[venue],
    )


def futures_market(symbol: str) -> str:
    """USD-M or COIN-M, which a symbol tells: only COIN-M's end in USD_PERP or USD_ and a date."""
    return COINM if _COIN.fullmatch(symbol) else USDM


def _assets(venue: str, symbol: str) -> tuple[str, str] | None:
    """Base and quote currency."""
    if venue == COINM:
        coin = _COIN.fullmatch(symbol)
        return (coin[1], "USD") if coin else None
    pair = _DATED.sub("", symbol) if venue == USDM else symbol
    for quote in sorted(_QUOTES, key=len, reverse=True):
        if pair.endswith(quote) and len(pair) > len(quote):
            return pair.removesuffix(quote), quote
    return None
