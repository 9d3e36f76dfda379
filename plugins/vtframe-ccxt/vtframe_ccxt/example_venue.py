"""As much of Binance's spot protocol as ccxt's class for it needs, on loopback: what the laws of feeds are tried against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from vtframe.api import Feed
from vtframe.domain import Instrument, InstrumentKind
from vtframe.testing import Change, Client, ScriptedBook, ScriptedVenue
from vtframe_ccxt.feed import CcxtFeed

_PAIRS = (("BTC", "USDT"), ("ETH", "USDT"))
_MS = 1_000_000


def _instrument(base: str, quote: str) -> Instrument:
    """As the feed makes it of the list of markets below."""
    return Instrument(
        venue="binance",
        symbol=base + quote,
        kind=InstrumentKind.SPOT,
        base=base,
        quote=quote,
        settlement=quote,
        price_decimals=2,
        quantity_decimals=5,
        tick_size=1,
        lot_size=1,
        minimum_notional=Decimal(5),
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.001"),
    )


class SmallBinance(ScriptedVenue):
    """exchangeInfo and depth over REST; diffs at their own pace, and trades, over sockets that ccxt chooses."""

    instruments = tuple(_instrument(base, quote) for base, quote in _PAIRS)

    def __init__(self, *, seed: int = 1, port: int = 0) -> None:
        super().__init__(seed=seed, port=port)
        self._asked: Counter[int] = Counter()

    def feed(self, *, silence_s: float) -> Feed:
        rest, socket = self.url.replace("ws", "http", 1), self.url
        api = {"public": f"{rest}/api/v3", "ws": {"spot": f"{socket}/ws"}}
        return CcxtFeed(
            exchange="binance",
            symbols=tuple(f"{base}/{quote}" for base, quote in _PAIRS),
            limit=None,
            settings={"urls": {"api": api}, "options": {"fetchMarkets": {"types": ["spot"]}}},
            silence_s=silence_s,
            first_wait_s=0.02,
            longest_wait_s=0.1,
        )

    def subscriptions(self) -> int:
        """ccxt asks for each book on a connection of its own."""
        return self.server.call(lambda: min(self._asked[k] for k in range(len(self.books))))

    def answered(self, path: str) -> bytes | None:
        parts = urlsplit(path)
        if parts.path == "/api/v3/exchangeInfo":
            return _json({"symbols": [_listed(base, quote) for base, quote in _PAIRS]})
        if parts.path == "/api/v3/depth":
            symbol = parse_qs(parts.query)["symbol"][0]
            book = next(book for book in self.books if book.instrument.symbol == symbol)
            bids, asks = ([self._level(book, level) for level in side] for side in book.sides())
            return _json({"lastUpdateId": book.sequence, "bids": bids, "asks": asks})
        return None

    def asked(self, client: Client, text: str) -> Sequence[int]:
        asked = msgspec.json.decode(text)
        self.send(client, _json({"result": None, "id": asked["id"]}))
        streams = [name.split("@") for name in asked["params"] if asked["method"] == "SUBSCRIBE"]
        numbers = [
            k
            for k, one in enumerate(self.instruments)
            for name, kind, *_ in streams
            if kind == "depth" and name == one.symbol.lower()
        ]
        self._asked.update(numbers)
        return numbers

    def picture(self, book: ScriptedBook) -> bytes:
        """ccxt asks for it over REST."""
        return b""

    def change(self, book: ScriptedBook, change: Change) -> bytes:
        level = [self._level(book, (change.price, change.quantity))]
        return _json(
            {
                "e": "depthUpdate",
                "E": book.ts_event // _MS,
                "s": book.instrument.symbol,
                "U": book.sequence,
                "u": book.sequence,
                "b": level if change.side == 1 else [],
                "a": level if change.side == -1 else [],
            }
        )

    def _level(self, book: ScriptedBook, level: tuple[int, int]) -> tuple[str, str]:
        price, quantity = level
        return f"{book.instrument.price(price):f}", f"{book.instrument.quantity(quantity):f}"


def _listed(base: str, quote: str) -> dict[str, Any]:
    """One entry of exchangeInfo."""
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "isSpotTradingAllowed": True,
        "permissions": ["SPOT"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.0", "maxNotional": "9000000"},
        ],
    }


def _json(said: Any) -> bytes:
    return msgspec.json.encode(said)
