"""Kraken: what no recording has (version 2, a book of ten levels) made from what one has, with the venue's own checksums."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptofeed_files import json_lines
from venue_markets import KRAKEN, Played, contents, decoded, events_of, opened, reference_of, spot
from vtframe_kraken.codec import KrakenCodec
from vtframe_kraken.known import names

from vtframe.api import DecodeError
from vtframe.book import meta as m
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind, Records, Side
from vtframe.testing.mutations import mutations

XMR = spot("kraken", "XMR/USD", 8, 8)


class Level(str):
    """A number in a message, written as it is."""

    __slots__ = ()


def written(value: Any) -> str:
    if isinstance(value, Level):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def books_v1(data: Path) -> Iterator[tuple[str, dict[str, list[list[str]]], str | None, bool]]:
    """(pair, changes by side, checksum, is a picture) of every recorded book message."""
    for frame in json_lines(data, "KRAKEN"):
        message = json.loads(frame.data)
        if isinstance(message, list) and message[-2].startswith("book"):
            sides: dict[str, list[list[str]]] = {"a": [], "b": []}
            checksum = None
            for payload in message[1:-2]:
                for key in ("as", "bs", "a", "b"):
                    sides[key[0]] += payload.get(key, [])
                checksum = payload.get("c", checksum)
            yield message[-1], sides, checksum, "as" in message[1]


def v2(pair: str, sides: dict[str, list[list[str]]], checksum: str | None, *, picture: bool) -> bytes:
    """The same news as version 2 tells it."""
    book = {
        "symbol": pair.replace("XBT", "BTC"),
        "bids": [{"price": Level(level[0]), "qty": Level(level[1])} for level in sides["b"]],
        "asks": [{"price": Level(level[0]), "qty": Level(level[1])} for level in sides["a"]],
        "timestamp": "2021-04-17T16:48:54.213106Z",
    }
    if checksum is not None:
        book["checksum"] = Level(checksum)
    return written({"channel": "book", "type": "snapshot" if picture else "update", "data": [book]}).encode()


def ten_levels(data: Path) -> Iterator[bytes]:
    """The recorded books of 1,000 levels as a subscription of ten would have sent them: changes within the best ten, and what
    comes back into them marked "r"; nothing when a level falls out. The checksums are over ten levels and stay the venue's."""
    full: dict[str, dict[str, dict[Decimal, list[str]]]] = {}
    shown: dict[str, dict[str, dict[Decimal, list[str]]]] = {}
    for pair, sides, checksum, picture in books_v1(data):
        book = full.setdefault(pair, {"a": {}, "b": {}})
        parts: list[dict[str, Any]] = []
        for key in ("a", "b"):
            before = shown.get(pair, {"a": {}, "b": {}})[key]
            for level in sides[key]:
                book[key][Decimal(level[0])] = level
                if not Decimal(level[1]):
                    del book[key][Decimal(level[0])]
            best = {price: book[key][price] for price in (heapq.nlargest if key == "b" else heapq.nsmallest)(10, book[key])}
            news = [level for level in sides[key] if Decimal(level[0]) in best or Decimal(level[0]) in before]
            touched = {Decimal(level[0]) for level in news}
            back = [[*level[:3], "r"] for price, level in best.items() if price not in before and price not in touched]
            shown.setdefault(pair, {"a": {}, "b": {}})[key] = best
            if picture:
                parts.append({f"{key}s": list(best.values())})
            elif news or back:
                parts.append({key: news + back})
        if picture:
            yield json.dumps([1, {**parts[0], **parts[1]}, "book-10", pair]).encode()
        else:
            parts = parts or [{"a": []}]
            parts[-1]["c"] = checksum
            yield json.dumps([1, *parts, "book-10", pair]).encode()


def test_version_2_gives_the_same_books_and_every_checksum_agrees(data: Path) -> None:
    old, new = Played(KrakenCodec(), KRAKEN), Played(KrakenCodec(), KRAKEN)
    for pair, sides, checksum, picture in books_v1(data):
        new.feed(v2(pair, sides, checksum, picture=picture))
    old.play(json_lines(data, "KRAKEN"))
    assert new.pipeline.counts().verified == 4269
    assert new.codec.fallbacks == {}
    for number in range(len(KRAKEN)):
        for side in Side:
            for one, other in zip(
                old.pipeline.books.levels(number, side, 2_000), new.pipeline.books.levels(number, side, 2_000), strict=True
            ):
                np.testing.assert_array_equal(one, other)


