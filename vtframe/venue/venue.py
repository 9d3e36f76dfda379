"""The venue: its instruments, their markets and tapes, and the loop that moves them with its clock."""

from __future__ import annotations

import asyncio

from vtframe.errors import InputError
from vtframe.venue.clock import VenueClock
from vtframe.venue.happening import Engine
from vtframe.venue.hub import Hub
from vtframe.venue.listing import Listing, read_listing
from vtframe.venue.settings import Settings
from vtframe.venue.simulated import SimulatedEngine
from vtframe.venue.stream import routes_with
from vtframe.venue.tape import Tape

_STEP_NS = 10_000_000  # a virtual clock moves in steps, so that instruments go together


class Place:
    """One instrument: what it is, what makes its market, and what publishes it."""

    def __init__(self, listing: Listing, engine: Engine, tape: Tape) -> None:
        self.listing = listing
        self.engine = engine
        self.tape = tape

    def advance(self, now_ns: int) -> None:
        """Bring the market up to ``now_ns``, and publish."""
        self.tape.publish(self.engine.advance(now_ns))
        self.tape.settle(now_ns)


class Venue:
    """Everything that does not know of HTTP."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = VenueClock(speed=settings.speed, virtual=settings.virtual)
        self.hub = Hub()
        self.routes = routes_with(frozenset(settings.trade_routes))
        self.places: dict[tuple[str, str], Place] = {}
        now_ns = self.clock.now_ns()
        for name in settings.instruments:
            listing = read_listing(name)
            key = listing.market, listing.symbol
            if key in self.places:
                raise InputError(f"instrument {name!r}", "listed twice")
            engine = SimulatedEngine(listing, seed=settings.seed, regime=settings.regime, start_ns=now_ns)
            self.places[key] = Place(listing, engine, Tape(listing, self.hub, now_ns=now_ns))
        self.advance()

    def of_market(self, market: str) -> list[Place]:
        return [place for (name, _), place in self.places.items() if name == market]

    def advance(self) -> None:
        """Bring every market up to now, and send what that makes."""
        now_ns = self.clock.now_ns()
        for place in self.places.values():
            place.advance(now_ns)
        self.hub.flush()

    def move(self, by_ns: int) -> None:
        """Move a virtual clock, in steps."""
        while by_ns > 0:
            step = min(by_ns, _STEP_NS)
            self.clock.advance(step)
            self.advance()
            by_ns -= step

    async def run(self) -> None:
        """Move with the clock until canceled; a virtual clock is moved by the control endpoint instead."""
        pace_s = self.settings.pace_ms / 1000
        while not self.clock.virtual:
            self.advance()
            await asyncio.sleep(pace_s)
