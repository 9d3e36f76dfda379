"""The control endpoints: the venue's truth, its counters, its clock. They are ours, not Binance's."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from vtframe.errors import InputError
from vtframe.venue.account import AccountTable
from vtframe.venue.book import Levels
from vtframe.venue.fault import Fault
from vtframe.venue.instrument_change import InstrumentChange
from vtframe.venue.listing import Listing
from vtframe.venue.place import Place
from vtframe.venue.recorded import RecordedEngine
from vtframe.venue.venue import Venue


def add_control(application: web.Application, venue: Venue) -> None:
    """Everything under /venue."""
    control = Control(venue)
    application.router.add_get("/venue/truth", control.truth)
    application.router.add_get("/venue/counters", control.counters)
    application.router.add_get("/venue/clock", control.clock)
    application.router.add_post("/venue/clock", control.move)
    application.router.add_get("/venue/faults", control.faults)
    application.router.add_post("/venue/faults", control.add_faults)
    application.router.add_delete("/venue/faults", control.end_faults)
    application.router.add_post("/venue/accounts", control.add_account)
    application.router.add_post("/venue/instruments", control.change_instrument)


class Control:
    """One venue's control endpoints. Bad input is answered with 400 and what is wrong."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def truth(self, request: web.Request) -> web.Response:
        """The venue's own book at ``update_id`` (the latest where none is given)."""
        market, symbol = request.query.get("market", ""), request.query.get("symbol", "")
        place = self._venue.places.get((market, symbol))
        if place is None:
            listed = ", ".join(place.listing.name for place in self._venue.places.values())
            return problem(f"no instrument {market}:{symbol}", f"there are {listed}")
        book = place.tape.book
        text = request.query.get("update_id", str(book.update_id))
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            return problem(f"update_id {text!r} is not a number", "leave it out for the latest")
        load = self._venue.load
        wanted = int(text) if "update_id" in request.query else None
        found = book.at(int(text)) if load is None else load.book_at(market, symbol, wanted)
        if found is None:
            return problem(f"update_id {text} is forgotten", f"the oldest known is {book.oldest_id}", status=410)
        update_id, bids, asks = found
        return answer(
            {
                "update_id": update_id,
                "last_update_id": book.update_id,
                "oldest_update_id": book.oldest_id,
                "bids": _levels(place.listing, bids, reverse=True),
                "asks": _levels(place.listing, asks, reverse=False),
            }
        )

    async def counters(self, request: web.Request) -> web.Response:
        hub = self._venue.hub
        return answer(
            {
                "connections": [
                    one.tally._asdict() | {"streams": one.streams}
                    for one in sorted(hub.connections, key=lambda one: one.number)
                ],
                "ended": [one._asdict() for one in hub.ended],
                "published": hub.published,
                "user_streams": self._user_streams(),
                "slow_dropped": hub.slow,
                "faults": dict(self._venue.faults.counts),
                "orders": {market: desk.accepted for market, desk in self._venue.desks.items()},
                "limited": {market: limiter.refused for market, limiter in self._venue.limiters.items()},
                "instruments": {place.listing.name: _counts(place) for place in self._venue.places.values()},
            }
        )

    async def clock(self, request: web.Request) -> web.Response:
        clock = self._venue.clock
        return answer({"now_ns": clock.now_ns(), "virtual": clock.virtual, "speed": clock.speed})

    async def move(self, request: web.Request) -> web.Response:
        """POST {"advance_ms": n}: move a virtual clock, and everything with it."""
        try:
            wish = msgspec.json.decode(await request.read(), type=_Move)
        except msgspec.DecodeError as e:
            return problem(str(e), 'send {"advance_ms": 100}')
        if not self._venue.clock.virtual:
            return problem("the clock runs by itself", "start the venue with --clock virtual to move it", status=409)
        self._venue.move(round(wish.advance_ms * 1_000_000))
        return await self.clock(request)

    def _user_streams(self) -> dict[str, int]:
        """Who hears of accounts: subscriptions of spot, connections on a listen key of USD-M."""
        accounts = self._venue.accounts.values()
        keys = [key for account in accounts for key in account.listeners["usdm"] if isinstance(key, str)]
        return {
            "spot": sum(len(account.listeners["spot"]) for account in accounts),
            "usdm": sum(len(self._venue.hub.subscribers("usdm", key)) for key in keys),
        }

    async def faults(self, request: web.Request) -> web.Response:
        return answer([active.describe() for active in self._venue.faults.active])

    async def add_faults(self, request: web.Request) -> web.Response:
        """POST one fault as [[faults]] has it, or a list of them."""
        try:
            wishes = msgspec.json.decode(await request.read(), type=list[Fault] | Fault)
        except msgspec.DecodeError as e:
            return problem(str(e), 'send {"kind": "drop", "share": 0.01}')
        faults = wishes if isinstance(wishes, list) else [wishes]
        active = [self._venue.faults.add(fault) for fault in faults]
        self._venue.strike()
        return answer([one.describe() for one in active])

    async def end_faults(self, request: web.Request) -> web.Response:
        """DELETE one by ``id``, or all."""
        text = request.query.get("id", "")
        if text and not text.isdecimal():
            return problem(f"id {text!r} is not a number", "leave it out to end every fault")
        return answer({"ended": self._venue.faults.end(int(text) if text else None)})

    async def add_account(self, request: web.Request) -> web.Response:
        """POST an account as [[accounts]] has it: name, api_key, secret or public_key, balances."""
        try:
            account = self._venue.add_account(msgspec.json.decode(await request.read(), type=AccountTable))
        except (msgspec.DecodeError, InputError) as e:
            return problem(str(e), 'send {"name": ..., "api_key": ..., "secret": ...}')
        return answer({"name": account.name, "api_key": account.api_key})

    async def change_instrument(self, request: web.Request) -> web.Response:
        """POST {"market": "usdm", "symbol": "BTCUSDT", "status": "BREAK"}, or a "tick", or both."""
        try:
            change = msgspec.json.decode(await request.read(), type=InstrumentChange)
            place = self._venue.place(change.market, change.symbol)
            place.listing = change.of(place.listing)
        except (msgspec.DecodeError, InputError) as e:
            return problem(str(e), 'send {"market": "usdm", "symbol": "BTCUSDT", "status": "BREAK", "tick": "0.50"}')
        tick = place.listing.price.text(place.listing.tick)
        return answer({"instrument": place.listing.name, "status": place.listing.status, "tick": tick})


class _Move(msgspec.Struct, forbid_unknown_fields=True):
    advance_ms: float

    def __post_init__(self) -> None:
        if not 0 <= self.advance_ms <= 3_600_000:
            raise ValueError("advance_ms must be within 0 and one hour")


def answer(body: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def problem(what: str, hint: str, *, status: int = 400) -> web.Response:
    return answer({"problem": what, "hint": hint}, status=status)


def _levels(listing: Listing, levels: Levels, *, reverse: bool) -> list[tuple[str, str]]:
    return [(listing.price.text(price), listing.quantity.text(levels[price])) for price in sorted(levels, reverse=reverse)]


def _counts(place: Place) -> dict[str, object]:
    counts: dict[str, object] = {"update_id": place.tape.book.update_id, "trades": place.tape.trades}
    if isinstance(place.engine, RecordedEngine):
        counts |= {"ended": place.engine.ended, "damaged": place.engine.damaged}
    return counts
