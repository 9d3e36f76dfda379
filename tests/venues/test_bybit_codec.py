"""Bybit: a counter per symbol that a restart sets back, topics of several depths, markets that share symbols."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptofeed_files import json_lines
from venue_markets import BYBIT_LINEAR, BYBIT_SPOT, Played, decoded, events_of, opened
from vtframe_bybit.codec import BybitCodec
from vtframe_bybit.known import INVERSE, LINEAR, contract_market

from vtframe.api import ConfigError
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind, Records

BTC = BYBIT_LINEAR[:1]


def book(update_id: int, *, kind: str = "delta", depth: str = "50", bids: Any = (), asks: Any = ()) -> bytes:
    data = {"s": "BTCUSDT", "b": list(bids), "a": list(asks), "u": update_id, "seq": 1}
    sent = {"topic": f"orderbook.{depth}.BTCUSDT", "type": kind, "ts": 2000, "data": data, "cts": 1999}
    return json.dumps(sent, separators=(",", ":")).encode()


PICTURE = {"kind": "snapshot", "bids": [["100.00", "1.000"]], "asks": [["101.00", "2.000"]]}


def test_the_counter_of_a_symbol_finds_a_loss_and_a_repetition() -> None:
    for wrong in (11, 10, 13):
        played = Played(BybitCodec(), BTC)
        played.feed(book(10, **PICTURE))
        played.feed(book(11, bids=[["100.10", "1.000"]]))
        assert played.pipeline.books.state(0) == BookState.LIVE
        played.feed(book(wrong, bids=[["100.20", "1.000"]]))
        assert played.pipeline.books.state(0) == BookState.GAP


def test_a_restart_sends_a_picture_with_a_small_number_and_the_book_takes_it() -> None:
    played = Played(BybitCodec(), BTC)
    played.feed(book(1_000, **PICTURE))
    played.feed(book(1, kind="snapshot", bids=[["90.00", "3.000"]], asks=[["91.00", "3.000"]]))
    assert played.pipeline.books.state(0) == BookState.LIVE
    assert (played.pipeline.books.top(0).bid, played.pipeline.books.update_id(0)) == (9000, 1)
    played.feed(book(2, bids=[["90.10", "1.000"]]))
    assert played.pipeline.books.top(0).bid == 9010
    assert played.pipeline.counts().old_snapshots == 0


def test_frames_that_waited_for_the_picture_of_their_own_stream_are_before_it() -> None:
    played = Played(BybitCodec(), BTC)
    played.feed(book(1_000, **PICTURE))
    played.feed(book(1_002, bids=[["100.20", "1.000"]]))  # 1,001 is lost
    played.feed(book(1_003, bids=[["100.30", "1.000"]]))
    played.feed(book(1, kind="snapshot", bids=[["90.00", "3.000"]], asks=[["91.00", "3.000"]]))
    assert played.pipeline.books.state(0) == BookState.LIVE
    assert played.pipeline.books.top(0).bid == 9000


def test_the_first_depth_of_a_symbol_makes_its_book_and_others_are_left_out() -> None:
    played = Played(BybitCodec(), BTC)
    played.feed(book(10, **PICTURE))
    played.feed(book(77, depth="200", **PICTURE))
    played.feed(book(78, depth="200", bids=[["100.50", "1.000"]]))
    played.feed(book(11, bids=[["100.20", "1.000"]]))
    assert played.pipeline.books.top(0).bid == 10020
    chosen = Played(BybitCodec(depth=200), BTC)
    chosen.feed(book(10, **PICTURE))
    assert chosen.pipeline.books.state(0) == BookState.SYNCING
    chosen.feed(book(77, depth="200", **PICTURE))
    assert chosen.pipeline.books.update_id(0) == 77


def test_the_topic_of_one_level_is_a_quote_and_moves_no_book() -> None:
    played = Played(BybitCodec(), BTC)
    played.feed(book(10, **PICTURE))
    played.feed(book(99, depth="1", kind="snapshot", bids=[["100.40", "1.500"]], asks=[["100.50", "0.500"]]))
    assert played.frames[FrameKind.QUOTE] == 1
    assert events_of(played.records) == [(EventKind.QUOTE, 1, 10040, 1500), (EventKind.QUOTE, -1, 10050, 500)]
    assert played.pipeline.books.top(0).bid == 10000


def test_block_trades_are_no_market_trades() -> None:
    codec, records = opened(BybitCodec(), BTC), Records()
    trade = {"T": 1500, "s": "BTCUSDT", "S": "Sell", "v": "0.004", "p": "65114.20", "L": "MinusTick", "i": "a", "BT": False}
    rows = [trade, {**trade, "S": "Buy", "BT": True, "T": 1501}]
    codec.decode(json.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": rows}).encode(), records)
    assert events_of(records) == [(EventKind.TRADE, -1, 6511420, 4), (EventKind.TRADE, 1, 6511420, 4)]
    assert records.events["flags"][:2].tolist() == [0, EventFlag.LAST | EventFlag.NON_MARKET]
    assert records.events["ts_event"][:2].tolist() == [1_500_000_000, 1_501_000_000]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"u":10', b'"u":-1'),
        (b'"u":10', b'"u":"10"'),
        (b'"type":"delta"', b'"type":"all"'),
        (b'"cts":1999', b'"cts":9000000000001'),
        (b'"s":"BTCUSDT"', b'"s":"ETHUSDT"'),
        (b'"100.00"', b'"100.001"'),
        (b'"100.00"', b"100.00"),
        (b'"1.000"]', b'"1.000"'),
        (b'"b":', b'"bb":'),
        (b"}", b""),
    ],
)
def test_a_broken_book_is_refused(old: bytes, new: bytes) -> None:
    codec, records = opened(BybitCodec(depth=50), BYBIT_LINEAR), Records()
    good = book(10, bids=[["100.00", "1.000"]])
    assert decoded(codec, good, records) == "orderbook"
    assert old in good
    assert decoded(codec, good.replace(old, new), records) is None


def test_a_field_that_the_venue_adds_and_members_in_another_order_change_nothing() -> None:
    codec, records, other = opened(BybitCodec(depth=50), BYBIT_LINEAR), Records(), Records()
    sent = json.loads(book(10, bids=[["100.00", "1.000"]]))
    codec.decode(json.dumps(sent).encode(), records)
    sent["data"] = {"new": {"deep": [1, None, "x"]}, **dict(reversed(sent["data"].items()))}
    codec.decode(json.dumps({"added": [], **dict(reversed(sent.items()))}).encode(), other)
    assert events_of(records) == events_of(other)
    assert records.frames["last_id"][0] == other.frames["last_id"][0] == 10


def test_one_symbol_of_two_markets_cannot_be_told_apart_and_is_refused() -> None:
    with pytest.raises(ConfigError, match="BTCUSDT stands for two instruments"):
        opened(BybitCodec(), [BYBIT_LINEAR[0], BYBIT_SPOT[0]])


def test_markets_are_told_by_their_trades(data: Path) -> None:
    for connection, venue, count in (("ws.2", LINEAR, 4), ("ws.3", "bybit_spot", 2)):
        messages = [frame.data for frame in json_lines(data, "BYBIT") if connection in frame.connection]
        found = BybitCodec.recognize(messages)
        assert [i.venue for i in found] == [venue] * count
        assert list(found) == [BybitCodec.known_instrument(venue, i.symbol) for i in found]
        assert BybitCodec.recognize([message for message in messages if b"publicTrade" not in message]) == ()
    assert BybitCodec.recognize(frame.data for frame in json_lines(data, "BYBIT")) == ()


def test_what_a_symbol_says_of_a_contract() -> None:
    assert [contract_market(s) for s in ("BTCUSDT", "BTCPERP", "BTCUSD", "BTCUSDH26", "ETHUSDC")] == [
        LINEAR,
        LINEAR,
        INVERSE,
        INVERSE,
        LINEAR,
    ]


def test_a_depth_that_begins_with_zero_is_no_topic_of_a_book() -> None:
    """Found by fuzzing with bounds checked: the scanner took orderbook.050 for orderbook.50."""
    from vtframe_bybit import examples

    codec, records = opened(BybitCodec(), examples.INSTRUMENTS), Records()
    picture = next(message for message in examples.MESSAGES if b'"orderbook.50.ETHUSDT"' in message)
    assert decoded(codec, picture, records) == "orderbook"
    assert records.n_frames == 1
    assert decoded(codec, picture.replace(b".50.", b".050."), records) == "orderbook"
    assert records.n_frames == 0
