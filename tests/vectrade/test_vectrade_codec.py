"""VecTrade's codec: twins agree on every mutation, numbers are exact, and what is broken is refused."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from vtframe_vectrade import examples
from vtframe_vectrade.codec import VectradeCodec
from vtframe_vectrade.known import VENUE, Units, instrument_of
from vtframe_vectrade.mock import StreamVenue

from vtframe.api import DecodeError
from vtframe.domain import EventFlag, EventKind, FrameKind, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.testing import CODEC_CHECKS, CodecCase, CodecCheck
from vtframe.testing.mutations import mutations

OTHERS = (
    b'{"type":"heartbeat","timestamp":"2026-05-15T14:30:05Z"}',
    b'{"type":"of_tomorrow","channel":"orderbook:BTC-USD","deep":[1,{"a":null}]}',
    b'{"type":"error","message":"no channel"}',
)


def opened() -> VectradeCodec:
    codec = VectradeCodec()
    codec.open(SessionInstruments(examples.INSTRUMENTS))
    return codec


def decoded(data: bytes) -> tuple[str, Records]:
    records = Records()
    return opened().decode(data, records), records


@pytest.mark.parametrize("check", CODEC_CHECKS)
def test_the_laws_of_codecs_are_kept(check: CodecCheck) -> None:
    check(CodecCase(make=VectradeCodec, instruments=examples.INSTRUMENTS, messages=examples.MESSAGES, others=OTHERS))


def test_both_twins_agree_on_mutated_messages() -> None:
    codec, twin = opened(), opened()._reference
    kinds: dict[str, int] = {}
    for data in itertools.islice(mutations(examples.MESSAGES, 5), 20_000):
        answers = []
        for decode in (codec.decode, twin.decode):
            records = Records()
            try:
                name = decode(data, records)
            except DecodeError:
                name = "refused"
                assert records.n_frames == 0
            frames, events = records.frames[: records.n_frames], records.events[: records.n_events]
            answers.append((name, frames.tobytes(), events.tobytes()))
        assert answers[0] == answers[1], data
        kinds[answers[0][0]] = kinds.get(answers[0][0], 0) + 1
    assert kinds["refused"] > 1_000
    assert all(kinds[kind] > 100 for kind in ("snapshot", "delta", "trade", "ticker", "quote.update"))


def test_messages_in_the_dialects_order_are_read_by_the_compiled_half() -> None:
    codec, records = opened(), Records()
    for data in examples.MESSAGES:
        codec.decode(data, records)
    assert sum(codec.fallbacks.values()) == 0
    swapped = json.loads(examples.MESSAGES[1])
    codec.decode(json.dumps(dict(reversed(swapped.items()))).encode(), records)
    assert records.n_frames == 8


@pytest.mark.parametrize("text", ["198.49", "198.4900", "1.9849e2", "19849e-2", "0.01", "1e3"])
def test_a_quotes_number_is_read_from_its_digits_and_never_through_a_float(text: str) -> None:
    data = b'{"type":"quote.update","symbol":"AAPL","price":1,"bid":%b,"timestamp":"2026-05-15T14:30:00Z"}'
    _, records = decoded(data % text.encode())
    from decimal import Decimal

    assert records.events["price"][0] == int(Decimal(text) * 100)
    assert records.frames["kind"][0] == FrameKind.QUOTE


@pytest.mark.parametrize("bid", [b"198.491", b"-1", b'"198.49"', b"true", b"[]", b"1e400", b"NaN"])
def test_a_quote_that_cannot_be_kept_exactly_is_refused(bid: bytes) -> None:
    data = b'{"type":"quote.update","symbol":"AAPL","price":1,"bid":%b,"timestamp":"2026-05-15T14:30:00Z"}'
    with pytest.raises(DecodeError):
        decoded(data % bid)


def test_a_quote_without_bid_and_ask_appends_nothing() -> None:
    name, records = decoded(b'{"type":"quote.update","symbol":"AAPL","price":198.5,"timestamp":"2026-05-15T14:30:00Z"}')
    assert (name, records.n_frames) == ("quote.update", 0)


def test_a_note_of_a_loss_is_a_gap_of_its_instrument() -> None:
    data = b'{"type":"vtframe.note","symbol":"AAPL","state":"gap","timestamp":"2026-05-15T14:30:00.000000007Z","reason":"cut"}'
    _, records = decoded(data)
    event = records.events[0]
    assert (records.frames["kind"][0], event["kind"], event["instrument"]) == (FrameKind.STATUS, EventKind.STATUS, 1)
    assert event["flags"] == EventFlag.GAP | EventFlag.LAST
    assert event["ts_event"] % 1_000_000_000 == 7


def broken(**changes: Any) -> bytes:
    return json.dumps({**json.loads(examples.MESSAGES[2]), **changes}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": "trades:BTC-USD"},
        {"sequence": -1},
        {"sequence": "1002"},
        {"sequence": 2**63},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-13-01T00:00:00Z"},
        {"bids": [["61773.605", "1"]]},
        {"bids": [[61773.6, 1]]},
        {"bids": [["-1", "1"]]},
        {"asks": None},
        {"asks": [["1"]]},
    ],
)
def test_a_broken_change_is_refused(changes: dict[str, Any]) -> None:
    assert decoded(broken())[1].n_frames == 1
    with pytest.raises(DecodeError):
        decoded(broken(**changes))


def test_a_recording_of_the_mock_is_recognized_with_its_units() -> None:
    venue = StreamVenue(("BTC-USD", "AAPL"))
    messages = [venue.picture(book) for book in venue.books]
    for book in venue.books:
        messages += [venue.change(book, book.step()) for _ in range(300)]
    assert list(VectradeCodec.recognize(messages)) == [instrument_of("BTC-USD"), instrument_of("AAPL")]
    assert VectradeCodec.recognize([b'{"other":1}'] * 10) == ()
    assert VectradeCodec.known_instrument("binance", "BTC-USD") is None


def test_pairs_and_stocks_have_their_currencies_and_units() -> None:
    pair, stock = instrument_of("EUR-USD", Units(tick="0.00001", lot="1000")), instrument_of("AAPL")
    assert (pair.base, pair.quote, pair.price_decimals, pair.tick_size, pair.quantity_decimals, pair.lot_size) == (
        "EUR",
        "USD",
        5,
        1,
        0,
        1000,
    )
    assert (stock.base, stock.quote, stock.price_decimals, stock.venue) == ("AAPL", "USD", 2, VENUE)