def test_version_2_mutated_is_read_alike_or_refused_by_both(data: Path) -> None:
    trade = (
        b'{"channel":"trade","type":"update","data":[{"symbol":"XMR/USD","side":"sell","price":354.11,"qty":4.0,"ord_type":'
        b'"limit","trade_id":4665906,"timestamp":"2023-09-25T07:49:37.708706Z"},{"symbol":"XMR/USD","side":"buy","price":354.1,'
        b'"qty":0.5,"ord_type":"market","trade_id":4665907,"timestamp":"2023-09-25T07:49:38Z"}]}'
    )
    messages = [v2(pair, sides, c, picture=False) for pair, sides, c, picture in books_v1(data) if not picture][:400]
    messages += [trade] * 100
    fast, plain = opened(KrakenCodec(), KRAKEN), reference_of(opened(KrakenCodec(), KRAKEN))
    one, other = Records(), Records()
    read = 0
    for message in itertools.islice(mutations(messages, 3, most=2), 6_000):
        assert decoded(fast, message, one) == decoded(plain, message, other), message
        assert contents(one) == contents(other), message
        read += one.n_frames > 0
    assert read > 500


def test_a_book_of_ten_levels_drops_what_falls_out_of_it(data: Path) -> None:
    played = Played(KrakenCodec(), KRAKEN)
    deepest = 0
    for message in ten_levels(data):
        played.feed(message)
        deepest = max(deepest, int(played.pipeline.books.meta[:, [m.N_BIDS, m.N_ASKS]].max()))
    counts = played.pipeline.counts()
    assert (counts.verified, counts.mismatches, counts.gaps) == (4269, 0, 0)
    assert deepest == 10


def test_without_the_limit_the_same_messages_would_break_the_books(data: Path) -> None:
    """The test above has teeth: levels that fell out are not removed by the venue."""
    played = Played(KrakenCodec(), KRAKEN)
    for message in ten_levels(data):
        played.feed(message.replace(b'"book-10"', b'"book-1000"'))
    assert played.pipeline.counts().mismatches >= 1


def test_a_wrong_checksum_is_a_gap_until_the_next_picture(data: Path) -> None:
    messages = [(pair, sides, c, picture) for pair, sides, c, picture in books_v1(data) if pair == "XMR/USD"]
    played = Played(KrakenCodec(), [XMR])
    for index, (pair, sides, checksum, picture) in enumerate(messages[:20]):
        wrong = index == 10 and checksum is not None
        played.feed(v2(pair, sides, str(int(checksum or 0) ^ 1) if wrong else checksum, picture=picture))
        assert played.pipeline.books.state(0) == (BookState.LIVE if index < 10 else BookState.GAP)
    assert (played.pipeline.counts().mismatches, played.pipeline.counts().gaps) == (1, 1)
    played.feed(v2(*messages[0][:3], picture=True))
    assert played.pipeline.books.state(0) == BookState.LIVE
    for pair, sides, checksum, picture in messages[1:10]:
        played.feed(v2(pair, sides, checksum, picture=picture))
    assert played.pipeline.books.state(0) == BookState.LIVE


def test_a_picture_with_a_wrong_checksum_never_becomes_live() -> None:
    played = Played(KrakenCodec(), [XMR])
    sides = {"a": [["354.20000000", "1.00000000", "0"]], "b": [["354.10000000", "2.00000000", "0"]]}
    played.feed(v2("XMR/USD", sides, "1", picture=True))
    assert played.pipeline.books.state(0) == BookState.GAP


def test_a_price_twice_in_one_message_has_its_last_quantity() -> None:
    played = Played(KrakenCodec(), [XMR])
    sides = {"a": [["354.20000000", "1.00000000", "0"]], "b": [["354.10000000", "2.00000000", "0"]]}
    played.feed(v2("XMR/USD", sides, None, picture=True))
    twice = [["354.10000000", "0.00000000", "1.000000"], ["354.10000000", "7.00000000", "2.000000"]]
    played.feed(json.dumps([1, {"b": twice}, "book-10", "XMR/USD"]).encode())
    assert played.pipeline.books.top(0).bid_quantity == 700_000_000
    played.feed(json.dumps([1, {"b": twice[::-1]}, "book-10", "XMR/USD"]).encode())
    assert played.pipeline.books.top(0).bid_quantity == 0


