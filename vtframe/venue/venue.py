"""The venue: its instruments, desks and accounts, and the loop that moves them with its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from vtframe.errors import InputError
from vtframe.venue.account import Account, AccountTable
from vtframe.venue.algo import AlgoBook
from vtframe.venue.clock import VenueClock
from vtframe.venue.desk import Desk
from vtframe.venue.faults import Faults
from vtframe.venue.happening import Engine
from vtframe.venue.hub import Hub
from vtframe.venue.listen_keys import ListenKeys
from vtframe.venue.listing import MARKETS, Listing, read_listing, recorded_listing
from vtframe.venue.load import Load, LoadMarket
from vtframe.venue.place import Place
from vtframe.venue.rate_limit import LIMITS, RateLimiter
from vtframe.venue.recorded import RecordedEngine, identify_recordings
from vtframe.venue.settings import Settings
from vtframe.venue.simulated import SimulatedEngine
from vtframe.venue.stream import routes_with
from vtframe.venue.tape import Tape

_STEP_NS = 10_000_000  # a virtual clock moves in steps, so that instruments go together
_MS = 1_000_000


class Venue:
    """Everything that does not know of HTTP."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = VenueClock(speed=settings.speed, virtual=settings.virtual)
        self.faults = Faults(settings.seed)
        self.hub = Hub(self.faults)
        self.routes = routes_with(frozenset(settings.trade_routes))
        self.places: dict[tuple[str, str], Place] = {}
        self.accounts: dict[str, Account] = {}  # by API key
        self.limiters = {market: RateLimiter(market, LIMITS[market]) for market in MARKETS}
        now_ns = self.clock.now_ns()
        self.load: Load | None = None
        if settings.load is not None:
            frames = settings.load_frames // max(1, len(settings.instruments))
            made = [LoadMarket(*one, start_ns=now_ns, frames=frames) for one in self._engines(now_ns)]
            self.load = Load(made, rate=settings.load)
        for listing, engine in self._engines(now_ns):
            key = listing.market, listing.symbol
            if key in self.places:
                raise InputError(f"instrument {listing.name!r}", "listed twice")
            self.places[key] = Place(listing, engine, Tape(listing, self.hub, self.faults, now_ns=now_ns))
        self.desks = {
            market: Desk(market, {place.listing.symbol: place for place in self.of_market(market)})
            for market in ("spot", "usdm")
        }
        self.algos = AlgoBook(self.desks["usdm"])
        self.listen_keys = {"usdm": ListenKeys("usdm", self.hub, settings.seed)}
        for table in settings.accounts:
            self.add_account(table)
        for fault in settings.faults:
            self.faults.add(fault)
        self.advance()
        for place in self.places.values():
            place.still = self.load is not None

    def _engines(self, now_ns: int) -> Iterator[tuple[Listing, Engine]]:
        """Every instrument with what makes its market: the recordings', or the simulated ones."""
        settings = self.settings
        files = identify_recordings(settings.recordings)
        instruments = {one.instrument_id: one for file in files for one in file.instruments}
        for instrument in instruments.values():
            own = [file for file in files if instrument in file.instruments]
            yield recorded_listing(instrument), RecordedEngine(instrument, own, start_ns=now_ns)
        for name in () if files else settings.instruments:
            listing = read_listing(name)
            yield listing, SimulatedEngine(listing, seed=settings.seed, regime=settings.regime, start_ns=now_ns)

    def add_account(self, table: AccountTable) -> Account:
        """Raises InputError where its key or name is taken."""
        taken = [account for account in self.accounts.values() if table.name == account.name]
        if table.api_key in self.accounts or taken:
            raise InputError(f"account {table.name!r}", "its name or API key is another account's")
        account = self.accounts[table.api_key] = Account(table, self.faults.carry)
        return account

    def of_market(self, market: str) -> list[Place]:
        return [place for (name, _), place in self.places.items() if name == market]

    def place(self, market: str, symbol: str) -> Place:
        """Raises InputError for an instrument that is not listed."""
        place = self.places.get((market, symbol))
        if place is None:
            listed = ", ".join(one.listing.name for one in self.places.values())
            raise InputError(f"no instrument {market}:{symbol}", f"there are {listed}")
        return place

    def server_ms(self) -> int:
        """The time that the venue tells, and judges timestamps by: what skews it strikes with each."""
        return self.clock.now_ns() // _MS + self.faults.skew_ms()

    def own_ms(self) -> int:
        """The same, for what it does by itself: its limits, the ages of its keys."""
        return self.clock.now_ns() // _MS + self.faults.skew_ms(used=False)

    def advance(self) -> None:
        """Bring every market up to now, book what that does to orders, and send what it makes."""
        now_ns = self.clock.now_ns()
        for (market, _), place in self.places.items():
            if market in self.desks:
                self.desks[market].bring_up(place, now_ns)
            else:
                place.advance(now_ns)
        self.algos.trigger(now_ns)
        self.strike()
        self.listen_keys["usdm"].expire(now_ns // _MS)
        self.hub.flush()

    def strike(self) -> None:
        """What faults do to connections now."""
        self.faults.strike_sockets(self.hub.connections, self.clock.now_ns() / 1e9)

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
