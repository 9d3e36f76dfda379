"""The article's socket: books, trades and tickers, multiplexed; S_t = S_{t-1} + 1, and a gap is rebuilt from a new picture."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from vtframe.api import Codec, ConfigError, ExampleVenue, Fault, Feed, FeedContext, FeedSink, Link, Resync, Upkeep
from vtframe.domain import Instrument
from vtframe_vectrade.codec import VectradeCodec
from vtframe_vectrade.known import Units
from vtframe_vectrade.quotes import Symbols
from vtframe_vectrade.secret import check_url, resolve
from vtframe_vectrade.session import headers, instruments_of, loss_notes, refusal, tell_error

BOOKS = "orderbook"


class VectradeStream(Feed):
    """Order books (and trades, tickers) in the dialect that VecTrade's article describes: one socket, channels, a picture, then
    numbered changes. Its frames are defined in docs/venues/vectrade.md, and read by a codec that ``codec`` names.

    A change that does not follow the one before makes a GAP; the feed asks for the channel again, and the next picture
    rebuilds the book.
    """

    name = "vectrade_stream"

    symbols: Symbols
    url: str  # none is published
    key: str = ""  # "env:NAME" or "file:PATH"; empty: none is sent
    channels: Annotated[tuple[str, ...], Meta(min_length=1)] = (BOOKS, "trades")
    codec_name: str = msgspec.field(default=VectradeCodec.name, name="codec")
    codec_settings: dict[str, Any] = {}
    units: dict[str, Units] = {}
    upkeep: Upkeep = Upkeep(silence_s=15.0)  # the venue's heartbeat comes every 5 s

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        check_url(self.url, secret=bool(self.key))
        self._key = resolve(self.key) if self.key else ""
        self._clock = context.clock
        unknown = sorted(set(self.channels) - {BOOKS, "trades", "ticker"})
        if unknown:
            problem = f"has no channel {', '.join(map(repr, unknown))}"
            raise ConfigError(Fault(key="channels", problem=problem, hint="there are orderbook, trades and ticker"))
        self._codec = self._make_codec(context.codecs)
        return instruments_of(self.symbols, self.units)

    def look(self, context: FeedContext) -> Sequence[Instrument]:
        return self.open(context)

    def codec(self) -> Codec:
        return self._codec

    async def run(self, sink: FeedSink) -> None:
        numbers = range(len(self.symbols)) if BOOKS in self.channels else range(0)

        def ask(instrument: int) -> None:
            """A channel that is subscribed to anew begins with a picture."""
            channel = [f"{BOOKS}:{self.symbols[instrument]}"]
            for action in ("unsubscribe", "subscribe"):
                link.send(_written(action, channel))

        def greeting() -> Iterator[str]:
            resync.subscribed()
            yield _written("subscribe", [f"{channel}:{symbol}" for symbol in self.symbols for channel in self.channels])

        def receive(data: bytes, ts_recv: int) -> None:
            sink.on_message(data, ts_recv)
            tell_error(data, sink)
            resync.look()

        resync = Resync(sink.books, ask, instruments=numbers, now_s=asyncio.get_running_loop().time)
        link = self._link = Link(
            self.url,
            sink,
            self._clock,
            greeting=greeting,
            upkeep=self.upkeep,
            headers=headers(self._key),
            receive=receive,
            on_lost=loss_notes(self.symbols, sink),
            on_turn=resync.look,
            refusal=refusal(self.url),
        )
        await link.run()

    def report(self) -> Mapping[str, Any]:
        link: Link | None = getattr(self, "_link", None)
        return {} if link is None else link.report()

    @classmethod
    def example(cls) -> ExampleVenue:
        from vtframe_vectrade.mock import StreamVenue  # noqa: PLC0415 - a server: what only checks and tests need

        return StreamVenue()

    def _make_codec(self, codecs: Mapping[str, type[Codec]]) -> Codec:
        cls: type[Codec] | None = VectradeCodec if self.codec_name == VectradeCodec.name else codecs.get(self.codec_name)
        if cls is None:
            known = ", ".join(sorted({VectradeCodec.name, *codecs}))
            problem = f"there is no codec {self.codec_name!r}"
            raise ConfigError(Fault(key="codec", problem=problem, hint=f"name its plugin; there are {known}"))
        try:
            return msgspec.convert(self.codec_settings, cls)
        except msgspec.ValidationError as e:
            raise ConfigError(Fault(key="codec_settings", problem=str(e))) from None


def _written(action: str, channels: Sequence[str]) -> str:
    return msgspec.json.encode({"action": action, "channels": channels}).decode()
