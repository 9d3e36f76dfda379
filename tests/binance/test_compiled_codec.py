"""The compiled codec is the reference codec, only quicker: on every recorded message, on mutations, and message by message."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from binance_files import BTC_COINM, BTC_SPOT, BTC_USDM, FILES, File, file_ids, raw_lines
from binance_twins import REFUSED, Twins, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from vtframe.builtin.binance.known import SPOT, USDM, known_instrument
from vtframe.testing.mutations import mutations

ETH_SPOT, ETH_USDM = known_instrument(SPOT, "ETHUSDT"), known_instrument(USDM, "ETHUSDT")

DEPTH = {"e": "depthUpdate", "E": 5, "s": "BTCUSDT", "U": 7, "u": 9, "b": [["1.10", "2.5"]], "a": [["1.20", "0.0"]]}
FUTURES_DEPTH = {"e": "depthUpdate", "E": 5, "T": 4, "s": "BTCUSDT", "U": 7, "u": 9, "pu": 6, "b": [["1.1", "2"]], "a": []}
TRADE = {"e": "trade", "E": 5, "s": "BTCUSDT", "t": 1, "p": "10.5", "q": "2", "T": 4, "m": True, "M": True}
FUTURES_TRADE = {"e": "trade", "E": 5, "T": 4, "s": "BTCUSDT", "t": 1, "p": "10.5", "q": "2", "X": "MARKET", "m": False}
TICKER = {"u": 3, "s": "BTCUSDT", "b": "1.10", "B": "2", "a": "1.20", "A": "3"}
SNAPSHOT = {"lastUpdateId": 8, "bids": [["1.10", "2.5"]], "asks": [["1.20", "3"]]}
MESSAGES = {
    "depth": DEPTH,
    "futures depth": FUTURES_DEPTH,
    "trade": TRADE,
    "futures trade": FUTURES_TRADE,
    "ticker": TICKER,
    "futures ticker": {"e": "bookTicker", **TICKER, "T": 4, "E": 5},
    "coin ticker": {**dict(itertools.islice(TICKER.items(), 1)), "e": "bookTicker", "ps": "BTCUSD", **TICKER, "T": 4, "E": 5},
    "snapshot": SNAPSHOT,
    "futures snapshot": {"lastUpdateId": 8, "E": 5, "T": 4, **SNAPSHOT},
}


def _bytes(message: Any, stream: str | None = None) -> bytes:
    wrapped = message if stream is None else {"stream": stream, "data": message}
    return json.dumps(wrapped, separators=(",", ":")).encode()


@pytest.mark.parametrize("file", FILES, ids=file_ids(FILES))
def test_every_recorded_message_gives_the_same_records_without_the_references_help(recorded: Path, file: File) -> None:
    twins = Twins(BTC_SPOT, BTC_USDM, BTC_COINM)
    counts: dict[str, int] = {}
    for _, data in raw_lines(recorded / file.name):
        kind = twins.read(data)
        counts[kind] = counts.get(kind, 0) + 1
    assert (counts["depthUpdate"], counts["bookTicker"], counts["trade"]) == (file.depth, file.quotes, file.trades)
    assert sum(counts.values()) == file.lines
    assert twins.compiled.fallbacks == {}


@pytest.mark.parametrize(
    ("instruments", "settings", "count"),
    [
        ((BTC_SPOT, BTC_USDM, BTC_COINM), {}, 60_000),
        ((ETH_SPOT, BTC_SPOT, ETH_USDM, BTC_USDM), {"trades": "aggTrade"}, 30_000),
        ((BTC_COINM,), {}, 10_000),
    ],
    ids=["one of each", "two of a market", "one only"],
)
def test_mutated_messages_give_the_same_records_or_are_refused_by_both(
    recorded: Path, instruments: Any, settings: dict[str, str], count: int
) -> None:
    twins = Twins(*instruments, **settings)
    counts: dict[str, int] = {}
    for data in itertools.islice(mutations(seeds(recorded), seed=count, most=2), count):
        kind = twins.read(data)
        counts[kind] = counts.get(kind, 0) + 1
    assert counts[REFUSED] > count / 4
    assert counts["depthUpdate"] > count / 100
    reasons = {"unexpected shape", "truncated", "escaped text", "a member missing", "members in another order", "too deep"}
    assert reasons <= set(twins.compiled.fallbacks)


@pytest.mark.parametrize("stream", [None, "btcusdt@depth@100ms"])
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_every_type_is_read_by_the_scanner(message: dict[str, Any], stream: str | None) -> None:
    twins = Twins(BTC_SPOT, BTC_USDM)
    assert twins.read(_bytes(message, stream)) != REFUSED
    assert twins.left.n_frames == 1
    assert twins.compiled.fallbacks == {}
    assert twins.read(json.dumps(message, indent=2).encode()) != REFUSED  # white space is no fault
    assert twins.compiled.fallbacks == {}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_member_that_the_venue_adds_is_skipped_in_place(message: dict[str, Any]) -> None:
    twins = Twins(BTC_SPOT, BTC_USDM)
    added = {"st": 1, "nested": {"a": [1, {"b": None}], "c": "x\\n"}, "w": -1.5e3, "flag": False}
    assert twins.read(_bytes({**message, **added})) != REFUSED
    assert twins.left.n_frames == 1
    assert twins.compiled.fallbacks == {}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_members_in_any_order_give_the_same_records(message: dict[str, Any]) -> None:
    twins = Twins(BTC_SPOT, BTC_USDM)
    members = list(message.items())
    for k in range(len(members)):
        for order in (members[k:] + members[:k], [*members[:k], *reversed(members[k:])]):
            for stream in (None, "btcusdt@x"):
                assert twins.read(_bytes(dict(order), stream)) != REFUSED
                assert twins.left.n_frames == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_bytes(dict(reversed(DEPTH.items()))), "another first member"),
        (_bytes({"e": "depthUpdate", "b": [], **DEPTH}), "members in another order"),
        (_bytes(DEPTH).replace(b'"u":9', b'"u":9,"u":9'), "a member twice"),
        (_bytes(DEPTH).replace(b'"s":"B', b'"s":"\\u0042'), "escaped text"),
        (_bytes(DEPTH).replace(b"1.10", b"1.1e0"), "unexpected shape"),
        (_bytes(DEPTH).replace(b"1.10", b"1.101"), "too many decimals"),
        (_bytes(DEPTH).replace(b"1.10", b"9" * 30), "number too large"),
        (_bytes(DEPTH).replace(b'"u":9', b'"u":6'), "a number out of range"),
        (_bytes(DEPTH)[:-9], "truncated"),
        (_bytes(DEPTH).replace(b'"U":7,', b""), "a member missing"),
        (_bytes({**DEPTH, "x": json.loads("[" * 60 + "]" * 60)}), "too deep"),
    ],
)
def test_what_is_left_to_the_reference_is_counted_by_reason(data: bytes, reason: str) -> None:
    twins = Twins(BTC_SPOT)
    twins.read(data)
    assert twins.compiled.fallbacks == {reason: 1}


@pytest.mark.parametrize(
    "data",
    [
        _bytes({"e": "markPriceUpdate", "E": 1, "s": "BTCUSDT"}, "btcusdt@markPrice"),
        _bytes({"result": None, "id": 1}),
        _bytes(FUTURES_DEPTH, "btcusdt@depth20@100ms"),
        _bytes(FUTURES_DEPTH, "btcusdt@rpiDepth@500ms"),
        b"{}",
    ],
)
def test_messages_that_no_record_comes_of_are_no_fallbacks(data: bytes) -> None:
    twins = Twins(BTC_USDM)
    assert twins.read(data) != REFUSED
    assert (twins.left.n_frames, twins.compiled.fallbacks) == (0, {})


def test_the_scanner_does_not_look_behind_a_message(recorded: Path) -> None:
    twins = Twins(BTC_SPOT, BTC_USDM, BTC_COINM)
    scanner = twins.compiled._scan.__self__
    for data in itertools.islice(mutations(seeds(recorded, each=5), seed=3, most=1), 2_000):
        answers = set()
        for behind in b'\x000" }]':
            scanner.fill(behind)
            twins.left.clear()
            answers.add((scanner.scan(data, twins.left), twins.left.events[: twins.left.n_events].tobytes()))
        assert len(answers) == 1, data


def test_symbols_that_the_scanner_has_no_room_for_are_read_by_the_reference() -> None:
    import msgspec

    long = msgspec.structs.replace(BTC_SPOT, symbol="B" * 40)
    twins = Twins(long, BTC_SPOT)
    assert twins.read(_bytes({**DEPTH, "s": long.symbol})) == "depthUpdate"
    assert twins.left.frames[0]["instrument"] == 0
    assert twins.read(_bytes(DEPTH)) == "depthUpdate"
    assert twins.left.frames[0]["instrument"] == 1


@pytest.mark.parametrize("cut", [2**63 - 1, 10**18, 10**17, 9_000_000_000_000, 9_000_000_000_001, -1, 0])
@pytest.mark.parametrize("member", ["E", "T", "U", "u", "pu"])
def test_limits_of_ids_and_times_are_the_references(member: str, cut: int) -> None:
    Twins(BTC_USDM).read(_bytes({**FUTURES_DEPTH, member: cut}))


numbers = st.from_regex(r"\A[0-9]{1,10}(\.[0-9]{1,10})?\Z") | st.sampled_from(
    ["0.00000000", "61773.60", "61773.6", "1.500", "7"]
)


@given(st.lists(st.tuples(numbers, numbers), max_size=12), st.sampled_from(["", " "]))
@settings(max_examples=300, deadline=None)
def test_levels_of_any_width_after_levels_of_any_other(twins: Twins, levels: list[tuple[str, str]], space: str) -> None:
    """The scanner reads a level quicker that is written like the one above it."""
    text = f",{space}".join(f'["{price}",{space}"{quantity}"]' for price, quantity in levels)
    asks = text.replace(".", ".0").encode()
    for message in (FUTURES_DEPTH, {**FUTURES_DEPTH, "s": "BTCUSD_PERP"}, DEPTH):
        data = _bytes({**message, "b": [], "a": []})
        twins.read(data.replace(b'"b":[]', b'"b":[' + text.encode() + b"]").replace(b'"a":[]', b'"a":[' + asks + b"]"))


@pytest.fixture(scope="module")
def twins() -> Twins:
    return Twins(BTC_SPOT, BTC_USDM, BTC_COINM)


PLAIN = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import numpy as np
from binance_files import BTC_COINM, BTC_SPOT, BTC_USDM, opened
from binance_twins import seeds
from vtframe.api import scan
from vtframe.builtin.binance import kernel_members as km
from vtframe.builtin.binance.kernel import read
from vtframe.domain import Records
from vtframe.wire.scan.scanner import Scanner

assert not scan.COMPILED
table = {(0, "BTCUSDT"): (0, 2, 8, 0), (1, "BTCUSDT"): (1, 2, 3, 1), (1, "BTCUSD_PERP"): (2, 1, 0, 0)}
cells = np.full(km.SEEN + 6, km.UNSEEN)
cells[km.TRADES], cells[km.DOUBTFUL] = km.TRADE, 0
scanner = Scanner("plain", read, symbols=scan.symbol_table(table), cells=cells)
codec = opened(BTC_SPOT, BTC_USDM, BTC_COINM)
assert codec.decode.__self__.name == "binance_reference"
count = 0
for data in seeds(Path(sys.argv[2]), each=6):
    left, right = Records(), Records()
    code = scanner.scan(data, left)
    name = codec.decode(data, right)
    if code != km.OTHER:
        assert km.NAMES[code] == name, (code, data)
        assert left.frames[: left.n_frames].tobytes() == right.frames[: right.n_frames].tobytes()
        assert left.events[: left.n_events].tobytes() == right.events[: right.n_events].tobytes()
        count += 1
print(count)
"""


def test_without_compilation_the_kernel_computes_the_same_and_the_codec_is_the_reference(recorded: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", PLAIN, str(Path(__file__).parent), str(recorded)]
    done = subprocess.run(command, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
