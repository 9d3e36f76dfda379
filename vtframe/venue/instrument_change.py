"""A change of one instrument while the venue runs: its status, its tick. What is in the book already stays there."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from vtframe.errors import InputError
from vtframe.venue.listing import Listing

_Word = Annotated[str, Meta(pattern=r"^[A-Z_]{1,32}$")]
_Price = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]


class InstrumentChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As the control endpoint takes it; what is left out stays as it is."""

    market: str
    symbol: str
    status: _Word = ""  # in the venue's word: TRADING, BREAK, HALT, SETTLING, ...
    tick: _Price = ""

    def of(self, listing: Listing) -> Listing:
        """``listing`` with the change. Raises InputError for a tick that its prices cannot be written in."""
        status, tick = self.status or listing.status, listing.tick
        if self.tick:
            step = Decimal(listing.price.step).scaleb(-listing.price.decimals)
            steps, rest = divmod(Decimal(self.tick), step)
            if rest or not steps:
                raise InputError(f"tick {self.tick}", f"is no multiple of {step}, in which {listing.name} is quoted")
            tick = int(steps)
        return msgspec.structs.replace(listing, status=status, tick=tick)
