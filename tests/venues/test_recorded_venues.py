"""Every recorded message of four venues: counted exactly, so that none of these tests can pass by comparing nothing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptofeed_files import Frame, bodies, capture, json_lines
from venue_markets import (
    BYBIT_LINEAR,
    BYBIT_SPOT,
    COINBASE,
    KRAKEN,
    OKX,
    Played,
    assert_same_levels,
    contents,
    decoded,
    opened,
    reference_of,
)
from vtframe_bybit.codec import BybitCodec
from vtframe_coinbase.codec import CoinbaseCodec
from vtframe_kraken.codec import KrakenCodec
from vtframe_okx.codec import OkxCodec

from vtframe.api import Codec
from vtframe.domain import BookState, FrameKind, Instrument, Records
from vtframe.testing.mutations import mutations


class Case(NamedTuple):
    """One connection's recording, and what is in it."""

    codec: type[Codec]
    instruments: Sequence[Instrument]
    frames: Callable[[Path], list[Frame]]
    messages: dict[str, int]
    kinds: dict[FrameKind, int]
    events: int
    verified: int = 0


def _lines(venue: str, connection: str = "") -> Callable[[Path], list[Frame]]:
    return lambda data: [frame for frame in json_lines(data, venue) if connection in frame.connection]


CASES = {
    "kraken": Case(
        KrakenCodec,
        KRAKEN,
        _lines("KRAKEN"),
        {"book": 4279, "heartbeat": 92, "subscriptionStatus": 30, "ticker": 18, "trade": 8, "systemStatus": 3},
        {FrameKind.SNAPSHOT: 10, FrameKind.DEPTH: 4269, FrameKind.TRADE: 8},
        11_765,
        verified=4269,
    ),
    "coinbase": Case(
        CoinbaseCodec,
        COINBASE,
        _lines("COINBASE"),
        {"l2_data": 775, "ticker": 160, "market_trades": 59, "heartbeats": 25, "candles": 6, "subscriptions": 5},
        {FrameKind.SNAPSHOT: 2, FrameKind.DEPTH: 773, FrameKind.TRADE: 57},
        74_274,
    ),
    "okx": Case(
        OkxCodec,
        OKX,
        _lines("OKX"),
        {"books": 290, "trades": 74, "tickers": 28, "subscribe": 18},
        {FrameKind.SNAPSHOT: 3, FrameKind.DEPTH: 287, FrameKind.TRADE: 74},
        8_341,
        verified=290,
    ),
    "bybit linear": Case(
        BybitCodec,
        BYBIT_LINEAR,
        _lines("BYBIT", "BYBIT.ws.2"),
        {"orderbook": 1598, "tickers": 758, "publicTrade": 102, "kline": 71, "subscribe": 17},
        {FrameKind.SNAPSHOT: 4, FrameKind.DEPTH: 1594, FrameKind.TRADE: 102},
        18_065,
    ),
    "bybit spot": Case(
        BybitCodec,
        BYBIT_SPOT,
        _lines("BYBIT", "BYBIT.ws.3"),
        {"orderbook": 550, "tickers": 81, "kline": 25, "publicTrade": 18, "subscribe": 7},
        {FrameKind.SNAPSHOT: 2, FrameKind.DEPTH: 548, FrameKind.TRADE: 18},
        3_097,
    ),
}
EACH = pytest.mark.parametrize("name", CASES)


@EACH
def test_every_message_is_read_every_checksum_agrees_and_no_book_has_a_gap(name: str, data: Path) -> None:
    case = CASES[name]
    played = Played(case.codec(), case.instruments).play(case.frames(data))
    assert played.messages == case.messages
    assert played.frames == case.kinds
    counts = played.pipeline.counts()
    assert (counts.events, counts.verified, counts.mismatches) == (case.events, case.verified, 0)
    assert (counts.gaps, counts.crossed, counts.resyncs) == (0, 0, len(case.instruments))
    assert {played.pipeline.books.state(number) for number in range(len(case.instruments))} == {BookState.LIVE}
    assert played.codec.fallbacks == {}  # the scanner read all that it is for


@EACH
def test_the_scanner_and_the_reference_make_the_same_bytes_of_every_message(name: str, data: Path) -> None:
    case = CASES[name]
    fast, plain = opened(case.codec(), case.instruments), reference_of(opened(case.codec(), case.instruments))
    one, other = Records(), Records()
    compared = 0
    for frame in case.frames(data):
        assert decoded(fast, frame.data, one) == decoded(plain, frame.data, other)
        assert contents(one) == contents(other), frame.data[:500]
        compared += one.n_events
    assert compared == case.events


