"""The published quotes stream: best prices without sizes. There is no book in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from vtframe.api import Codec, ExampleVenue, Feed, FeedContext, FeedSink, Link, Upkeep
from vtframe.domain import Instrument
from vtframe_vectrade.codec import VectradeCodec
from vtframe_vectrade.known import Units
from vtframe_vectrade.secret import check_url, resolve
from vtframe_vectrade.session import headers, instruments_of, loss_notes, refusal, tell_error

URL = "wss://ws.vectrade.io/ws/v1/quotes"
Symbols = Annotated[tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:_-]{1,32}$")], ...], Meta(min_length=1, max_length=500)]


class VectradeQuotes(Feed):
    """Quotes of stocks and pairs by VecTrade's published stream (``quote.update``), as QUOTE events without quantities.

    The stream has no sizes, no depth and no trades: order book imbalance (OBI), microprice and anything else of a book cannot
    be computed from it, and it makes no rows. Use it beside a feed of books, or for what reads quotes itself.
    """

    name = "vectrade_quotes"

    symbols: Symbols
    key: str  # "env:NAME" or "file:PATH"
    url: str = URL
    units: dict[str, Units] = {}
    upkeep: Upkeep = Upkeep()

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        check_url(self.url, secret=True)
        self._key = resolve(self.key)
        self._clock = context.clock
        return instruments_of(self.symbols, self.units)

    def look(self, context: FeedContext) -> Sequence[Instrument]:
        return self.open(context)

    def codec(self) -> Codec:
        return VectradeCodec()

    async def run(self, sink: FeedSink) -> None:
        def greeting() -> Iterator[str]:
            asked = {"action": "subscribe", "symbols": self.symbols, "fields": ["price", "bid", "ask"]}
            yield msgspec.json.encode(asked).decode()

        def receive(data: bytes, ts_recv: int) -> None:
            sink.on_message(data, ts_recv)
            tell_error(data, sink)

        link = self._link = Link(
            self.url,
            sink,
            self._clock,
            greeting=greeting,
            upkeep=self.upkeep,
            headers=headers(self._key),
            receive=receive,
            on_lost=loss_notes(self.symbols, sink),
            refusal=refusal(self.url),
        )
        await link.run()

    def report(self) -> Mapping[str, Any]:
        link: Link | None = getattr(self, "_link", None)
        return {} if link is None else link.report()

    @classmethod
    def example(cls) -> ExampleVenue:
        from vtframe_vectrade.mock import QuotesVenue  # noqa: PLC0415 - a server: what only checks and tests need

        return QuotesVenue()
