"""Spot balances: free and locked by asset, exact. What an order can cost is locked while it works."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from vtframe.domain import Side
from vtframe.venue.listing import Listing

ZERO = Decimal(0)


class Wallet:
    """Nothing is ever below zero; a trade moves assets and takes its commission from what is received."""

    def __init__(self, balances: Mapping[str, Decimal]) -> None:
        self.free: dict[str, Decimal] = {asset: Decimal(amount) for asset, amount in balances.items()}
        self.locked: dict[str, Decimal] = {}

    def needs(self, listing: Listing, side: Side, price: int, quantity: int) -> tuple[str, Decimal]:
        """What an order of ``quantity`` at ``price`` (or worse for a market order) can take: asset and amount."""
        if side == Side.BUY:
            return listing.quote, listing.notional(price, quantity)
        return listing.base, listing.amount(quantity)

    def lock(self, asset: str, amount: Decimal) -> bool:
        """Set ``amount`` aside; False where there is not so much."""
        free = self.free.get(asset, ZERO)
        if amount > free:
            return False
        self.free[asset] = free - amount
        self.locked[asset] = self.locked.get(asset, ZERO) + amount
        return True

    def release(self, asset: str, amount: Decimal) -> None:
        self.locked[asset] -= amount
        self.free[asset] = self.free.get(asset, ZERO) + amount

    def trade(self, listing: Listing, side: Side, *, price: int, quantity: int, fee: Decimal) -> tuple[str, Decimal]:
        """Pay out of what is free, and receive; the commission's asset and amount."""
        cost, amount = listing.notional(price, quantity), listing.amount(quantity)
        paid, received = ((listing.quote, cost), (listing.base, amount)) if side == Side.BUY else (
            (listing.base, amount), (listing.quote, cost),
        )  # fmt: skip
        commission = (received[1] * fee).quantize(Decimal("1e-8"))
        self.free[paid[0]] = self.free.get(paid[0], ZERO) - paid[1]
        self.free[received[0]] = self.free.get(received[0], ZERO) + received[1] - commission
        return received[0], commission

    def assets(self) -> list[str]:
        return sorted({*self.free, *self.locked})
