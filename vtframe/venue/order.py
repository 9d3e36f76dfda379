"""One order on the venue's side, from acceptance to its end."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from vtframe.domain import Side
from vtframe.venue.account import Account
from vtframe.venue.listing import Listing

OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})


class Fill(msgspec.Struct, frozen=True):
    """One execution of an order."""

    trade_id: int
    price: int
    quantity: int
    maker: bool
    commission: Decimal
    commission_asset: str
    profit: Decimal  # realized, futures only
    time_ms: int


class Order(msgspec.Struct, kw_only=True, eq=False):
    """Prices are ticks, quantities lots. ``number`` is the matching engine's."""

    order_id: int
    client_order_id: str
    account: Account
    listing: Listing
    side: Side
    kind: str  # LIMIT, LIMIT_MAKER, MARKET
    time_in_force: str
    price: int
    quantity: int
    quote_quantity: Decimal
    reduce_only: bool
    created_ms: int
    updated_ms: int
    number: int = 0
    status: str = "NEW"
    filled: int = 0
    quote_filled: Decimal = Decimal(0)
    locked: Decimal = Decimal(0)  # of the wallet, for what still works
    locked_asset: str = ""
    fills: list[Fill] = []
    cancel_id: str = ""  # of the request that canceled it
    algo_id: int = 0  # the conditional order that it came from
    position_side: str = "BOTH"

    @property
    def leaves(self) -> int:
        return self.quantity - self.filled

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def average(self) -> Decimal:
        """Average price of its fills; 0 before the first."""
        return self.quote_filled / self.listing.amount(self.filled) if self.filled else Decimal(0)
