"""USD-M money: wallet balances and positions in one-way mode, cross margin, exact."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from vtframe.domain import Side
from vtframe.venue.listing import Listing

ZERO = Decimal(0)


class Position:
    """One instrument's position: signed lots, and what they cost (signed, in the margin asset)."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.lots = 0
        self.cost = ZERO
        self.realized = ZERO

    @property
    def entry(self) -> Decimal:
        """Average price of what is held; 0 when flat."""
        return self.cost / self.listing.amount(self.lots) if self.lots else ZERO

    def trade(self, side: Side, price: int, quantity: int) -> Decimal:
        """Take a fill; returns the profit that it realizes."""
        signed = int(side) * quantity
        profit = ZERO
        if self.lots * signed < 0:
            closing = min(abs(self.lots), quantity)
            share = self.cost * closing / abs(self.lots)
            profit = (self.listing.notional(price, closing) - abs(share)) * (1 if self.lots > 0 else -1)
            self.cost -= share
            self.lots += int(side) * closing
            signed -= int(side) * closing
        if signed:
            self.lots += signed
            self.cost += int(side) * self.listing.notional(price, abs(signed))
        if not self.lots:
            self.cost = ZERO  # a share rounds in the 28th digit
        self.realized += profit
        return profit

    def unrealized(self, price: Decimal) -> Decimal:
        return self.listing.amount(self.lots) * price - self.cost


class Margin:
    """Balances and positions of one account."""

    def __init__(self, balances: Mapping[str, Decimal], *, leverage: int) -> None:
        self.balances: dict[str, Decimal] = {asset: Decimal(amount) for asset, amount in balances.items()}
        self.positions: dict[str, Position] = {}
        self.leverage = leverage

    def position(self, listing: Listing) -> Position:
        if listing.symbol not in self.positions:
            self.positions[listing.symbol] = Position(listing)
        return self.positions[listing.symbol]

    def trade(self, listing: Listing, side: Side, *, price: int, quantity: int, fee: Decimal) -> tuple[Decimal, Decimal]:
        """Take a fill; the commission and the realized profit, both booked."""
        commission = (listing.notional(price, quantity) * fee).quantize(Decimal("1e-8"))
        profit = self.position(listing).trade(side, price, quantity)
        self.balances[listing.margin] = self.balances.get(listing.margin, ZERO) + profit - commission
        return commission, profit
