"""Binance as it is now: spot, USD-M and COIN-M, from the exchange, its testnet, or an embedded venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from vtframe.api import Codec, ConfigError, Fault, Feed, FeedContext, FeedSink
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.instrument_cache import InstrumentCache, cache_folder
from vtframe.builtin.binance.instruments import load_instruments
from vtframe.builtin.binance.keeper import Times
from vtframe.builtin.binance.live import LiveMarket
from vtframe.builtin.binance.live_settings import Settings
from vtframe.builtin.binance.places import MARKETS, Kind, Market, find_place
from vtframe.builtin.binance.silence import SilenceTimes
from vtframe.builtin.binance.streams import Wanted, make_streams
from vtframe.builtin.binance.weights import weights_at
from vtframe.domain import Instrument
from vtframe.errors import nearest

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_KINDS: tuple[Kind, ...] = ("depth", "trade", "aggTrade", "bookTicker", "markPrice")


class BinanceFeed(Feed):
    """Books that are right or say that they are not: diffs joined to a snapshot, every loss an event that makes rows invalid
    until the book is whole again (docs/venues/binance.md).

    ``url`` is "live", "testnet", or the base URL of an embedded venue, which ``vtframe run --venue-url`` sets.
    """

    name: ClassVar[str] = "binance"

    instruments: Annotated[tuple[str, ...], Meta(min_length=1, description="symbols, as the venue writes them")]
    market: Literal["spot", "usdm", "coinm"] = "spot"
    url: str = "live"
    streams: Annotated[tuple[Kind, ...], Meta(min_length=1, description="of each instrument; depth is always one")] = (
        "depth",
        "trade",
        "bookTicker",
    )
    depth_ms: Annotated[int, Meta(ge=0, description="speed of diffs; unset: the market's fastest")] | None = None
    routes: Annotated[dict[Kind, str], Meta(description="kinds of streams that are on another route than we know")] = {}
    snapshot_levels: Annotated[int, Meta(ge=5, le=5000, description="a side, of snapshots")] = 1000
    transport: Literal["websockets", "picows"] = "websockets"
    redundant: Annotated[bool, Meta(description="every connection twice: the first copy of a message wins")] = False
    silence_s: Annotated[Seconds, Meta(description="a depth stream that says nothing for so long is stale")] = 10.0
    quiet_s: Annotated[
        Seconds, Meta(description="the connection of another stream that says nothing for so long is replaced")
    ] = 60.0
    first_s: Annotated[Seconds, Meta(description="an acknowledged stream that says nothing for so long is told")] = 15.0
    connect_s: Annotated[Seconds, Meta(description="to connect and have every stream acknowledged")] = 10.0
    reconnect_s: Annotated[Seconds, Meta(description="before the next attempt; twice as long after each")] = 0.25
    reconnect_most_s: Seconds = 30.0
    renew_s: Annotated[Seconds, Meta(description="a connection is replaced before it is so old")] = 82_800.0
    overlap_s: Annotated[Seconds, Meta(description="that both run then, at most")] = 10.0
    request_s: Annotated[Seconds, Meta(description="that a REST answer may take")] = 5.0
    snapshot_retry_s: Annotated[Seconds, Meta(description="before a snapshot is asked for again; twice as long after each")] = (
        0.1
    )
    snapshot_retry_most_s: Seconds = 10.0
    refresh_s: Annotated[Seconds, Meta(description="between two looks at the instruments")] = 600.0
    receive_buffer: Annotated[int, Meta(ge=0, le=1 << 30, description="bytes of each socket")] = 4 << 20
    cache: Annotated[str, Meta(description="folder for instruments; unset: the user's cache")] = ""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1, description="of what is random in waiting")] | None = None
    duration_s: Annotated[float, Meta(gt=0, description="after which it ends; unset: when the session is stopped")] | None = (
        None
    )

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        self._check()
        market = MARKETS[self.market]
        place = find_place(self.url, self.market)
        weights = weights_at(place.rest, market, context.clock)
        loaded = load_instruments(
            market,
            place.rest,
            self.instruments,
            weights=weights,
            cache=InstrumentCache(self._cache_folder(context, place.rest), place.rest),
            clock=context.clock,
            timeout_s=max(self.request_s, 10.0),
            announce=context.announce,
        )
        weights.limit = loaded.weight_limit
        instruments = [loaded.listed[symbol].instrument for symbol in self.instruments]
        wanted = Wanted(kinds=self._kinds(), depth_ms=self._speed(market), routes=market.routes | dict(self.routes))
        self._live = LiveMarket(
            market,
            place,
            instruments,
            make_streams(market, instruments, wanted),
            settings=self._settings(),
            clock=context.clock,
            generator=np.random.default_rng(self.seed),
            listed=loaded.listed,
            weights=weights,
        )
        return instruments

    def look(self, context: FeedContext) -> Sequence[Instrument]:
        """What was heard of the instruments last, or is known by heart; nobody is asked."""
        self._check()
        market, place = MARKETS[self.market], find_place(self.url, self.market)
        kept = InstrumentCache(self._cache_folder(context, place.rest), place.rest).read()
        found = []
        for symbol in self.instruments:
            listed = None if kept is None else kept.listed.get(symbol)
            instrument = listed.instrument if listed is not None else BinanceCodec.known_instrument(market.venue, symbol)
            if instrument is None:
                return ()
            found.append(instrument)
        return found

    def codec(self) -> Codec:
        aggregate = "aggTrade" in self.streams and "trade" not in self.streams
        return BinanceCodec(trades="aggTrade" if aggregate else "trade")

    async def run(self, sink: FeedSink) -> None:
        await self._live.run(sink)

    def report(self) -> Mapping[str, Any]:
        return self._live.report()

    def mended(self) -> list[tuple[int, int]]:
        """Of the gaps that one snapshot mended, the newest: ns to the live book, and of the snapshot's round trip."""
        return [one for resync in self._live.resyncs for one in resync.mended]

    def _kinds(self) -> tuple[Kind, ...]:
        return tuple(kind for kind in _KINDS if kind in self.streams or kind == "depth")

    def _speed(self, market: Market) -> int:
        return market.depth_ms[0] if self.depth_ms is None else self.depth_ms

    def _cache_folder(self, context: FeedContext, root: str) -> Path | None:
        return context.folder / Path(self.cache).expanduser() if self.cache else cache_folder(root)

    def _settings(self) -> Settings:
        return Settings(
            library=self.transport,
            redundant=self.redundant,
            levels=self.snapshot_levels,
            receive_buffer=self.receive_buffer,
            times=Times(
                connect=self.connect_s,
                reconnect=self.reconnect_s,
                reconnect_most=self.reconnect_most_s,
                renew=self.renew_s,
                overlap=self.overlap_s,
            ),
            silence=SilenceTimes(depth=self.silence_s, others=self.quiet_s, first=self.first_s),
            request=self.request_s,
            duration=self.duration_s,
            refresh=self.refresh_s,
            snapshot_first=self.snapshot_retry_s,
            snapshot_most=self.snapshot_retry_most_s,
        )

    def _check(self) -> None:
        """What one key alone cannot say. Raises ConfigError with every fault."""
        market = MARKETS[self.market]
        twice = sorted({symbol for symbol in self.instruments if self.instruments.count(symbol) > 1})
        faults = [Fault(key="instruments", problem=f"{symbol!r} is named twice") for symbol in twice]
        for kind in self._kinds():
            if kind not in market.routes:
                hint = f"it has {', '.join(market.routes)}"
                faults.append(Fault(key="streams", problem=f"{self.market} has no stream {kind!r}", hint=hint))
        routes = set(market.routes.values())
        for kind, route in self.routes.items():
            if route not in routes:
                hint = nearest(route, routes) or f"it has {', '.join(sorted(routes))}"
                faults.append(Fault(key="routes", problem=f"{kind}: {self.market} has no route {route!r}", hint=hint))
        if self._speed(market) not in market.depth_ms:
            problem = f"found {self.depth_ms}, {self.market} has {', '.join(map(str, market.depth_ms))}"
            faults.append(Fault(key="depth_ms", problem=problem))
        if self.snapshot_levels not in market.snapshot_levels:
            problem = f"found {self.snapshot_levels}, {self.market} has {', '.join(map(str, market.snapshot_levels[-7:]))}"
            faults.append(Fault(key="snapshot_levels", problem=problem))
        if faults:
            raise ConfigError(*faults)
