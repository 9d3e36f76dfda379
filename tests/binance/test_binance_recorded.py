"""On every recorded file: counts as described, unbroken chains of update ids, events equal to an independent decode."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from binance_files import FILES, PAIRS, File, file_ids, message_of, opened, raw_lines

from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.known import SPOT, known_instrument
from vtframe.domain import EVENT, EventFlag, EventKind, FrameKind, Instrument, Records
from vtframe.wire import RecordingReader, detect_time_unit, read_sample

NAMES = {"depthUpdate": "depth", "bookTicker": "quotes", "trade": "trades", "snapshot": "snapshots"}


@pytest.mark.parametrize("file", FILES, ids=file_ids(FILES))
def test_a_recorded_file_is_what_its_description_says(recorded: Path, file: File) -> None:
    path = recorded / file.name
    sample = read_sample(path, 1_000)
    assert detect_time_unit(str(path), sample.stamps) == file.unit
    assert BinanceCodec.recognize(sample.messages) == (known_instrument(file.venue, file.symbol),)

    codec = opened(known_instrument(file.venue, file.symbol))
    records = Records()
    names: Counter[str] = Counter()
    kinds: Counter[int] = Counter()
    damage: list[Any] = []
    reader = RecordingReader(path, file.unit, damage.append)  # type: ignore[arg-type]
    for _, _, data in reader:
        records.clear()
        names[codec.decode(data, records)] += 1
        kinds.update(records.frames["kind"][: records.n_frames].tolist())
    assert damage == []
    assert reader.lines == file.lines
    assert {NAMES[name]: count for name, count in names.items() if name in NAMES} == {
        key: getattr(file, key) for key in NAMES.values() if getattr(file, key)
    }
    assert kinds == {
        kind: count
        for kind, count in (
            (FrameKind.DEPTH, file.depth),
            (FrameKind.QUOTE, file.quotes),
            (FrameKind.TRADE, file.trades),
            (FrameKind.SNAPSHOT, file.snapshots),
        )
        if count
    }
    assert set(names) - set(NAMES) <= {"markPriceUpdate"}


@pytest.mark.parametrize("pair", PAIRS, ids=["spot", "usdm_2024", "coinm", "usdm_2023"])
def test_the_chain_of_update_ids_has_no_break_within_a_pair(recorded: Path, pair: tuple[File, ...]) -> None:
    codec = opened(known_instrument(pair[0].venue, pair[0].symbol))
    records = Records()
    last = None
    compared = breaks = 0
    for file in pair:
        for _, data in raw_lines(recorded / file.name):
            if b"@depth" not in data[:64]:
                continue
            records.clear()
            codec.decode(data, records)
            frame = records.frames[0]
            if last is not None:
                compared += 1
                breaks += (frame["first_id"] != last + 1) if file.venue == SPOT else (frame["previous_id"] != last)
            last = frame["last_id"]
    assert compared == sum(file.depth for file in pair) - 1
    assert breaks == 0


@pytest.mark.parametrize("file", FILES, ids=file_ids(FILES))
def test_events_equal_an_independent_decimal_decode(recorded: Path, file: File) -> None:
    instrument = known_instrument(file.venue, file.symbol)
    assert instrument is not None
    codec = opened(instrument)
    records = Records()
    compared: Counter[str] = Counter()
    for number, (_, data) in enumerate(raw_lines(recorded / file.name)):
        if number % 4 and b"lastUpdateId" not in data[:16]:
            continue
        records.clear()
        name = codec.decode(data, records)
        expected = _reference(message_of(data), instrument)
        if expected is None:
            assert records.n_frames == 0
            continue
        kind, ids, events = expected
        frame = records.frames[0]
        assert (records.n_frames, frame["kind"], frame["n_events"], frame["instrument"]) == (1, kind, len(events), 0)
        assert (frame["first_id"], frame["last_id"], frame["previous_id"]) == ids
        assert np.array_equal(records.events[: records.n_events], np.array(events, EVENT))
        compared[name] += len(events)
    assert set(compared) >= {"depthUpdate", "bookTicker", "trade"}
    assert compared["snapshot"] == (2_001 if file.snapshots else 0)
    assert sum(compared.values()) > file.lines // 3


def _reference(
    message: dict[str, Any], instrument: Instrument
) -> tuple[int, tuple[int, int, int], list[tuple[int, ...]]] | None:
    """Kind, ids and EVENT tuples of a message, by Decimal and one branch per fact of the venue's documentation."""

    def price(text: str) -> int:
        return _exact(text, instrument.price_decimals)

    def quantity(text: str) -> int:
        return _exact(text, instrument.quantity_decimals)

    ts_event = message.get("T", message.get("E", 0)) * 1_000_000
    events: list[tuple[int, ...]] = []
    if "lastUpdateId" in message:
        events.append((0, ts_event, 0, 0, 0, 0, EventFlag.SNAPSHOT, EventKind.BOOK_CLEAR, 0))
        for key, side in (("bids", 1), ("asks", -1)):
            for p, q in message[key]:
                events.append((0, ts_event, price(p), quantity(q), 0, 0, EventFlag.SNAPSHOT, EventKind.BOOK_DELTA, side))
        events[-1] = (*events[-1][:6], EventFlag.SNAPSHOT | EventFlag.LAST, *events[-1][7:])
        return FrameKind.SNAPSHOT, (-1, message["lastUpdateId"], -1), events
    if message.get("e") == "depthUpdate":
        for key, side in (("b", 1), ("a", -1)):
            for p, q in message[key]:
                events.append((0, ts_event, price(p), quantity(q), 0, 0, 0, EventKind.BOOK_DELTA, side))
        if events:
            events[-1] = (*events[-1][:6], EventFlag.LAST, *events[-1][7:])
        return FrameKind.DEPTH, (message["U"], message["u"], message.get("pu", -1)), events
    if message.get("e") == "trade":
        flags = EventFlag.LAST
        if message.get("X", "MARKET") != "MARKET":
            flags |= EventFlag.NON_MARKET
        side = -1 if message["m"] else 1
        events = [(0, ts_event, price(message["p"]), quantity(message["q"]), 0, 0, flags, EventKind.TRADE, side)]
        return FrameKind.TRADE, (-1, -1, -1), events
    if message.get("e", "bookTicker") == "bookTicker":
        events = [
            (0, ts_event, price(message["b"]), quantity(message["B"]), 0, 0, 0, EventKind.QUOTE, 1),
            (0, ts_event, price(message["a"]), quantity(message["A"]), 0, 0, EventFlag.LAST, EventKind.QUOTE, -1),
        ]
        return FrameKind.QUOTE, (-1, message["u"], -1), events
    return None


