"""The codec by message: exact numbers, unknown messages by name, broken ones refused, nothing half-appended."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from binance_files import BTC_COINM, BTC_SPOT, BTC_USDM, opened
from hypothesis import given
from hypothesis import strategies as st

from vtframe.api import fixed
from vtframe.builtin.binance.digits import LevelDecoder
from vtframe.builtin.binance.known import SPOT, USDM, known_instrument
from vtframe.domain import EventFlag, EventKind, FrameKind, Records
from vtframe.errors import DecodeError

ETH_SPOT = known_instrument(SPOT, "ETHUSDT")
ETH_USDM = known_instrument(USDM, "ETHUSDT")

DEPTH = {"e": "depthUpdate", "E": 5, "s": "BTCUSDT", "U": 7, "u": 9, "b": [["1.10", "2.5"]], "a": [["1.20", "0.0"]]}
FUTURES_DEPTH = {**DEPTH, "T": 4, "pu": 6}
TRADE = {"e": "trade", "E": 5, "s": "BTCUSDT", "t": 1, "p": "10.5", "q": "2", "T": 4, "m": True, "M": True}
FUTURES_TRADE = {"e": "trade", "E": 5, "T": 4, "s": "BTCUSDT", "t": 1, "p": "10.5", "q": "2", "X": "MARKET", "m": False}
AGGREGATE = {
    "e": "aggTrade",
    "E": 5,
    "s": "BTCUSDT",
    "a": 1,
    "p": "10.5",
    "q": "2",
    "f": 1,
    "l": 2,
    "T": 4,
    "m": True,
    "M": True,
}
TICKER = {"u": 3, "s": "BTCUSDT", "b": "1.10", "B": "2", "a": "1.20", "A": "3"}
SNAPSHOT = {"lastUpdateId": 8, "bids": [["1.10", "2.5"]], "asks": [["1.20", "3"]]}


def _bytes(message: Any, stream: str | None = None) -> bytes:
    wrapped = message if stream is None else {"stream": stream, "data": message}
    return json.dumps(wrapped, separators=(",", ":")).encode()


def _decode(message: Any, *instruments: Any, stream: str | None = None, **settings: Any) -> tuple[str, Records]:
    records = Records()
    return opened(*(instruments or (BTC_SPOT,)), **settings).decode(_bytes(message, stream), records), records


def _events(records: Records) -> list[tuple[int, ...]]:
    return [
        (int(e["kind"]), int(e["side"]), int(e["price"]), int(e["quantity"]), int(e["flags"]), int(e["ts_event"]))
        for e in records.events[: records.n_events]
    ]


@pytest.mark.parametrize("stream", [None, "btcusdt@depth@100ms"])
def test_a_diff_of_spot(stream: str | None) -> None:
    name, records = _decode(DEPTH, stream=stream)
    assert name == "depthUpdate"
    frame = records.frames[0]
    assert (frame["kind"], frame["first_id"], frame["last_id"], frame["previous_id"]) == (FrameKind.DEPTH, 7, 9, -1)
    assert _events(records) == [
        (EventKind.BOOK_DELTA, 1, 110, 250_000_000, 0, 5_000_000),
        (EventKind.BOOK_DELTA, -1, 120, 0, EventFlag.LAST, 5_000_000),
    ]


def test_a_diff_of_futures_is_timed_by_the_matching_engine() -> None:
    _, records = _decode(FUTURES_DEPTH, BTC_USDM)
    assert records.frames[0]["previous_id"] == 6
    assert {e[5] for e in _events(records)} == {4_000_000}


def test_a_diff_without_levels_keeps_its_ids() -> None:
    _, records = _decode({**DEPTH, "b": [], "a": []})
    assert (records.n_frames, records.n_events, records.frames[0]["last_id"]) == (1, 0, 9)


def test_a_maker_that_bought_means_that_the_aggressor_sold() -> None:
    assert _events(_decode(TRADE)[1]) == [(EventKind.TRADE, -1, 1_050, 200_000_000, EventFlag.LAST, 4_000_000)]
    assert _events(_decode({**TRADE, "m": False})[1])[0][1] == 1


@pytest.mark.parametrize("what", ["INSURANCE_FUND", "ADL", "NA"])
def test_what_is_no_market_trade_is_flagged(what: str) -> None:
    assert _events(_decode({**FUTURES_TRADE, "X": what}, BTC_USDM)[1])[0][4] == EventFlag.LAST | EventFlag.NON_MARKET
    assert _events(_decode(FUTURES_TRADE, BTC_USDM)[1])[0][4] == EventFlag.LAST


def test_one_stream_of_trades_counts() -> None:
    assert _decode(TRADE)[1].n_frames == 1
    assert _decode(AGGREGATE)[0] == "aggTrade"
    assert _decode(AGGREGATE)[1].n_frames == 0
    assert _decode(TRADE, trades="aggTrade")[1].n_frames == 0
    assert _events(_decode(AGGREGATE, trades="aggTrade")[1]) == [
        (EventKind.TRADE, -1, 1_050, 200_000_000, EventFlag.LAST, 4_000_000)
    ]
    futures = {key: value for key, value in AGGREGATE.items() if key != "M"}
    both = _decode(futures, BTC_SPOT, BTC_USDM, trades="aggTrade")[1]
    assert both.frames[0]["instrument"] == 1


def test_best_prices_of_spot_have_no_time_of_the_venue() -> None:
    name, records = _decode(TICKER)
    assert (name, records.frames[0]["kind"], records.frames[0]["last_id"]) == ("bookTicker", FrameKind.QUOTE, 3)
    assert _events(records) == [
        (EventKind.QUOTE, 1, 110, 200_000_000, 0, 0),
        (EventKind.QUOTE, -1, 120, 300_000_000, EventFlag.LAST, 0),
    ]
    futures = {"e": "bookTicker", **TICKER, "T": 4, "E": 5}
    assert {e[5] for e in _events(_decode(futures, BTC_USDM)[1])} == {4_000_000}


def test_a_snapshot_clears_before_it_fills() -> None:
    name, records = _decode(SNAPSHOT)
    assert (name, records.frames[0]["kind"], records.frames[0]["last_id"]) == ("snapshot", FrameKind.SNAPSHOT, 8)
    assert _events(records) == [
        (EventKind.BOOK_CLEAR, 0, 0, 0, EventFlag.SNAPSHOT, 0),
        (EventKind.BOOK_DELTA, 1, 110, 250_000_000, EventFlag.SNAPSHOT, 0),
        (EventKind.BOOK_DELTA, -1, 120, 300_000_000, EventFlag.SNAPSHOT | EventFlag.LAST, 0),
    ]


def test_an_empty_snapshot_is_a_clear() -> None:
    _, records = _decode({"lastUpdateId": 8, "bids": [], "asks": []})
    assert _events(records) == [(EventKind.BOOK_CLEAR, 0, 0, 0, EventFlag.SNAPSHOT | EventFlag.LAST, 0)]


def test_a_snapshot_of_coin_margined_futures_names_its_symbol() -> None:
    message = {**SNAPSHOT, "E": 5, "T": 4, "symbol": "BTCUSD_PERP", "pair": "BTCUSD"}
    message |= {"bids": [["61804.7", "35"]], "asks": [["61804.8", "1"]]}
    _, records = _decode(message, BTC_SPOT, BTC_USDM, BTC_COINM)
    assert records.frames[0]["instrument"] == 2
    assert _decode({**message, "symbol": "ETHUSD_PERP"}, BTC_COINM)[1].n_frames == 0


def test_a_snapshot_without_symbol_is_of_the_markets_only_instrument() -> None:
    assert _decode(SNAPSHOT, BTC_USDM, BTC_SPOT)[1].frames[0]["instrument"] == 1
    assert _decode({**SNAPSHOT, "E": 5, "T": 4}, BTC_USDM, BTC_SPOT)[1].frames[0]["instrument"] == 0


def test_a_snapshot_that_could_be_of_several_books_is_of_the_one_whose_diffs_reach_over_it() -> None:
    codec = opened(ETH_USDM, BTC_USDM)
    records = Records()
    snapshot = _bytes({**SNAPSHOT, "E": 5, "T": 4, "lastUpdateId": 108})
    assert codec.decode(snapshot, records) == "snapshot of an unknown instrument"
    assert records.n_frames == 0
    codec.decode(_bytes({**FUTURES_DEPTH, "U": 100, "u": 105}), records)
    assert codec.decode(snapshot, records) == "snapshot of an unknown instrument"
    codec.decode(_bytes({**FUTURES_DEPTH, "U": 106, "u": 110, "pu": 105}), records)
    codec.decode(_bytes({**FUTURES_DEPTH, "s": "ETHUSDT", "U": 50, "u": 60}), records)
    records.clear()
    assert codec.decode(snapshot, records) == "snapshot"
    assert records.frames[0]["instrument"] == 1
    codec.decode(_bytes({**FUTURES_DEPTH, "s": "ETHUSDT", "U": 61, "u": 120}), records)
    assert codec.decode(snapshot, records) == "snapshot of an unknown instrument"  # now it could be of either


@pytest.mark.parametrize("message", [DEPTH, FUTURES_DEPTH, TRADE, FUTURES_TRADE, TICKER])
def test_messages_of_instruments_that_the_session_does_not_have_are_left_out(message: dict[str, Any]) -> None:
    name, records = _decode(message, ETH_SPOT, BTC_COINM)
    assert name in {"depthUpdate", "trade", "bookTicker"}
    assert (records.n_frames, records.n_events) == (0, 0)


@pytest.mark.parametrize(
    ("message", "stream", "name"),
    [
        ({"e": "markPriceUpdate", "E": 1, "s": "BTCUSDT", "p": "1"}, "btcusdt@markPrice", "markPriceUpdate"),
        ({"e": "forceOrder", "E": 1, "o": {"s": "BTCUSDT"}}, None, "forceOrder"),
        ({"result": None, "id": 1}, None, "result"),
        ({"error": {"code": 2, "msg": "Invalid"}, "id": 1}, None, "error"),
        ({"something": "else"}, None, "unknown"),
        ({}, None, "unknown"),
        (FUTURES_DEPTH, "btcusdt@depth20@100ms", "partial depth"),
        (SNAPSHOT, "btcusdt@depth5", "partial depth"),
    ],
)
def test_an_unknown_message_gives_its_name_and_nothing_else(message: Any, stream: str | None, name: str) -> None:
    found, records = _decode(message, stream=stream)
    assert found == name
    assert (records.n_frames, records.n_events) == (0, 0)


BROKEN = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"pong",
    b"\xff\xfe",
    _bytes(DEPTH)[:-5],
    _bytes(DEPTH, "btcusdt@depth")[:-5],
    _bytes({**DEPTH, "U": "7"}),
    _bytes({**DEPTH, "U": 10}),
    _bytes({**DEPTH, "u": 2**63}),
    _bytes({**DEPTH, "E": 10**18}),
    _bytes({**DEPTH, "b": None}),
    _bytes({**DEPTH, "b": [["1.10"]]}),
    _bytes({**DEPTH, "b": [["1.10", 2.5]]}),
    _bytes({**DEPTH, "b": [["1.101", "2.5"]]}),
    _bytes({**DEPTH, "a": [["1.20", "0.0"], ["-1.2", "1.0"]]}),
    _bytes({**DEPTH, "a": [["1.20", "1e3"]]}),
    _bytes({**DEPTH, "a": [["nan", "1"]]}),
    _bytes({**DEPTH, "a": [["9" * 18 + ".00", "1.0"]]}),
    _bytes({key: value for key, value in DEPTH.items() if key != "s"}),
    _bytes({**TRADE, "p": "10.555"}),
    _bytes({**TRADE, "p": ""}),
    _bytes({**TRADE, "p": "."}),
    _bytes({**TRADE, "q": "1_000"}),
    _bytes({**TRADE, "q": "\u0661"}),
    _bytes({**TRADE, "q": " 1"}),
    _bytes({**TRADE, "m": 1}),
    _bytes({**TICKER, "A": "0x10"}),
    _bytes({**SNAPSHOT, "asks": [["1.20", "3"], []]}),
    b'{"stream":"btcusdt@trade","data":3}',
    b'{"stream":"btcusdt@trade"',
]


@pytest.mark.parametrize("data", BROKEN)
def test_a_broken_message_is_refused_and_appends_nothing(data: bytes) -> None:
    codec = opened(BTC_SPOT)
    records = Records()
    codec.decode(_bytes(DEPTH, "btcusdt@depth"), Records())  # so that known streams are tried too
    codec.decode(_bytes(TRADE, "btcusdt@trade"), Records())
    with pytest.raises(DecodeError):
        codec.decode(data, records)
    assert (records.n_frames, records.n_events) == (0, 0)


def test_a_message_is_read_by_its_own_type_whatever_its_stream_sent_before() -> None:
    codec = opened(BTC_SPOT)
    records = Records()
    codec.decode(_bytes(TRADE, "btcusdt@trade"), records)
    assert codec.decode(_bytes(DEPTH, "btcusdt@trade"), records) == "depthUpdate"
    assert records.frames["kind"][:2].tolist() == [FrameKind.TRADE, FrameKind.DEPTH]


@given(st.binary(max_size=200) | st.sampled_from([_bytes(m) for m in (DEPTH, TRADE, TICKER, SNAPSHOT)]), st.data())
def test_no_bytes_whatever_raise_anything_but_a_decode_error(data: bytes, draw: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 3)) if data else 0):
        changed[draw.draw(st.integers(0, len(changed) - 1))] = draw.draw(st.integers(0, 255))
    codec = opened(BTC_SPOT, BTC_USDM)
    records = Records()
    try:
        name = codec.decode(bytes(changed), records)
    except DecodeError:
        assert (records.n_frames, records.n_events) == (0, 0)
    else:
        assert isinstance(name, str)


# numbers ----------------------------------------------------------------------------------------------------------


def _write(value: int, decimals: int, written: int) -> str:
    """``value`` at ``decimals``, with ``written`` decimals (no fewer than it needs)."""
    return f"{Decimal(value).scaleb(-decimals):.{written}f}"


@given(st.integers(0, 10**15), st.integers(0, 8), st.integers(0, 8))
def test_every_number_is_read_as_it_was_written(value: int, decimals: int, more: int) -> None:
    assert fixed(_write(value, decimals, decimals + more), decimals) == value


@given(st.integers(0, 10**12), st.integers(0, 6), st.integers(1, 4))
def test_a_number_with_more_digits_than_the_unit_is_refused(value: int, decimals: int, more: int) -> None:
    text = _write(value * 10 + 1, decimals + more, decimals + more)
    with pytest.raises(DecodeError, match=f"has more than {decimals} decimals"):
        fixed(text, decimals)


@given(
    levels=st.lists(st.tuples(st.integers(0, 10**11), st.integers(0, 10**11)), max_size=30),
    price_decimals=st.integers(0, 5),
    quantity_decimals=st.integers(0, 5),
    written=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=3),
    spaced=st.booleans(),
)
def test_any_levels_decode_to_themselves_however_they_are_written(
    *,
    levels: list[tuple[int, int]],
    price_decimals: int,
    quantity_decimals: int,
    written: list[tuple[int, int]],
    spaced: bool,
) -> None:
    decoder = LevelDecoder(price_decimals, quantity_decimals)
    for more_p, more_q in written:  # one decoder, changing habits
        texts = [
            [_write(p, price_decimals, price_decimals + more_p), _write(q, quantity_decimals, quantity_decimals + more_q)]
            for p, q in levels
        ]
        raw = msgspec.Raw(json.dumps(texts, separators=(", ", ": ") if spaced else (",", ":")).encode())
        assert decoder.read(raw).tolist() == [list(level) for level in levels]


@given(st.lists(st.tuples(st.decimals(0, 10**6, places=6), st.integers(0, 6)), min_size=1, max_size=10))
def test_levels_written_unevenly_are_read_one_by_one(numbers: list[tuple[Decimal, int]]) -> None:
    texts = [f"{number:.{places}f}" for number, places in numbers]
    raw = msgspec.Raw(json.dumps([[text, text] for text in texts]).encode())
    expected = [[int(Decimal(text).scaleb(6))] * 2 for text in texts]
    assert LevelDecoder(6, 6).read(raw).tolist() == expected


def test_levels_larger_than_eighteen_digits_are_read_while_they_fit() -> None:
    decoder = LevelDecoder(0, 0)
    assert decoder.read(msgspec.Raw(b'[["1","9223372036854775807"]]')).tolist() == [[1, 2**63 - 1]]
    with pytest.raises(DecodeError, match="does not fit 64 bits"):
        decoder.read(msgspec.Raw(b'[["1","9223372036854775808"]]'))


@pytest.mark.parametrize("count", [100, 257])
def test_frames_larger_than_the_records_make_them_grow(count: int) -> None:
    random = np.random.default_rng(count)
    levels = list(zip(random.integers(1, 10**9, count).tolist(), random.integers(0, 10**12, count).tolist(), strict=True))
    records = Records(frames=1, events=4)
    codec = opened(BTC_SPOT)
    texts = [[_write(p, 2, 8), _write(q, 8, 8)] for p, q in levels]
    for _ in range(2):
        codec.decode(_bytes({**DEPTH, "b": texts, "a": []}), records)
    assert (records.n_frames, records.n_events) == (2, 2 * len(levels))
    events = records.events[: records.n_events]
    assert np.array_equal(events["price"], [p for p, _ in levels] * 2)
    assert np.array_equal(events["quantity"], [q for _, q in levels] * 2)
    assert records.frames["first_event"][:2].tolist() == [0, len(levels)]
