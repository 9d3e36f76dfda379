"""What the account holds before the first order, and what of it forbids to trade. Recovery of it is not this module's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from vtframe.builtin.binance.execution.hosts import Market
from vtframe.builtin.binance.execution.rest import Rest


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """As read at the start. Amounts by asset (free and locked together), signed positions by symbol; none of them 0."""

    can_trade: bool
    balances: dict[str, Decimal]
    positions: dict[str, Decimal] = {}
    hedges: bool = False  # USD-M: long and short positions are kept apart
    open_orders: dict[str, int] = {}  # of the symbols that are to be traded

    def problems(self, *, existing: str) -> list[str]:
        """Why nothing can be traded, in words."""
        told = []
        if not self.can_trade:
            told.append("the account, or its key, may not trade")
        if self.hedges:
            told.append("the account is in hedge mode, and orders are sent for one-way mode: change its position mode")
        if existing == "refuse":
            if self.open_orders:
                names = ", ".join(f"{count} in {symbol}" for symbol, count in self.open_orders.items())
                told.append(f'orders are open already ({names}): cancel them, or set existing = "ignore"')
            if self.positions:
                names = ", ".join(f"{held:f} {symbol}" for symbol, held in self.positions.items())
                told.append(f'positions are open already ({names}): close them, or set existing = "ignore"')
        return told


async def read_account(rest: Rest, market: Market, symbols: Collection[str]) -> Account:
    """Ask for it. Raises VenueError or TransportError."""
    raw = await rest.account()
    orders = {symbol: len(found) for symbol in symbols if (found := await rest.open_orders(symbol))}
    if market == "spot":
        held = {row.get("asset", ""): _amount(row, "free") + _amount(row, "locked") for row in _rows(raw, "balances")}
        return Account(can_trade=bool(raw.get("canTrade", True)), balances=_some(held), open_orders=orders)
    wallet = {row.get("asset", ""): _amount(row, "walletBalance") for row in _rows(raw, "assets")}
    positions = {row["symbol"]: _amount(row, "positionAmt") for row in _rows(raw, "positions") if row.get("symbol") in symbols}
    return Account(
        can_trade=bool(raw.get("canTrade", True)),
        balances=_some(wallet),
        positions=_some(positions),
        hedges=await rest.hedges(),
        open_orders=orders,
    )


def _rows(raw: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = raw.get(name, [])
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _amount(row: Mapping[str, Any], name: str) -> Decimal:
    try:
        return Decimal(str(row.get(name, "0")))
    except InvalidOperation:
        return Decimal(0)


def _some(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: amount for name, amount in amounts.items() if amount}
