"""OKX: the chain of ids, which the recording of 2022 does not have yet, put around its books; checksums; numbers; shapes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptofeed_files import json_lines
from venue_markets import OKX, Played, contents, decoded, events_of, opened, reference_of, spot
from vtframe_okx.codec import OkxCodec
from vtframe_okx.known import make_instrument

from vtframe.api import DecodeError
from vtframe.domain import BookState, EventKind, InstrumentKind, Records, SequenceRule
from vtframe.testing.mutations import mutations

BTC = spot("okx", "BTC-USDT", 1, 8)


def chained(data: Path, *, checksums: bool) -> Iterator[dict[str, Any]]:
    """The recorded books of BTC-USDT with ids as OKX sends them since 2023: each names the one before, -1 for the picture."""
    last = -1
    for index, frame in enumerate(json_lines(data, "OKX")):
        message = json.loads(frame.data)
        if message.get("arg") == {"channel": "books", "instId": "BTC-USDT"} and "data" in message:
            (book,) = message["data"]
            sequence = 1000 + 7 * index
            book |= {"prevSeqId": -1 if message["action"] == "snapshot" else last, "seqId": sequence}
            last = sequence
            if not checksums:
                book["checksum"] = 0
            yield message


def play(messages: list[dict[str, Any]]) -> Played:
    played = Played(OkxCodec(), [BTC])
    for message in messages:
        played.feed(json.dumps(message, separators=(",", ":")).encode())
    return played


def test_a_chain_without_a_break_is_live_with_checksums_and_without(data: Path) -> None:
    for checksums, verified in ((True, 98), (False, 0)):
        played = play(list(chained(data, checksums=checksums)))
        counts = played.pipeline.counts()
        assert (counts.frames, counts.verified, counts.gaps) == (98, verified, 0)
        assert played.pipeline.books.state(0) == BookState.LIVE
        assert played.pipeline.books.update_id(0) > 1000
        assert played.codec.fallbacks == {}


def test_every_single_loss_is_a_gap_at_the_next_message(data: Path) -> None:
    messages = list(chained(data, checksums=False))[:40]
    for gone in range(1, 39):
        played = play([*messages[:gone], *messages[gone + 1 : gone + 2]])
        assert played.pipeline.books.state(0) == BookState.GAP


def test_a_new_picture_ends_a_gap_even_when_its_ids_begin_anew(data: Path) -> None:
    messages = list(chained(data, checksums=True))
    played = play([*messages[:5], *messages[6:10]])
    assert played.pipeline.books.state(0) == BookState.GAP
    again = messages[0] | {"data": [messages[0]["data"][0] | {"seqId": 3}]}
    played.feed(json.dumps(again).encode())
    assert played.pipeline.books.state(0) == BookState.LIVE
    assert played.pipeline.books.update_id(0) == 3
    follows = messages[1] | {"data": [messages[1]["data"][0] | {"prevSeqId": 3, "seqId": 5}]}
    played.feed(json.dumps(follows).encode())
    assert played.pipeline.books.state(0) == BookState.LIVE


def test_ids_that_are_reset_and_messages_without_news_keep_the_chain(data: Path) -> None:
    messages = list(chained(data, checksums=False))[:3]
    played = play(messages)
    last = messages[-1]["data"][0]["seqId"]
    empty = {"asks": [], "bids": [], "ts": "1652459225464", "checksum": 0}
    for previous, sequence in ((last, last), (last, 3), (3, 5)):  # no news; after maintenance; as ever
        played.feed(json.dumps(messages[1] | {"data": [empty | {"prevSeqId": previous, "seqId": sequence}]}).encode())
        assert played.pipeline.books.state(0) == BookState.LIVE
    played.feed(json.dumps(messages[1] | {"data": [empty | {"prevSeqId": 4, "seqId": 6}]}).encode())
    assert played.pipeline.books.state(0) == BookState.GAP


def test_a_reset_right_behind_the_picture_is_no_old_message(data: Path) -> None:
    picture = next(chained(data, checksums=False))
    played = play([picture])
    empty = {"asks": [], "bids": [["30000", "1", "0", "1"]], "ts": "1652459225464", "checksum": 0}
    sequence = picture["data"][0]["seqId"]
    played.feed(json.dumps(picture | {"action": "update", "data": [empty | {"prevSeqId": sequence, "seqId": 2}]}).encode())
    assert played.pipeline.books.state(0) == BookState.LIVE
    assert (played.pipeline.books.update_id(0), played.pipeline.counts().old_frames) == (2, 0)


def test_chained_books_mutated_are_read_alike_or_refused_by_both(data: Path) -> None:
    messages = [json.dumps(m, separators=(",", ":")).encode() for m in chained(data, checksums=True)][1:]
    messages = [message for message in messages if len(message) < 3_000]
    fast, plain = opened(OkxCodec(), [BTC]), reference_of(opened(OkxCodec(), [BTC]))
    one, other = Records(), Records()
    read = 0
    for message in itertools.islice(mutations(messages, 5, most=2), 4_000):
        assert decoded(fast, message, one) == decoded(plain, message, other), message
        assert contents(one) == contents(other), message
        read += one.n_frames > 0
    assert read > 400


def test_bids_stand_before_asks_and_a_checksum_has_no_sign() -> None:
    codec = opened(OkxCodec(), [BTC])
    records = Records()
    asks, bids = '[["2","3","0","1"],["4","5","0","1"]]', '[["1.5","0.00000001","0","1"]]'
    book = f'{{"asks":{asks},"bids":{bids},"ts":"1652459225464","checksum":-1}}'
    codec.decode(f'{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"update","data":[{book}]}}'.encode(), records)
    delta = EventKind.BOOK_DELTA
    assert events_of(records) == [(delta, 1, 15, 1), (delta, -1, 20, 300_000_000), (delta, -1, 40, 500_000_000)]
    assert records.frames["checksum"][0] == 2**32 - 1
    assert records.events["ts_event"][:3].tolist() == [1652459225464000000] * 3
    assert codec.sequence_rule(0) == SequenceRule.PREVIOUS


@pytest.mark.parametrize(
    "book",
    [
        '{"asks":[],"bids":[["1"]],"ts":"1","checksum":0}',
        '{"asks":[],"bids":[["1.55","1","0","1"]],"ts":"1","checksum":0}',
        '{"asks":[],"bids":[["1.5","-1","0","1"]],"ts":"1","checksum":0}',
        '{"asks":[],"bids":[],"ts":"never","checksum":0}',
        '{"asks":[],"bids":[],"checksum":0}',
        '{"asks":[],"bids":[],"ts":"1","checksum":4294967296}',
        '{"bids":[],"ts":"1","checksum":0}',
    ],
)
def test_a_broken_book_is_refused_and_nothing_is_appended(book: str) -> None:
    codec, records = opened(OkxCodec(), [BTC]), Records()
    message = f'{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"update","data":[{book}]}}'.encode()
    with pytest.raises(DecodeError):
        codec.decode(message, records)
    assert (records.n_frames, records.n_events) == (0, 0)


def test_best_levels_alone_are_no_book() -> None:
    codec, records = opened(OkxCodec(), [BTC]), Records()
    message = b'{"arg":{"channel":"books5","instId":"BTC-USDT"},"data":[{"asks":[["2","3","0","1"]],"bids":[],"ts":"1"}]}'
    assert codec.decode(message, records) == "books5"
    assert records.n_frames == 0


def test_what_a_name_says_of_an_instrument() -> None:
    from decimal import Decimal

    units = {"tick": Decimal("0.1"), "lot": Decimal(1), "price_decimals": 1, "quantity_decimals": 0}
    swap = make_instrument("BTC-USD-SWAP", **units)
    assert swap is not None
    assert (swap.kind, swap.multiplier, swap.settlement) == (InstrumentKind.INVERSE, 100, "BTC")
    future = make_instrument("UNI-USD-220527", **units)
    assert future is not None
    assert (future.kind, future.multiplier) == (InstrumentKind.INVERSE, 10)
    linear = make_instrument("BTC-USDT-SWAP", **units)
    assert linear is not None
    assert (linear.kind, linear.multiplier, linear.settlement) == (InstrumentKind.LINEAR, Decimal("0.01"), "USDT")
    assert make_instrument("UNKNOWN-USDT-SWAP", **units) is None  # what a contract is worth is not known
    assert make_instrument("BTC-USD-220514-22000-C", **units) is None


def test_three_hundred_prices_do_not_tell_a_tick(data: Path) -> None:
    assert OkxCodec.recognize(frame.data for frame in json_lines(data, "OKX")) == ()
    btc = [frame.data for frame in json_lines(data, "OKX") if b'"BTC-USDT"' in frame.data]
    (found,) = OkxCodec.recognize(btc)
    assert found == OkxCodec.known_instrument("okx", "BTC-USDT")
    assert len(OKX) == 3