def _exact(text: str, decimals: int) -> int:
    scaled = Decimal(text) * 10**decimals
    assert scaled == int(scaled)
    return int(scaled)


def test_the_insurance_funds_trade_is_flagged(recorded: Path) -> None:
    codec = opened(known_instrument("binance_usdm", "BTCUSDT"))
    records = Records()
    for _, data in raw_lines(recorded / "usdm_btcusdt_20230405.dat.gz"):
        if b"INSURANCE_FUND" in data:
            assert codec.decode(data, records) == "trade"
    assert records.n_events == 1
    assert records.events[0]["flags"] == EventFlag.LAST | EventFlag.NON_MARKET


def test_quantities_finer_than_the_lot_are_read_exactly(recorded: Path) -> None:
    spot = known_instrument(SPOT, "BTCUSDT")
    assert spot is not None
    codec = opened(spot)
    records = Records(events=1 << 12)
    finer = 0
    for _, data in raw_lines(recorded / "spot_btcusdt_20240808.gz"):
        records.clear()
        codec.decode(data, records)
        finer += int(np.count_nonzero(records.events["quantity"][: records.n_events] % spot.lot_size))
    assert finer > 0


def test_spot_and_futures_of_one_symbol_are_told_apart_in_one_session(recorded: Path) -> None:
    spot, usdm, coinm = FILES[0], FILES[2], FILES[3]
    codec = opened(*(known_instrument(file.venue, file.symbol) for file in (coinm, usdm, spot)))
    records = Records()
    for index, file in enumerate((coinm, usdm, spot)):
        seen: Counter[int] = Counter()
        for _, data in list(raw_lines(recorded / file.name))[:3_000]:
            records.clear()
            codec.decode(data, records)
            seen.update(records.frames["instrument"][: records.n_frames].tolist())
        assert set(seen) == {index}


def test_each_market_has_its_own_sequence_rule() -> None:
    codec = opened(*(known_instrument(file.venue, file.symbol) for file in (FILES[0], FILES[2], FILES[3])))
    assert [codec.sequence_rule(index).name for index in range(3)] == ["NEXT", "PREVIOUS", "PREVIOUS"]
