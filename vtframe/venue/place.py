"""One instrument of the venue: what it is, what makes its market, and what publishes it."""

from __future__ import annotations

from decimal import Decimal

from vtframe.venue.happening import Engine
from vtframe.venue.listing import Listing
from vtframe.venue.tape import Tape


class Place:
    """Joins an engine and a tape."""

    def __init__(self, listing: Listing, engine: Engine, tape: Tape) -> None:
        self.listing = listing
        self.engine = engine
        self.tape = tape
        self.still = False  # under load, what is sent is made already

    def advance(self, now_ns: int) -> None:
        """Bring the market up to ``now_ns``, and publish."""
        if self.still:
            return
        self.tape.publish(self.engine.advance(now_ns))
        self.tape.settle(now_ns)

    @property
    def mark_price(self) -> Decimal:
        """As the venue prints it: eight digits."""
        return Decimal(f"{self.tape.mark.price:.8f}")
