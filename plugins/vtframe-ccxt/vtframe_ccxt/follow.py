"""Follows books and trades through ccxt's calls, and tells the sink what came, what was lost, and what is down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from vtframe.api import Clock, DecodeError, FeedSink, InputError, lost
from vtframe.domain import Instrument, Records
from vtframe_ccxt.book import ShownBook
from vtframe_ccxt.exchange import shown
from vtframe_ccxt.trades import append_trades

_JITTER = 0.25
_CONNECT_S = 10.0  # for a connection, a subscription and the first picture


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds."""

    silence_s: float
    first_wait_s: float
    longest_wait_s: float


class Following:
    """One exchange's connection, as far as ccxt shows it: up while something comes, down when a call fails for the network."""

    def __init__(
        self, exchange: Any, sink: FeedSink, clock: Clock, instruments: Sequence[Instrument], *, patience: Patience
    ) -> None:
        import ccxt  # noqa: PLC0415 - heavy, and there by now

        self._ccxt = ccxt
        self._exchange = exchange
        self._sink = sink
        self._clock = clock
        self._instruments = tuple(instruments)
        self._patience = patience
        self._random = np.random.default_rng()
        self._records = Records()
        self._books: dict[int, ShownBook] = {}
        self._up: bool | None = None  # None: nothing told yet
        self._latest = 0
        self.trades_seen = 0
        self.reconnects = 0

    def report(self) -> dict[str, Any]:
        """Numbers for the session's report."""
        return {
            "exchange": self._exchange.id,
            "ccxt": self._ccxt.__version__,
            "reconnects": self.reconnects,
            "trades": self.trades_seen,
            "books": {
                self._instruments[index].instrument_id: {
                    "updates": book.updates,
                    "pictures": book.pictures,
                    "unchanged": book.unchanged,
                    "losses": book.losses,
                }
                for index, book in self._books.items()
            },
        }

    async def books(self, index: int, symbol: str, limit: int | None, depth: int | None) -> None:
        """One instrument's book, for ever: ``limit`` levels of the ``depth`` that ccxt keeps. Raises InputError for what cannot
        be cured by waiting."""
        book = self._books[index] = ShownBook(index, self._instruments[index], limit)

        async def once() -> None:
            silence_s = self._patience.silence_s
            async with asyncio.timeout(max(silence_s, _CONNECT_S) if book.whole else silence_s):
                shown_book = await self._exchange.watch_order_book(symbol, depth)
            self._came()
            try:
                changed = book.take(shown_book, self._now(), self._records)
            except DecodeError as e:
                self._sink.on_damage(f"ccxt {symbol}", str(e))
                self._lose(index, book)
                return
            if changed:
                self._deliver()

        await self._forever(once, index, book)

    async def trades(self, index: int, symbol: str) -> None:
        """One instrument's trades, for ever."""

        async def once() -> None:
            trades = await self._exchange.watch_trades(symbol)
            self._came()
            try:
                append_trades(trades, index, self._instruments[index], self._now(), self._records)
            except DecodeError as e:
                self._sink.on_damage(f"ccxt {symbol}", str(e))
                return
            self.trades_seen += len(trades)
            self._deliver()

        await self._forever(once, index, None)

    async def _forever(self, once: Callable[[], Awaitable[None]], index: int, book: ShownBook | None) -> None:
        """Again and again, with waits that grow while nothing comes. A book that was lost is told so."""
        ccxt = self._ccxt
        failures = 0
        while True:
            try:
                await once()
                failures = 0
                continue
            except TimeoutError:
                self._down(f"silent for {self._patience.silence_s:g} s")
                self._lose(index, book)
                await self._drop_connections()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self._down("ccxt ended its connections")  # another call was silent, and its connection is this one's
                self._lose(index, book)
            except (ccxt.ChecksumError, ccxt.InvalidNonce) as e:  # ccxt found a gap, and begins this book anew
                self._sink.on_damage(f"ccxt {self._instruments[index].instrument_id}", shown(e))
                self._lose(index, book)
            except (ccxt.NetworkError, ccxt.ExchangeClosedByUser) as e:
                self._down(shown(e))
                self._lose(index, book)
            except ccxt.BaseError as e:
                where = f"ccxt {self._exchange.id} {self._instruments[index].symbol}"
                raise InputError(where, shown(e), "look at exchange, symbols and settings of [feed]") from None
            await asyncio.sleep(self._wait_s(failures))
            failures += 1

    def _wait_s(self, failures: int) -> float:
        whole = min(self._patience.longest_wait_s, self._patience.first_wait_s * 2.0 ** min(failures, 32))
        return float(whole * self._random.uniform(1 - _JITTER, 1 + _JITTER))

    def _now(self) -> int:
        """Arrival: when ccxt hands it over, for it does not say when the bytes came. Never goes back."""
        self._latest = max(self._latest, self._clock.now_ns())
        return self._latest

    def _deliver(self) -> None:
        if self._records.n_frames and not self._sink.stopping:
            self._sink.on_records(self._records)
        self._records.clear()

    def _came(self) -> None:
        if not self._up:
            self._up = True
            self._sink.on_connection(0, up=True)

    def _down(self, reason: str) -> None:
        """Once for all calls that fail with the connection."""
        if self._up is not False:
            self.reconnects += self._up is True
            self._up = False
            self._sink.on_connection(0, up=False, reason=reason)

    def _lose(self, index: int, book: ShownBook | None) -> None:
        self._records.clear()
        if book is not None and not book.whole:
            book.lost()
            self._sink.on_records(lost((index,), self._now()))

    async def _drop_connections(self) -> None:
        """ccxt makes new ones with the next call."""
        await self._exchange.close()
