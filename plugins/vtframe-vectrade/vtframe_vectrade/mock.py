"""VecTrade's two sockets on loopback: the published quotes, and the article's dialect as docs/venues/vectrade.md defines it.

They send what a law, a test or ``vtframe vectrade mock`` tells them to, mishaps among it.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from vtframe.api import Feed, Upkeep
from vtframe.domain import Instrument
from vtframe.testing import Change, Client, ScriptedBook, ScriptedVenue
from vtframe_vectrade.known import instrument_of
from vtframe_vectrade.quotes import VectradeQuotes
from vtframe_vectrade.secret import resolve
from vtframe_vectrade.session import timestamp
from vtframe_vectrade.stream import VectradeStream

QUOTES_PATH, STREAM_PATH = "/ws/v1/quotes", "/stream"
SYMBOLS = ("BTC-USD", "AAPL", "XAU-USD")


class MockVenue(ScriptedVenue):
    """What both sockets have in common: symbols, and the key without which nobody is let in.

    ``key`` is a reference to it; without one the venue keeps a key of its own in a file while it runs.
    """

    path: ClassVar[str]

    def __init__(self, symbols: Sequence[str] = SYMBOLS, *, key: str = "", seed: int = 1, port: int = 0) -> None:
        self.instruments: tuple[Instrument, ...] = tuple(instrument_of(symbol) for symbol in symbols)
        self._symbols = tuple(symbols)
        self._key = key
        self._own: tempfile.TemporaryDirectory[str] | None = None
        super().__init__(seed=seed, port=port)

    def start(self) -> None:
        if not self._key:
            self._own = tempfile.TemporaryDirectory(prefix="vtframe-vectrade-")
            path = Path(self._own.name, "key")
            path.write_text(f"vq_test_{secrets.token_hex(16)}\n", encoding="utf-8")
            self._key = f"file:{path}"
        self._accepted = f"Bearer {resolve(self._key)}"
        super().start()

    @property
    def key_reference(self) -> str:
        """What a configuration names as ``key``; empty before the start where the key is the venue's own."""
        return self._key

    def stop(self) -> None:
        super().stop()
        if self._own is not None:
            self._own.cleanup()
            self._own, self._key = None, ""

    @property
    def url(self) -> str:
        return f"{super().url}{self.path}"

    def admits(self, path: str, headers: Any) -> tuple[int, str]:
        if path != self.path:
            return 404, '{"error":{"type":"not_found","message":"no such stream"}}'
        if headers.get("Authorization") != self._accepted:
            return 401, '{"error_code":"unauthorized","message":"the key is not known"}'
        return 200, ""

    def _refuse(self, client: Client, message: str) -> Sequence[int]:
        self.send(client, _json({"type": "error", "message": message}))
        return ()


class QuotesVenue(MockVenue):
    """Published contract: ``quote.update`` for the symbols that a client subscribed to. Nothing is acknowledged."""

    path = QUOTES_PATH
    has_books: ClassVar[bool] = False
    numbered: ClassVar[bool] = False

    def feed(self, *, silence_s: float) -> Feed:
        upkeep = Upkeep(silence_s=silence_s, first_wait_s=0.02, longest_wait_s=0.1)
        return VectradeQuotes(symbols=self._symbols, key=self._key, url=self.url, upkeep=upkeep)

    def asked(self, client: Client, text: str) -> Sequence[int]:
        asked = _asked(text)
        symbols = [symbol for symbol in asked.get("symbols", ()) if symbol in self._symbols]
        numbers = [self._symbols.index(symbol) for symbol in symbols]
        if asked.get("action") == "unsubscribe":
            client.notes.difference_update(numbers)
            return ()
        return numbers if asked.get("action") == "subscribe" else self._refuse(client, "no such action")

    def picture(self, book: ScriptedBook) -> bytes:
        return self._quote(book)

    def change(self, book: ScriptedBook, change: Change) -> bytes:
        return self._quote(book)

    def levels(self, instrument: int) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """Prices alone."""
        bid, ask = self.server.call(lambda: self.books[instrument].best)
        return {bid: 0}, {ask: 0}

    def _quote(self, book: ScriptedBook) -> bytes:
        """Numbers are JSON's, as published; written from decimals, digit by digit."""
        bid, ask = (book.instrument.price(price) for price in book.best)
        said = (
            b'{"type":"quote.update","symbol":"%b","price":%b,"change":0.5,"changePct":0.25,"volume":45000000,'
            b'"bid":%b,"ask":%b,"timestamp":"%b"}'
        )
        texts = (book.instrument.symbol, _plain(bid), _plain(bid), _plain(ask), timestamp(book.ts_event))
        return said % tuple(text.encode() for text in texts)


