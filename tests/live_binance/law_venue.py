"""A small Binance (spot) for the laws of feeds: combined streams, snapshots and instruments over REST, mishaps as told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from vtframe.api import Feed
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.builtin.binance.notes import snapshot_envelope
from vtframe.testing import Change, Client, ScriptedBook, ScriptedVenue

SYMBOLS = ("BTCUSDT", "ETHUSDT")
SNAPSHOT = "/api/v3/depth"
INSTRUMENTS = tuple(one for symbol in SYMBOLS if (one := BinanceCodec.known_instrument("binance_spot", symbol)) is not None)


class LawVenue(ScriptedVenue):
    """Depth alone. A snapshot that was sent counts as the message that the feed makes of it."""

    instruments = INSTRUMENTS
    library = "websockets"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def feed(self, *, silence_s: float) -> Feed:
        return BinanceFeed(
            instruments=SYMBOLS,
            url=self.url.replace("ws", "http", 1),
            streams=("depth",),
            cache=str(self._folder / f"cache{self.server.port}"),
            transport=self.library,  # type: ignore[arg-type]
            silence_s=min(silence_s, 3600.0),
            quiet_s=min(silence_s, 3600.0),
            first_s=min(silence_s, 3600.0),
            reconnect_s=0.02,
            reconnect_most_s=0.1,
        )

    def answered(self, path: str) -> bytes | None:
        parts = urlsplit(path)
        if parts.path == "/api/v3/exchangeInfo":
            limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]
            return _json({"rateLimits": limits, "symbols": [_listed(one) for one in self.instruments]})
        if parts.path == SNAPSHOT:
            symbol = parse_qs(parts.query)["symbol"][0]
            book = next(book for book in self.books if book.instrument.symbol == symbol)
            bids, asks = ([_level(book, level) for level in side] for side in book.sides())
            body = _json({"lastUpdateId": book.sequence, "bids": bids, "asks": asks})
            self._sent.append(snapshot_envelope(symbol, body))
            return body
        return None

    def asked(self, client: Client, text: str) -> Sequence[int]:
        asked = msgspec.json.decode(text)
        self.send(client, _json({"result": None, "id": asked["id"]}))
        wanted = set(asked["params"]) if asked["method"] == "SUBSCRIBE" else set()
        return [k for k, one in enumerate(self.instruments) if _stream(one.symbol) in wanted]

    def picture(self, book: ScriptedBook) -> bytes:
        """It is asked for over REST."""
        return b""

    def change(self, book: ScriptedBook, change: Change) -> bytes:
        level = [_level(book, (change.price, change.quantity))]
        data = {
            "e": "depthUpdate",
            "E": book.ts_event // 1_000_000,
            "s": book.instrument.symbol,
            "U": book.sequence,
            "u": book.sequence,
            "b": level if change.side == 1 else [],
            "a": level if change.side == -1 else [],
        }
        return _json({"stream": _stream(book.instrument.symbol), "data": data})


class QuickLawVenue(LawVenue):
    """For a feed on the fast transport."""

    library = "picows"


def _stream(symbol: str) -> str:
    return f"{symbol.lower()}@depth@100ms"


def _level(book: ScriptedBook, level: tuple[int, int]) -> tuple[str, str]:
    price, quantity = level
    return f"{book.instrument.price(price):f}", f"{book.instrument.quantity(quantity):f}"


def _listed(one: Any) -> dict[str, Any]:
    """Its entry in exchangeInfo."""
    filters = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01",
            "maxPrice": "1000000.00",
            "tickSize": f"{one.price(one.tick_size):f}",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": f"{one.quantity(one.lot_size):f}"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ]
    names = {"symbol": one.symbol, "status": "TRADING", "baseAsset": one.base, "quoteAsset": one.quote}
    return {**names, "baseAssetPrecision": 8, "quotePrecision": 8, "filters": filters}


def _json(said: Any) -> bytes:
    return msgspec.json.encode(said)
