"""Coinbase: one number for all messages of a connection, the maker's side, newest trades first, both sides mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptofeed_files import json_lines
from venue_markets import COINBASE, Played, assert_same_levels, decoded, events_of, opened
from vtframe_coinbase.codec import CoinbaseCodec

from vtframe.api import DecodeError, instant
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind, Records

TIME = "2026-08-09T21:05:48.228568804Z"
DELTA = EventKind.BOOK_DELTA


def message(number: int, channel: str, *events: dict[str, Any]) -> bytes:
    sent = {"channel": channel, "timestamp": TIME, "sequence_num": number, "events": list(events)}
    return json.dumps(sent, separators=(",", ":")).encode()


def book(number: int, *updates: tuple[str, str, str], kind: str = "update", product: str = "BTC-USD") -> bytes:
    rows = [{"side": side, "event_time": TIME, "price_level": price, "new_quantity": size} for side, price, size in updates]
    return message(number, "l2_data", {"type": kind, "product_id": product, "updates": rows})


def picture(number: int, product: str = "BTC-USD") -> bytes:
    return book(number, ("bid", "10", "1"), ("offer", "11", "2"), kind="snapshot", product=product)


def test_a_number_missing_is_a_gap_in_every_book_of_the_connection() -> None:
    played = Played(CoinbaseCodec(), COINBASE)
    for data in (picture(0), picture(1, "ETH-USD"), book(2, ("bid", "10.5", "1")), message(3, "heartbeats")):
        played.feed(data)
    assert [played.pipeline.books.state(n) for n in (0, 1)] == [BookState.LIVE, BookState.LIVE]
    played.feed(book(5, ("bid", "10.6", "1")))
    assert [played.pipeline.books.state(n) for n in (0, 1)] == [BookState.GAP, BookState.GAP]
    kinds = played.records.frames["kind"][: played.records.n_frames].tolist()
    assert kinds == [FrameKind.STATUS, FrameKind.STATUS, FrameKind.DEPTH]
    assert played.records.events["flags"][0] & EventFlag.GAP
    assert played.records.events["ts_event"][0] == instant(TIME)
    played.feed(picture(6))
    assert [played.pipeline.books.state(n) for n in (0, 1)] == [BookState.LIVE, BookState.GAP]
    assert played.pipeline.books.top(0).bid == 1000


@pytest.mark.parametrize("lost", ["heartbeats", "ticker", "subscriptions", "market_trades"])
def test_a_loss_in_any_channel_may_be_of_any_book(lost: str) -> None:
    played = Played(CoinbaseCodec(), COINBASE)
    played.feed(picture(0))
    played.feed(message(2, lost))
    assert played.pipeline.books.state(0) == BookState.GAP


def test_connections_are_counted_apart() -> None:
    played = Played(CoinbaseCodec(), COINBASE)
    played.feed(picture(0), connection=1)
    played.feed(picture(0, "ETH-USD"), connection=2)
    for number in range(1, 5):
        for connection, product in ((1, "BTC-USD"), (2, "ETH-USD")):
            played.feed(book(number, ("bid", "10.5", "1"), product=product), connection=connection)
    assert played.pipeline.counts().gaps == 0
    played.feed(book(7, ("bid", "10.6", "1"), product="ETH-USD"), connection=2)
    assert [played.pipeline.books.state(n) for n in (0, 1)] == [BookState.LIVE, BookState.GAP]


def test_a_connection_that_begins_anew_has_lost_what_was_between() -> None:
    played = Played(CoinbaseCodec(), COINBASE)
    for data in (picture(0), book(1, ("bid", "10.5", "1")), message(0, "subscriptions")):
        played.feed(data)
    assert played.pipeline.books.state(0) == BookState.GAP
    played.feed(picture(1))
    assert played.pipeline.books.state(0) == BookState.LIVE


def test_a_broken_message_leaves_a_gap_behind_it() -> None:
    played = Played(CoinbaseCodec(), COINBASE)
    played.feed(picture(0))
    with pytest.raises(DecodeError):
        played.feed(book(1, ("bid", "10.555", "1")))
    assert played.pipeline.books.state(0) == BookState.LIVE
    played.feed(book(2, ("bid", "10.5", "1")))
    assert played.pipeline.books.state(0) == BookState.GAP


def test_sides_that_are_sent_mixed_are_told_bids_first_each_in_its_order() -> None:
    codec, records = opened(CoinbaseCodec(), COINBASE), Records()
    codec.decode(book(0, ("offer", "12", "1"), ("bid", "9", "2"), ("offer", "11", "3"), ("bid", "8.55", "0")), records)
    assert events_of(records) == [
        (DELTA, 1, 900, 200_000_000),
        (DELTA, 1, 855, 0),
        (DELTA, -1, 1200, 100_000_000),
        (DELTA, -1, 1100, 300_000_000),
    ]
    assert records.frames["last_id"][0] == 0
    assert codec.fallbacks == {}


def trade(price: str, side: str, *, product: str = "BTC-USD", number: int = 1) -> dict[str, Any]:
    return {"product_id": product, "trade_id": str(number), "price": price, "size": "0.5", "time": TIME, "side": side}


def test_trades_are_told_oldest_first_with_the_side_of_the_taker() -> None:
    codec, records = opened(CoinbaseCodec(), COINBASE), Records()
    news = {"type": "update", "trades": [trade("3", "BUY"), trade("2", "SELL"), trade("1", "SELL")]}
    assert codec.decode(message(0, "market_trades", news), records) == "market_trades"
    sold = EventKind.TRADE
    assert events_of(records) == [(sold, 1, 100, 50_000_000), (sold, 1, 200, 50_000_000), (sold, -1, 300, 50_000_000)]
    records.clear()
    codec.decode(message(1, "market_trades", {**news, "type": "snapshot"}), records)
    assert records.n_frames == 0  # what was traded before
    mixed = {"type": "update", "trades": [trade("3", "BUY"), trade("2", "SELL", product="ETH-USD"), trade("1", "SELL")]}
    records.clear()
    codec.decode(message(2, "market_trades", mixed), records)
    assert records.frames["instrument"][: records.n_frames].tolist() == [0, 1, 0]


def test_the_side_of_a_recorded_trade_is_the_makers(data: Path) -> None:
    """A trade at the best ask took from a seller: the venue says SELL, we say that the aggressor bought."""
    played = Played(CoinbaseCodec(), COINBASE)
    agreed = compared = 0
    for frame in json_lines(data, "COINBASE"):
        played.feed(frame.data)
        records = played.records
        for index in range(records.n_frames):
            if records.frames["kind"][index] == FrameKind.TRADE:
                top = played.pipeline.books.top(int(records.frames["instrument"][index]))
                for _, side, price, _ in events_of(records, index):
                    if top.bid_quantity and price in (top.bid, top.ask):
                        compared += 1
                        agreed += (side == 1) == (price == top.ask)
    assert compared >= 20
    assert agreed >= 0.9 * compared


def test_books_of_tens_of_thousands_of_levels_equal_plain_ones(data: Path) -> None:
    plain: dict[str, dict[str, dict[int, int]]] = {}
    for frame in json_lines(data, "COINBASE"):
        sent = json.loads(frame.data)
        for event in sent["events"] if sent["channel"] == "l2_data" else ():
            sides = plain.setdefault(event["product_id"], {"bid": {}, "offer": {}})
            for update in event["updates"]:
                price, size = (round(float(update[key]) * 10**n) for key, n in (("price_level", 2), ("new_quantity", 8)))
                sides[update["side"]][price] = size
    played = Played(CoinbaseCodec(), COINBASE).play(json_lines(data, "COINBASE"))
    for number, instrument in enumerate(COINBASE):
        bids, asks = ({p: q for p, q in plain[instrument.symbol][side].items() if q} for side in ("bid", "offer"))
        assert len(bids) + len(asks) > 20_000
        assert_same_levels(played.pipeline, number, bids, asks)


@pytest.mark.parametrize(
    "time",
    [
        "2026-08-09 21:05:48Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-08-09T24:00:00Z",
        "2026-08-09T21:05:60Z",
        "2026-08-09T21:05:48.Z",
        "2026-08-09T21:05:48.1234567890Z",
        "2026-08-09T21:05:48+02:00",
        "1969-12-31T23:59:59Z",
        "2262-04-12T00:00:00Z",
        "2026-08-09T21:05:4\u0668Z",
        "",
        "x",
    ],
)
def test_a_time_that_is_none_is_refused(time: str) -> None:
    codec, records = opened(CoinbaseCodec(), COINBASE), Records()
    assert decoded(codec, book(0, ("bid", "10", "1")).replace(TIME.encode(), time.encode()), records) is None


def test_times_agree_with_numpys(data: Path) -> None:
    rng = np.random.default_rng(9)
    codec, records = opened(CoinbaseCodec(), COINBASE), Records()
    for number, nanos in enumerate(rng.integers(0, 9_200_000_000_000_000_000, 300).tolist()):
        text = str(np.datetime64(nanos, "ns")) + "Z"
        short = text.rstrip("Z").rstrip("0").rstrip(".") + "Z" if nanos % 1000 == 0 else text
        records.clear()
        codec.decode(book(number, ("bid", "10", "1")).replace(TIME.encode(), short.encode()), records)
        assert records.events["ts_event"][0] == nanos == instant(short)
    assert codec.fallbacks == {}


def test_products_are_recognized_by_the_units_that_the_venue_stated(data: Path) -> None:
    messages = [frame.data for frame in json_lines(data, "COINBASE")]
    found = CoinbaseCodec.recognize(messages)
    assert [i.instrument_id for i in found] == ["BTC-USD@coinbase", "ETH-USD@coinbase"]
    assert [(i.price_decimals, i.quantity_decimals, i.tick_size, i.lot_size) for i in found] == [(2, 8, 1, 1)] * 2
    assert CoinbaseCodec.recognize(messages[5:9]) == ()