class StreamVenue(MockVenue):
    """The article's dialect: channels of books, trades and tickers, a picture, then changes numbered one by one."""

    path = STREAM_PATH

    def __init__(self, symbols: Sequence[str] = SYMBOLS, **settings: Any) -> None:
        super().__init__(symbols, **settings)
        self._others: dict[Client, set[str]] = {}  # channels besides those of books
        self._trades = 0

    def feed(self, *, silence_s: float) -> Feed:
        upkeep = Upkeep(silence_s=silence_s, first_wait_s=0.02, longest_wait_s=0.1)
        channels = ("orderbook", "trades", "ticker")
        return VectradeStream(symbols=self._symbols, key=self._key, url=self.url, channels=channels, upkeep=upkeep)

    def asked(self, client: Client, text: str) -> Sequence[int]:
        asked = _asked(text)
        action, channels = asked.get("action"), asked.get("channels", ())
        books: list[int] = []
        others = self._others.setdefault(client, set())
        for channel in channels:
            kind, _, symbol = str(channel).partition(":")
            if symbol not in self._symbols or kind not in {"orderbook", "trades", "ticker"}:
                return self._refuse(client, f"no channel {channel}")
            if kind == "orderbook":
                books.append(self._symbols.index(symbol))
            elif action == "subscribe":
                others.add(channel)
            else:
                others.discard(channel)
        if action not in {"subscribe", "unsubscribe"}:
            return self._refuse(client, "no such action")
        self.send(client, _json({"type": f"{action}d", "channels": channels}))
        if action == "unsubscribe":
            client.notes.difference_update(books)
            return ()
        return books

    def left(self, client: Client) -> None:
        self._others.pop(client, None)

    def heartbeat(self) -> None:
        """Say that the socket is alive."""

        def say() -> None:
            for client in self.server.clients:
                self.send(client, _json({"type": "heartbeat", "timestamp": timestamp(self.books[0].ts_event)}))

        self.server.call(say)

    def picture(self, book: ScriptedBook) -> bytes:
        return self._book("snapshot", book, *book.sides())

    def change(self, book: ScriptedBook, change: Change) -> bytes:
        level = [(change.price, change.quantity)]
        return self._book("delta", book, level if change.side == 1 else [], level if change.side == -1 else [])

    def step(self) -> None:
        """A change; with every third one a trade at the best price, and the new best prices."""
        super().step()
        book = self.books[(self.turn - 1) % len(self.books)]
        if book.sequence % 3:
            return
        self._trades += 1
        symbol = book.instrument.symbol
        said = {f"trades:{symbol}": self._trade(book), f"ticker:{symbol}": self._ticker(book)}
        for client in self.server.clients:
            for channel in sorted(self._others.get(client, set()) & set(said)):
                self.send(client, said[channel])

    def _book(self, kind: str, book: ScriptedBook, bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]]) -> bytes:
        one = book.instrument
        sides = [[(_plain(one.price(p)), _plain(one.quantity(q))) for p, q in side] for side in (bids, asks)]
        return _json(
            {
                "type": kind,
                "channel": f"orderbook:{one.symbol}",
                "sequence": book.sequence,
                "timestamp": timestamp(book.ts_event),
                "bids": sides[0],
                "asks": sides[1],
            }
        )

    def _trade(self, book: ScriptedBook) -> bytes:
        buy = bool(self._trades % 2)
        price = book.best[1 if buy else 0]
        one = book.instrument
        return _json(
            {
                "type": "trade",
                "channel": f"trades:{one.symbol}",
                "id": str(self._trades),
                "timestamp": timestamp(book.ts_event),
                "price": _plain(one.price(price)),
                "size": _plain(one.quantity((book.asks if buy else book.bids)[price])),
                "side": "buy" if buy else "sell",
            }
        )

    def _ticker(self, book: ScriptedBook) -> bytes:
        bid, ask = book.best
        one = book.instrument
        return _json(
            {
                "type": "ticker",
                "channel": f"ticker:{one.symbol}",
                "timestamp": timestamp(book.ts_event),
                "bid": _plain(one.price(bid)),
                "bid_size": _plain(one.quantity(book.bids[bid])),
                "ask": _plain(one.price(ask)),
                "ask_size": _plain(one.quantity(book.asks[ask])),
            }
        )


def _asked(text: str) -> dict[str, Any]:
    try:
        asked = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return asked if isinstance(asked, dict) else {}


def _json(said: Any) -> bytes:
    return msgspec.json.encode(said)


def _plain(value: Decimal) -> str:
    return f"{value:f}"
