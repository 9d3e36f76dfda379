"""VecTrade's two feeds keep the laws against their mock, over real sockets and on both transports; what is refused is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from vtframe_vectrade.codec import VectradeCodec
from vtframe_vectrade.mock import MockVenue, QuotesVenue, StreamVenue
from vtframe_vectrade.quotes import VectradeQuotes
from vtframe_vectrade.stream import VectradeStream

from vtframe.api import ConfigError, FeedContext, InputError
from vtframe.clock import LiveClock
from vtframe.domain import BookState, EventKind, FrameKind, SequenceRule
from vtframe.testing import FEED_CHECKS, FeedCase, FeedCheck, FeedRun

KEY = "vq_test_planted0123456789"
CONTEXT = FeedContext(codecs={}, folder=Path(), clock=LiveClock())


@pytest.mark.parametrize("venue", [StreamVenue, QuotesVenue])
@pytest.mark.parametrize("check", FEED_CHECKS)
def test_the_laws_of_feeds_are_kept(check: FeedCheck, venue: type[MockVenue]) -> None:
    check(FeedCase(venue=venue))


@pytest.mark.parametrize("venue", [StreamVenue, QuotesVenue])
def test_the_laws_are_kept_on_the_fast_transport(venue: type[MockVenue]) -> None:
    class Fast(venue):  # type: ignore[misc, valid-type]
        def feed(self, *, silence_s: float) -> Any:
            feed = super().feed(silence_s=silence_s)
            feed.upkeep = msgspec.structs.replace(feed.upkeep, library="picows")
            return feed

    for check in FEED_CHECKS:
        check(FeedCase(venue=Fast))


def test_one_book_is_rebuilt_after_its_gap_while_the_others_go_on() -> None:
    class One(StreamVenue):
        def lose_one(self) -> None:
            self.server.call(self.books[1].step)

    async def script(run: FeedRun) -> None:
        await run.settled()
        await run.step(30)
        before = run.venue.subscriptions()
        run.venue.lose_one()  # type: ignore[attr-defined]
        run.venue.advance(6)
        await run.until(lambda: run.books.counts(1).gaps == 1, "the gap was counted")
        await run.settled()
        await run.step(30)
        assert [run.books.counts(k).gaps for k in range(3)] == [0, 1, 0]
        assert [run.books.counts(k).resyncs for k in range(3)] == [1, 2, 1]
        assert run.told(up=False) == 0, "the connection is the same"
        assert run.venue.subscriptions() == before + 1

    FeedCase(venue=One).direct(script)


def test_trades_and_tickers_of_the_socket_come_as_trades_and_quotes() -> None:
    async def script(run: FeedRun) -> None:
        await run.settled()
        await run.step(90)
        await run.until(lambda: len(run.messages()) == len(run.venue.sent()), "everything came")

    run = FeedCase(venue=StreamVenue).direct(script)
    told = run.feed.report()
    assert told["connections"] == 1
    assert told["receive_buffer_bytes"] > 100_000
    assert told["most_unread_bytes"] >= 0
    kinds = [int(kind) for records in run.frames() for kind in records.frames["kind"][: records.n_frames]]
    assert kinds.count(FrameKind.TRADE) == kinds.count(FrameKind.QUOTE) >= 20
    assert kinds.count(FrameKind.SNAPSHOT) == 3


def test_quotes_have_prices_and_no_quantities_and_no_book_is_ever_live() -> None:
    states = set()

    async def script(run: FeedRun) -> None:
        await run.settled()
        for _ in range(20):
            await run.step(3)
            states.update(run.books.state(k) for k in range(3))
        await run.until(lambda: len(run.messages()) == 63, "every quote came")

    run = FeedCase(venue=QuotesVenue).direct(script)
    assert states == {BookState.SYNCING}
    events = [event for records in run.frames() for event in records.events[: records.n_events]]
    assert {int(event["kind"]) for event in events} == {EventKind.QUOTE}
    assert {int(event["quantity"]) for event in events} == {0}
    assert len(events) >= 120
    assert run.feed.codec() is not None
    assert "cannot" in " ".join((VectradeQuotes.__doc__ or "").split())


def test_a_refused_channel_is_told_as_damage_and_the_others_come() -> None:
    class Other(StreamVenue):
        def feed(self, *, silence_s: float) -> Any:
            feed = super().feed(silence_s=silence_s)
            feed.symbols = (*feed.symbols, "NONE-USD")
            return feed

        def asked(self, client: Any, text: str) -> Any:
            asked = msgspec.json.decode(text)
            known = [channel for channel in asked["channels"] if "NONE-USD" not in channel]
            if len(known) < len(asked["channels"]):
                self._refuse(client, "no channel NONE-USD")
            return super().asked(client, msgspec.json.encode({**asked, "channels": known}).decode())

    async def script(run: FeedRun) -> None:
        await run.until(lambda: all(run.is_live(k) for k in range(3)), "the books that there are came")
        await run.until(lambda: bool(run.engine.damages), "the refusal was told")
        assert not run.is_live(3)

    run = FeedCase(venue=Other).direct(script)
    assert "the venue refuses" in run.engine.damages[0]
    assert "NONE-USD" in run.engine.damages[0]


@pytest.mark.parametrize("library", ["websockets", "picows"])
@pytest.mark.parametrize("make", [VectradeQuotes, VectradeStream])
def test_a_key_that_is_not_accepted_ends_the_feed_at_once_and_is_not_shown(
    make: Any, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", KEY)
    venue = QuotesVenue() if make is VectradeQuotes else StreamVenue()
    venue.start()
    told: list[str] = []

    class Sink:
        stopping = False

        class books:  # noqa: N801 - what a live feed looks at
            alarms = 0

            @staticmethod
            def state(instrument: int) -> BookState:  # noqa: ARG004
                return BookState.SYNCING

            @staticmethod
            def update_id(instrument: int) -> int:  # noqa: ARG004
                return -1

        def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
            told.append(reason)

        def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
            told.append(data.decode())

    try:
        feed = make(symbols=("AAPL",), key="env:PLANTED", url=venue.url)
        feed.upkeep = msgspec.structs.replace(feed.upkeep, library=library)
        feed.open(CONTEXT)
        with pytest.raises(InputError, match="the key is not accepted") as caught:
            asyncio.run(asyncio.wait_for(feed.run(Sink()), 20))
    finally:
        venue.stop()
    assert KEY not in str(caught.value) + "".join(told)
    assert "PLANTED" not in str(caught.value)


def test_what_a_library_says_of_a_request_is_told_without_its_key() -> None:
    from vtframe.api import Link

    link = Link("ws://x", None, LiveClock(), greeting=tuple, headers={"Authorization": f"Bearer {KEY}"})  # type: ignore[arg-type]
    told = link._without_secrets(f"bad response to GET / Authorization: Bearer {KEY} and {KEY}")
    assert KEY not in told
    assert told.count("(hidden)") == 2


BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({"key": KEY}, "is no reference to a key"),
    ({"key": "env:NOT_SET_ANYWHERE"}, "the environment variable 'NOT_SET_ANYWHERE' is not set"),
    ({"key": "file:/nowhere/key"}, "/nowhere/key: cannot be read: No such file or directory"),
    ({"key": "env:WRONG"}, "refers to something that is no key"),
    ({"key": "env:SPLIT"}, "refers to something that is no key"),
    ({"url": "https://ws.vectrade.io"}, "is no WebSocket address"),
    ({"url": "wss://user:secret@ws.vectrade.io/"}, "is no WebSocket address"),
    ({"url": "ws://ws.vectrade.io/stream"}, "would send the key unencrypted"),
    ({"units": {"AAPL": {"tick": "0"}}}, "AAPL: tick '0' is no unit"),
    ({"units": {"AAPL": {"lot": "NaN"}}}, "AAPL: lot 'NaN' is no unit"),
    ({"units": {"MSFT": {}}}, "has units of MSFT, which symbols does not name"),
)


@pytest.mark.parametrize(("change", "words"), BAD)
@pytest.mark.parametrize("make", [VectradeQuotes, VectradeStream])
def test_settings_that_cannot_be_used_are_refused_and_secrets_in_them_are_not_shown(
    make: Any, change: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", KEY)
    monkeypatch.setenv("WRONG", "tvt_planted_of_the_bot_api")
    monkeypatch.setenv("SPLIT", f"{KEY}\nX-Other: header")
    settings = {"symbols": ("AAPL",), "key": "env:PLANTED", "url": "wss://ws.vectrade.io/x", **change}
    feed = msgspec.convert(settings, make)
    with pytest.raises(ConfigError) as caught:
        feed.look(CONTEXT)
    assert words in str(caught.value)
    for secret in (KEY, "tvt_planted_of_the_bot_api", "secret@"):
        assert secret not in str(caught.value)


def test_a_channel_and_a_codec_that_there_are_not_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="has no channel 'depth'; there are orderbook, trades and ticker"):
        VectradeStream(symbols=("AAPL",), url="wss://x", channels=("depth",)).open(CONTEXT)
    with pytest.raises(ConfigError, match="there is no codec 'other'; name its plugin; there are vectrade"):
        VectradeStream(symbols=("AAPL",), url="wss://x", codec_name="other").open(CONTEXT)


def test_another_codec_takes_the_place_of_the_dialects() -> None:
    class Published(VectradeCodec):
        name = "published"
        strict: bool = False

        def sequence_rule(self, instrument: int) -> SequenceRule:
            return SequenceRule.NONE

    context = FeedContext(codecs={"published": Published}, folder=Path(), clock=LiveClock())
    settings = {"symbols": ["AAPL"], "url": "wss://x", "codec": "published", "codec_settings": {"strict": True}}
    feed = msgspec.convert(settings, VectradeStream)
    feed.open(context)
    codec = feed.codec()
    assert isinstance(codec, Published)
    assert codec.strict
    wrong = msgspec.convert({**settings, "codec_settings": {"strict": 1.5}}, VectradeStream)
    with pytest.raises(ConfigError, match="Expected `bool`"):
        wrong.open(context)