@EACH
def test_mutated_messages_are_read_alike_or_refused_by_both(name: str, data: Path) -> None:
    case = CASES[name]
    fast, plain = opened(case.codec(), case.instruments), reference_of(opened(case.codec(), case.instruments))
    frames = [frame.data for frame in case.frames(data) if len(frame.data) < 4_000]
    one, other = Records(), Records()
    refused = read = 0
    for message in itertools.islice(mutations(frames, 20261122, most=2), 5_000):
        name_of = decoded(fast, message, one)
        assert name_of == decoded(plain, message, other), message
        assert contents(one) == contents(other), message
        refused += name_of is None
        read += one.n_frames > 0
    assert refused > 1_000
    assert read > 500
    assert sum(fast.fallbacks.values()) > 1_000


@EACH
def test_a_message_lost_on_the_way_is_noticed_where_the_venue_makes_it_possible(name: str, data: Path) -> None:
    """Kraken and OKX (of 2022) by the checksum, Coinbase and Bybit by the number."""
    case = CASES[name]
    frames = case.frames(data)[:800]
    whole = Played(case.codec(), case.instruments)
    depth = []
    for index, frame in enumerate(frames):
        whole.feed(frame.data)
        if whole.records.n_frames and whole.records.frames["kind"][0] == FrameKind.DEPTH:
            depth.append(index)
    noticed = 0
    lost = depth[5 : len(depth) // 2 : len(depth) // 10]
    for gone in lost:
        part = Played(case.codec(), case.instruments).play([*frames[:gone], *frames[gone + 1 :]])
        noticed += part.pipeline.counts().gaps >= 1
    assert len(lost) >= 4
    if case.verified:
        assert noticed >= len(lost) // 2  # a change beyond the checked levels is in no checksum
    else:
        assert noticed == len(lost)


def test_kraken_books_equal_a_plain_book_of_the_digits_sent(data: Path) -> None:
    """An independent reading: prices and quantities as decimal text, no codec."""
    books: dict[str, dict[str, dict[Decimal, Decimal]]] = {}
    for frame in json_lines(data, "KRAKEN"):
        message = json.loads(frame.data)
        if isinstance(message, list) and message[-2].startswith("book"):
            sides = books.setdefault(message[-1], {"a": {}, "b": {}})
            for payload in message[1:-2]:
                for key in ("as", "bs", "a", "b"):
                    for price, quantity, *_ in payload.get(key, ()):
                        sides[key[0]][Decimal(price)] = Decimal(quantity)
    played = Played(KrakenCodec(), KRAKEN).play(json_lines(data, "KRAKEN"))
    assert len(books) == 10
    for number, instrument in enumerate(KRAKEN):
        bids, asks = (
            {
                int(p.scaleb(instrument.price_decimals)): int(q.scaleb(instrument.quantity_decimals))
                for p, q in books[instrument.symbol][key].items()
                if q
            }
            for key in ("b", "a")
        )
        assert_same_levels(played.pipeline, number, bids, asks)


def test_the_captures_hold_the_same_messages_as_the_json_lines(data: Path) -> None:
    fields = ("KRAKEN.ws.48.0", "KRAKEN.ws.49.0", "KRAKEN.ws.50.0")
    captured = [frame.data for member in fields for frame in capture(data, member)]
    lined = [frame.data for frame in json_lines(data, "KRAKEN")]
    assert len(captured) == len(lined) == 4430
    assert sorted(captured) == sorted(lined)
    assert [frame.data for frame in capture(data, "OKX.ws.1.0")] == [frame.data for frame in json_lines(data, "OKX")]


def test_older_protocols_of_other_names_are_no_market_data(data: Path) -> None:
    """Coinbase Pro and Bybit v2, as recorded in 2021: read as messages of unknown types, or refused, never as books."""
    for codec, instruments, member in (
        (CoinbaseCodec(), COINBASE, "COINBASE.ws.28.0"),
        (BybitCodec(), BYBIT_LINEAR, "BYBIT.ws.25.0"),
        (BybitCodec(), BYBIT_LINEAR, "BYBIT.ws.26.0"),
    ):
        opened(codec, instruments)
        records = Records()
        seen = 0
        for frame in capture(data, member):
            decoded(codec, frame.data, records)
            assert records.n_frames == 0
            seen += 1
        assert seen > 1_000


def test_the_ticks_of_the_kraken_pairs_are_those_that_the_venue_stated(data: Path) -> None:
    (body,) = bodies(data, "KRAKEN.0", "AssetPairs")
    stated = {pair["wsname"]: pair["pair_decimals"] for pair in json.loads(body)["result"].values() if "wsname" in pair}
    for instrument in KRAKEN:
        assert instrument.price(instrument.tick_size) == Decimal(1).scaleb(-stated[instrument.symbol])
