"""Instruments as ``GET .../exchangeInfo`` states them, and what differs between two answers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from vtframe.builtin.binance.known import KINDS, MAKER_FEE, TAKER_FEE
from vtframe.builtin.binance.places import Market
from vtframe.domain import Instrument, InstrumentKind, decimals
from vtframe.errors import VtframeError

TRADING = "TRADING"
_ROOMY = Decimal(10) ** 8  # a quantity with 8 decimals that leaves int64 room for sums
_Precision = Annotated[int, Meta(ge=0, le=18)]


class InfoError(VtframeError):
    """An answer that is no exchangeInfo."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument and whether it is traded now (``status`` in the venue's word)."""

    instrument: Instrument
    status: str


class _Symbol(msgspec.Struct, kw_only=True):
    """One symbol; futures have other names for some of these."""

    symbol: str
    status: str = ""
    contractStatus: str = ""  # noqa: N815 - the venue's names; COIN-M's status
    baseAsset: str  # noqa: N815
    quoteAsset: str  # noqa: N815
    marginAsset: str = ""  # noqa: N815 - futures
    contractSize: int = 0  # noqa: N815 - COIN-M
    pricePrecision: _Precision | None = None  # noqa: N815 - futures
    quantityPrecision: _Precision | None = None  # noqa: N815 - futures
    baseAssetPrecision: _Precision = 8  # noqa: N815
    filters: list[dict[str, Any]] = []


class _RateLimit(msgspec.Struct):
    rateLimitType: str = ""  # noqa: N815
    interval: str = ""
    intervalNum: int = 1  # noqa: N815
    limit: int = 0


class _Info(msgspec.Struct):
    symbols: list[msgspec.Raw]
    rateLimits: list[_RateLimit] = []  # noqa: N815


class ExchangeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer states: instruments by symbol, those that it could not be read of with the reason, the weight limit."""

    listed: dict[str, Listed]
    broken: dict[str, str]
    weight_limit: int | None


_INFO = msgspec.json.Decoder(_Info)
_SYMBOL = msgspec.json.Decoder(_Symbol)
_NAME = msgspec.json.Decoder(msgspec.defstruct("_Name", [("symbol", str)]))


def read_info(market: Market, body: bytes, wanted: Iterable[str] | None = None) -> ExchangeInfo:
    """Read an answer; with ``wanted``, only those symbols in full (the others keep their names: ``broken`` is empty for them).

    Raises InfoError where it is none.
    """
    listed: dict[str, Listed] = {}
    broken: dict[str, str] = {}
    chosen = None if wanted is None else set(wanted)
    try:
        info = _INFO.decode(body)
        for raw in info.symbols:
            name = _NAME.decode(raw).symbol  # type: ignore[attr-defined]
            if chosen is not None and name not in chosen:
                broken[name] = ""
                continue
            try:
                listed[name] = _read(market, _SYMBOL.decode(raw))
            except (msgspec.DecodeError, KeyError, ValueError, InvalidOperation, TypeError) as e:
                broken[name] = f"{type(e).__name__}: {e}"
    except (msgspec.DecodeError, RecursionError) as e:
        raise InfoError(f"exchangeInfo cannot be read: {e}") from None
    weights = [
        limit.limit
        for limit in info.rateLimits
        if limit.rateLimitType == "REQUEST_WEIGHT" and limit.interval == "MINUTE" and limit.intervalNum == 1 and limit.limit > 0
    ]
    return ExchangeInfo(listed=listed, broken=broken, weight_limit=min(weights, default=None))


def near(symbol: str, symbols: Iterable[str]) -> str:
    """A hint for a symbol that the venue does not have."""
    found = difflib.get_close_matches(symbol.upper(), list(symbols), n=3, cutoff=0.6)
    return f"did you mean {', '.join(map(repr, found))}?" if found else ""


def differences(before: Mapping[str, Listed], after: ExchangeInfo) -> dict[str, str]:
    """What is not as it was, by symbol, in words: ``tick_size 0.10 -> 0.01``."""
    found = {}
    for symbol, old in before.items():
        new = after.listed.get(symbol)
        if new is None:
            found[symbol] = f"cannot be read any more: {after.broken[symbol]}" if after.broken.get(symbol) else "is not listed"
        elif new != old:
            found[symbol] = ", ".join(_changes(old, new))
    return found


def _changes(old: Listed, new: Listed) -> list[str]:
    said = [f"status {old.status} -> {new.status}"] if old.status != new.status else []
    fields = [name for name in Instrument.__struct_fields__ if getattr(old.instrument, name) != getattr(new.instrument, name)]
    return said + [f"{name} {_text(old.instrument, name)} -> {_text(new.instrument, name)}" for name in fields]


def _text(instrument: Instrument, field: str) -> str:
    if field == "tick_size":
        return f"{instrument.price(instrument.tick_size):f}"
    if field == "lot_size":
        return f"{instrument.quantity(instrument.lot_size):f}"
    return str(getattr(instrument, field))


def _read(market: Market, symbol: _Symbol) -> Listed:
    """Decimals are the venue's precision: orders from before a coarser lot still rest in the book."""
    filters = {str(one.get("filterType")): one for one in symbol.filters}
    tick, lot = Decimal(filters["PRICE_FILTER"]["tickSize"]), Decimal(filters["LOT_SIZE"]["stepSize"])
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    kind = KINDS[market.venue]
    price_decimals, quantity_decimals = symbol.pricePrecision, symbol.quantityPrecision
    if kind is InstrumentKind.SPOT:
        most = Decimal(filters["LOT_SIZE"]["maxQty"])
        price_decimals = decimals(tick)
        quantity_decimals = symbol.baseAssetPrecision if most < _ROOMY else decimals(lot)
    if price_decimals is None or quantity_decimals is None:
        raise ValueError("it states no precision")
    price_decimals, quantity_decimals = max(price_decimals, decimals(tick)), max(quantity_decimals, decimals(lot))
    instrument = Instrument(
        venue=market.venue,
        symbol=symbol.symbol,
        kind=kind,
        base=symbol.baseAsset,
        quote=symbol.quoteAsset,
        settlement=symbol.marginAsset or symbol.quoteAsset,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        tick_size=int(tick.scaleb(price_decimals)),
        lot_size=int(lot.scaleb(quantity_decimals)),
        multiplier=Decimal(symbol.contractSize or 1),
        minimum_notional=Decimal(str(notional.get("minNotional", notional.get("notional", 0)))),
        maker_fee=MAKER_FEE[market.venue],
        taker_fee=TAKER_FEE[market.venue],
    )
    return Listed(instrument=instrument, status=symbol.status or symbol.contractStatus)
