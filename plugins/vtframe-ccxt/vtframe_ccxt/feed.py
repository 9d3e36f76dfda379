"""Any venue that ccxt streams: order books and trades by ccxt.pro. Slower than a venue's own codec, and less is proven."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from vtframe.api import ConfigError, ExampleVenue, Fault, Feed, FeedContext, FeedSink, InputError
from vtframe.domain import Instrument, SequenceRule
from vtframe_ccxt.exchange import check_settings, exchange_class, shown, symbols_in
from vtframe_ccxt.follow import Following, Patience
from vtframe_ccxt.market import Digits, instrument_of

_TURN_S = 0.05  # between two looks at whether the session wants to stop


class CcxtFeed(Feed):
    """Books and trades of ``exchange`` (an id of ccxt) for ``symbols`` in ccxt's words (``BTC/USDT``, ``BTC/USDT:USDT``).

    Slower: every update is a picture that is compared with the one before (docs/venues/ccxt.md has what it costs). Sequence
    numbers are checked by ccxt alone, where it does; the venue's messages are not seen: the frames made here are recorded.
    """

    name = "ccxt"

    exchange: str
    symbols: Annotated[tuple[str, ...], Meta(min_length=1, max_length=200)]
    limit: Annotated[int, Meta(ge=1, le=5000)] | None = 100  # levels a side that are delivered; unset: all that ccxt keeps
    depth: Annotated[int, Meta(ge=1, le=5000)] | None = None  # that ccxt is asked for; unset: what it asks for by itself
    trades: bool = True
    settings: dict[str, Any] = {}  # of ccxt's exchange: options, urls, hostname, ...
    digits: dict[str, Digits] = {}
    silence_s: Annotated[float, Meta(gt=0)] = 30.0  # a book that does not change for so long is taken for dead
    open_s: Annotated[float, Meta(gt=0)] = 60.0  # for the list of markets
    first_wait_s: Annotated[float, Meta(gt=0)] = 0.5
    longest_wait_s: Annotated[float, Meta(gt=0)] = 30.0

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        self._class = self._known_class()
        self._clock = context.clock
        context.announce(f"ccxt loads the markets of {self.exchange}")
        with ThreadPoolExecutor(1) as elsewhere:  # a loop of its own, whether or not one runs here
            self._source = elsewhere.submit(asyncio.run, self._load()).result()
        markets: Mapping[str, Any] = self._source.markets
        self._instruments = [self._instrument(markets[symbol]) for symbol in symbols_in(markets, self.symbols)]
        return self._instruments

    def look(self, context: FeedContext) -> Sequence[Instrument]:
        """The exchange and the settings; symbols need a network."""
        self._known_class()
        return ()

    def sequence_rule(self, instrument: int) -> SequenceRule:
        """Frames are made here, one after the other: none can be missing between two of them."""
        return SequenceRule.NONE

    def report(self) -> Mapping[str, Any]:
        following: Following | None = getattr(self, "_following", None)
        return {} if following is None else following.report()

    @classmethod
    def example(cls) -> ExampleVenue:
        from vtframe_ccxt.example_venue import SmallBinance  # noqa: PLC0415 - a server: what only checks and tests need

        return SmallBinance()

    async def run(self, sink: FeedSink) -> None:
        exchange = self._make()
        exchange.set_markets_from_exchange(self._source)
        patience = Patience(silence_s=self.silence_s, first_wait_s=self.first_wait_s, longest_wait_s=self.longest_wait_s)
        following = self._following = Following(exchange, sink, self._clock, self._instruments, patience=patience)
        tasks = [
            asyncio.create_task(following.books(k, symbol, self.limit, self.depth)) for k, symbol in enumerate(self.symbols)
        ]
        if self.trades:
            tasks += [asyncio.create_task(following.trades(k, symbol)) for k, symbol in enumerate(self.symbols)]
        try:
            while not sink.stopping and not any(task.done() for task in tasks):
                await asyncio.wait(tasks, timeout=_TURN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            await exchange.close()
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                raise outcome

    def _known_class(self) -> Any:
        found = exchange_class(self.exchange)
        check_settings(self.settings)
        if self.depth is not None and (self.limit is None or self.depth <= self.limit):
            problem = f"asks ccxt for {self.depth} levels, of which limit delivers {self.limit or 'all'}"
            hint = "ccxt forgets what falls below its depth: let depth be well above limit"
            raise ConfigError(Fault(key="depth", problem=problem, hint=hint))
        strangers = sorted(set(self.digits) - set(self.symbols))
        if strangers:
            problem = f"has digits of {', '.join(strangers)}, which symbols does not name"
            raise ConfigError(Fault(key="digits", problem=problem))
        needed = {"watchOrderBook": "order books", **({"watchTrades": "trades"} if self.trades else {})}
        made = found()
        for ability, words in needed.items():
            if not made.has.get(ability):
                hint = "set trades = false" if ability == "watchTrades" else "choose another exchange"
                raise ConfigError(Fault(key="exchange", problem=f"ccxt streams no {words} of {self.exchange}", hint=hint))
        return found

    def _make(self) -> Any:
        return self._class({"enableRateLimit": True, "newUpdates": True, **self.settings})

    async def _load(self) -> Any:
        """An exchange with its markets, closed again."""
        import ccxt  # noqa: PLC0415 - heavy

        exchange = self._make()
        where = f"ccxt {self.exchange}"
        try:
            async with asyncio.timeout(self.open_s):
                await exchange.load_markets()
        except TimeoutError:
            raise InputError(where, f"no list of markets within {self.open_s:g} s", "is there a network?") from None
        except ccxt.BaseError as e:
            raise InputError(
                where, f"cannot load the markets: {shown(e)}", "is there a network, and may it be reached?"
            ) from None
        finally:
            await exchange.close()
        return exchange

    def _instrument(self, market: Mapping[str, Any]) -> Instrument:
        digits = self.digits.get(str(market["symbol"]), Digits())
        try:
            return instrument_of(market, self.exchange, precision_mode=self._source.precisionMode, digits=digits)
        except (ValueError, msgspec.ValidationError) as e:
            raise ConfigError(Fault(key="symbols", problem=f"{market['symbol']}: {e}")) from None
