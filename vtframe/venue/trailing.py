"""A trailing stop: where it begins to follow the price, how far behind, and when the price has come back that far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from vtframe.domain import Side
from vtframe.venue.listing import Listing
from vtframe.venue.order_request import read_price
from vtframe.venue.refusal import Refusal, missing

KIND: Final = "TRAILING_STOP_MARKET"
_RATE: Final = re.compile(r"[0-9]{1,2}(\.[0-9])?0*", re.ASCII)  # tenths of a percent
_LEAST, _MOST = Decimal("0.1"), Decimal(10)


class Trail(msgspec.Struct, kw_only=True):
    """Of one order. A sale follows the highest price and is due ``callback`` percent below it, a purchase the lowest. Both
    begin where the price has come to ``activation`` (0: at once)."""

    side: Side
    callback: str  # percent, as it was sent
    activation: int  # ticks
    begins: Decimal  # the price of that
    extreme: Decimal | None = None  # since it began

    def sees(self, price: Decimal) -> bool:
        """The next price; whether the order is due at it."""
        buys = self.side == Side.BUY
        if self.extreme is None:
            if self.activation and (price > self.begins if buys else price < self.begins):
                return False
            self.extreme = price
        self.extreme = min(self.extreme, price) if buys else max(self.extreme, price)
        share = Decimal(self.callback) / 100
        return price >= self.extreme * (1 + share) if buys else price <= self.extreme * (1 - share)


def read_trail(listing: Listing, parameters: Mapping[str, str], side: Side, price: Decimal) -> Trail:
    """What a request asks for while the price is ``price``. Raises Refusal."""
    callback = parameters.get("callbackRate", "")
    if not callback:
        raise missing("callbackRate")
    if _RATE.fullmatch(callback) is None or not _LEAST <= Decimal(callback) <= _MOST:
        raise Refusal(-2007, "Invalid callBack rate.")
    activation = read_price(listing, parameters, "activatePrice") if parameters.get("activatePrice") else 0
    begins = listing.price_of(activation)
    if activation and (begins >= price if side == Side.BUY else begins <= price):
        raise Refusal(-2021, "Order would immediately trigger.")
    trail = Trail(side=side, callback=callback, activation=activation, begins=begins)
    trail.sees(price)
    return trail