@pytest.mark.parametrize(
    ("price", "quantity", "words"),
    [
        ("354.1", "1.00000000", "decimals"),
        ("354.10000000", "1.0", "decimals"),
        ("354.100000000", "1.00000000", "decimals"),
        ("-354.10000000", "1.00000000", "plain decimal"),
        ("354,10000000", "1.00000000", "decimals"),
        ("354.10000000", "1e3", "decimals"),
        ("99999999999.00000000", "1.00000000", "64 bits"),
    ],
)
def test_a_level_that_the_checksum_could_not_be_made_of_is_refused_in_words(price: str, quantity: str, words: str) -> None:
    codec = opened(KrakenCodec(), [XMR])
    message = json.dumps([1, {"b": [[price, quantity, "1.000000"]]}, "book-10", "XMR/USD"]).encode()
    with pytest.raises(DecodeError, match=words):
        codec.decode(message, Records())


def test_a_removal_may_be_written_in_any_way() -> None:
    codec = opened(KrakenCodec(), [XMR])
    records = Records()
    codec.decode(
        b'{"channel":"book","type":"update","data":[{"symbol":"XMR/USD","bids":[{"price":354.1,"qty":0}],"asks":[]}]}', records
    )
    assert events_of(records) == [(EventKind.BOOK_DELTA, 1, 35_410_000_000, 0)]


def test_trades_tell_the_taker_and_a_list_of_old_ones_is_no_news() -> None:
    codec = opened(KrakenCodec(), [XMR, spot("kraken", "XBT/USD", 1, 8)])
    records = Records()
    two = b'[["354.11000000","0.89594024","1618678142.557535","s","l",""],["354.2","1","1618678143","b","m",""]]'
    old = b"[993," + two + b',"trade","XMR/USD"]'
    assert codec.decode(old, records) == "trade"
    assert events_of(records) == [
        (EventKind.TRADE, -1, 35_411_000_000, 89_594_024),
        (EventKind.TRADE, 1, 35_420_000_000, 100_000_000),
    ]
    assert records.events["ts_event"][:2].tolist() == [1618678142557535000, 1618678143000000000]
    assert records.events["flags"][:2].tolist() == [0, EventFlag.LAST]
    records.clear()
    trade = (
        '{"symbol":"%s","side":"buy","price":%s,"qty":2,"ord_type":"market","trade_id":1,"timestamp":"2023-09-25T07:49:37.7Z"}'
    )
    both = ",".join([trade % ("XMR/USD", "354.5"), trade % ("BTC/USD", "26000.5"), trade % ("BTC/USD", "26000.6")])
    codec.decode(f'{{"channel":"trade","type":"update","data":[{both}]}}'.encode(), records)
    assert records.frames["instrument"][: records.n_frames].tolist() == [0, 1]
    assert records.frames["n_events"][: records.n_frames].tolist() == [1, 2]
    assert events_of(records, 1)[1] == (EventKind.TRADE, 1, 260_006, 200_000_000)
    records.clear()
    assert codec.decode(f'{{"channel":"trade","type":"snapshot","data":[{both}]}}'.encode(), records) == "trade"
    assert records.n_frames == 0


def test_the_depth_of_version_2_is_what_the_subscription_was_answered_with() -> None:
    codec = opened(KrakenCodec(), [XMR])
    picture = v2("XMR/USD", {"a": [["354.20000000", "1.00000000", "0"]], "b": []}, None, picture=True)
    records = Records()
    codec.decode(picture, records)
    assert records.frames["kind"][0] == FrameKind.SNAPSHOT
    assert events_of(records)[0] == (EventKind.BOOK_CLEAR, 0, 0, 10)  # the least that holds it
    codec.decode(b'{"method":"subscribe","result":{"channel":"book","depth":100,"symbol":"XMR/USD"},"success":true}', Records())
    records.clear()
    codec.decode(picture, records)
    assert events_of(records)[0] == (EventKind.BOOK_CLEAR, 0, 0, 100)


def test_both_names_of_a_currency_are_known() -> None:
    assert names("XBT/USD") == ("XBT/USD", "BTC/USD")
    assert names("DOGE/BTC") == ("DOGE/BTC", "XDG/XBT")
    assert names("ETH/CHF") == ("ETH/CHF",)


def test_pairs_are_recognized_only_without_doubt(data: Path) -> None:
    messages = [frame.data for frame in json_lines(data, "KRAKEN")]
    assert KrakenCodec.recognize(messages) == ()  # too few prices to tell the ticks of all ten
    ada = [message for message in messages if b"ADA/XBT" in message]
    (found,) = KrakenCodec.recognize(ada)
    assert (found.price_decimals, found.tick_size, found.quantity_decimals) == (9, 10, 8)
    assert KrakenCodec.recognize([b"{}"] * 10) == ()
    assert KrakenCodec.recognize([*ada, *([b"broken"] * len(ada))]) == ()
