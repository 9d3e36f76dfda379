"""What a live feed adds to the venue's messages: snapshots in envelopes that name their book, and notes of losses."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest
from binance_files import BTC_COINM, BTC_SPOT, BTC_USDM
from binance_twins import REFUSED, Twins

from vtframe.builtin.binance.known import COINM, SPOT, USDM, known_instrument
from vtframe.builtin.binance.notes import NOTE, note, snapshot_envelope
from vtframe.domain import EventFlag, EventKind, FrameKind, Instrument
from vtframe.testing.mutations import mutations

ETH_SPOT, ETH_USDM, ETH_COINM = (
    known_instrument(venue, symbol) for venue, symbol in ((SPOT, "ETHUSDT"), (USDM, "ETHUSDT"), (COINM, "ETHUSD_PERP"))
)
ALL = (BTC_SPOT, BTC_USDM, BTC_COINM, ETH_SPOT, ETH_USDM, ETH_COINM)
LEVELS = b'"bids":[["100.10","2"],["100.00","1"]],"asks":[["100.20","3"]]}'
BODIES = {
    SPOT: b'{"lastUpdateId":8,' + LEVELS,
    USDM: b'{"lastUpdateId":8,"E":5,"T":4,' + LEVELS,
    COINM: b'{"lastUpdateId":8,"E":5,"T":4,"symbol":"%b","pair":"BTCUSD",'
    + LEVELS.replace(b"0.10", b"0.1").replace(b"0.20", b"0.2"),
}


def body(instrument: Instrument) -> bytes:
    found = BODIES[instrument.venue]
    return found % instrument.symbol.encode() if instrument.venue == COINM else found


@pytest.mark.parametrize("index", range(len(ALL)), ids=[one.instrument_id for one in ALL if one is not None])
def test_a_snapshot_is_of_the_book_that_its_envelope_names_whatever_else_the_session_has(index: int) -> None:
    twins, instrument = Twins(*ALL), ALL[index]
    assert instrument is not None
    assert twins.read(snapshot_envelope(instrument.symbol, body(instrument))) == "snapshot"
    (frame,) = twins.left.frames[: twins.left.n_frames]
    assert (frame["instrument"], frame["kind"], frame["last_id"], frame["n_events"]) == (index, FrameKind.SNAPSHOT, 8, 4)
    first = twins.left.events[0]
    assert (first["kind"], first["flags"]) == (EventKind.BOOK_CLEAR, EventFlag.SNAPSHOT)
    assert twins.compiled.fallbacks == {}


def test_a_snapshot_of_a_book_that_the_session_does_not_have_gives_nothing() -> None:
    twins = Twins(*ALL)
    assert twins.read(snapshot_envelope("XRPUSDT", BODIES[SPOT])) == "snapshot"
    assert twins.left.n_frames == 0
    assert twins.read(snapshot_envelope("BTCUSD_PERP", BODIES[SPOT])) == "snapshot"  # spot has no such symbol
    assert twins.left.n_frames == 0


@pytest.mark.parametrize(
    ("outer", "inner"), [("BTCUSD_PERP", b"ETHUSD_PERP"), ("XRPUSD_PERP", b"BTCUSD_PERP"), ("BTCUSDT", b"X")]
)
def test_a_snapshot_that_names_another_book_than_its_envelope_is_refused(outer: str, inner: bytes) -> None:
    assert Twins(*ALL).read(snapshot_envelope(outer, BODIES[COINM] % inner)) == REFUSED


@pytest.mark.parametrize("stream", ["@depthSnapshot", "btcusdt@depthSnapshots", "btcusdt@depth", "btcusdt", ""])
def test_another_envelope_names_no_book(stream: str) -> None:
    twins = Twins(*ALL)
    data = b'{"stream":%b,"data":%b}' % (json.dumps(stream).encode(), BODIES[SPOT])
    assert twins.read(data) == "snapshot of an unknown instrument"


@pytest.mark.parametrize(("state", "flag"), [("gap", EventFlag.GAP), ("stale", EventFlag.STALE)])
def test_a_note_is_a_status_of_its_book_and_no_fallback(state: str, flag: EventFlag) -> None:
    twins = Twins(*ALL)
    assert BTC_USDM is not None
    said = note(BTC_USDM, state, 'connection 3 is over: "reset" \\ \u00e9')  # type: ignore[arg-type]
    assert json.loads(said)["data"]["reason"].startswith("connection 3 is over")
    assert twins.read(said) == NOTE
    (frame,), (event,) = twins.left.frames[:1], twins.left.events[:1]
    assert (frame["instrument"], frame["kind"], frame["n_events"]) == (1, FrameKind.STATUS, 1)
    assert (event["kind"], event["flags"], event["ts_event"]) == (EventKind.STATUS, EventFlag.LAST | flag, 0)
    assert twins.compiled.fallbacks == {}


def test_a_note_that_is_none_is_refused_or_gives_nothing() -> None:
    twins = Twins(*ALL)
    for data in (
        b'{"e":"vtframe.note"}',
        b'{"e":"vtframe.note","venue":"binance_spot","symbol":"BTCUSDT","state":"live"}',
        b'{"e":"vtframe.note","venue":7,"symbol":"BTCUSDT","state":"gap"}',
    ):
        assert twins.read(data) == REFUSED
    assert twins.read(b'{"e":"vtframe.note","venue":"elsewhere","symbol":"BTCUSDT","state":"gap"}') == NOTE
    assert twins.left.n_frames == 0


def test_mutated_envelopes_and_notes_give_both_codecs_the_same() -> None:
    known = [one for one in ALL if one is not None]
    messages = [snapshot_envelope(one.symbol, body(one)) for one in known] + [note(one, "gap", "lost") for one in known]
    twins = Twins(*ALL)
    seen = Counter(twins.read(data) for data in itertools.islice(mutations(messages, seed=5, most=2), 30_000))
    assert seen["snapshot"] > 1_000
    assert seen[REFUSED] > 1_000
    assert seen[NOTE] > 100
