"""The simulated venue's stream: reproducible, complete, in order, and true to its own queues."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vtframe.domain import EventFlag, EventKind, FrameKind, Records, Side
from vtframe.sim import CANCELED, MAKER_FILL, TAKER_FILL, SimulatedMarket, read_calibration, tables
from vtframe.sim.state import AFTER, HEAD, LOTS, ORDERS, OWNER, PRICE, QUANTITY, SIDE, SIMULATED

CALIBRATION = read_calibration()
START = 1_700_000_000_000_000_000


def make(regime: str = "busy", seed: int = 7) -> SimulatedMarket:
    return SimulatedMarket(
        tables(CALIBRATION, regime), seed=seed, start_price=618_000, start_ns=START, latency_ns=1_000_000, jitter_ns=200_000
    )


def stream(market: SimulatedMarket, *, block: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``frames`` frames, asked for in blocks of about ``block``."""
    records = Records()
    while records.n_frames < frames:
        market.generate(records, frames=block)
    events = int(records.frames["first_event"][frames - 1] + records.frames["n_events"][frames - 1])
    return records.frames[:frames], records.events[:events]


def digest(arrays: tuple[np.ndarray, np.ndarray]) -> str:
    return hashlib.sha256(arrays[0].tobytes() + arrays[1].tobytes()).hexdigest()


_PLAIN = """
import sys
from test_simulated_market import digest, make, mixed
sys.stdout.write(digest(mixed(make("calm", 11))))
"""


def mixed(market: SimulatedMarket) -> tuple[np.ndarray, np.ndarray]:
    """A short stream with orders from outside of every sort; its reports, too, are in what is returned."""
    records = Records()
    market.generate(records, frames=40)
    for k in range(40):
        ts, side = market.now_ns + 20_000_000, Side.BUY if k % 2 else Side.SELL
        price = market.reference + k % 7 - 3
        order = market.submit_limit(records, ts=ts, side=side, price=price, quantity=5 + k, rests=k % 5 != 0)
        if k % 3 == 0:
            market.submit_market(records, ts=ts + 1000, side=side, quantity=20 * k + 1)
        if k % 4 == 0:
            market.cancel(records, ts=ts + 2000, order=order)
    reports = market.take_reports()
    assert len(reports) > 20
    frames, events = records.frames[: records.n_frames], records.events[: records.n_events]
    return frames, np.frombuffer(events.tobytes() + reports.tobytes(), np.uint8)


def test_the_compiled_market_makes_the_bytes_that_its_python_makes() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(__file__).parent)}
    plain = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PLAIN], env=environment, capture_output=True, text=True, check=False
    )
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout == digest(mixed(make("calm", 11)))


class Book:
    """A book rebuilt from events alone, in two dicts."""

    def __init__(self) -> None:
        self.sides: dict[int, dict[int, int]] = {1: {}, -1: {}}

    def apply(self, event: np.void) -> None:
        kind, side, price, lots = (int(event[key]) for key in ("kind", "side", "price", "quantity"))
        if kind == EventKind.BOOK_CLEAR:
            self.sides = {1: {}, -1: {}}
        elif kind == EventKind.BOOK_DELTA:
            if lots:
                assert self.sides[side].get(price) != lots, "a delta that changes nothing"
                self.sides[side][price] = lots
            else:
                del self.sides[side][price]  # raises where the level was not there


def check_queues(market: SimulatedMarket) -> None:
    """Every level is the sum of its orders, none is negative, each order waits at its own price, and none is lost."""
    state = market._state
    seen = 0
    for slot in np.flatnonzero(state.levels[:, ORDERS]):
        level = state.levels[slot]
        index, total, count, simulated = int(level[HEAD]), 0, 0, 0
        while index >= 0:
            order = state.orders[index]
            assert order[LOTS] > 0
            assert order[PRICE] % len(state.levels) == slot
            total += int(order[LOTS])
            count += 1
            simulated += int(order[OWNER] == 0)
            index = int(order[AFTER])
        assert (total, count, simulated) == (level[QUANTITY], level[ORDERS], level[SIMULATED])
        assert level[SIDE] in (1, -1)
        seen += count
    free, index = 0, int(state.scalars[5])
    while index >= 0:
        free += 1
        index = int(state.orders[index, AFTER])
    assert seen + free == len(state.orders)


@pytest.mark.parametrize("regime", ["busy", "calm"])
def test_the_same_seed_gives_the_same_bytes_whatever_the_block_size(regime: str) -> None:
    digests = {digest(stream(make(regime), block=block, frames=30_000)) for block in (1, 7, 4096, 100_000)}
    assert len(digests) == 1
    assert digest(stream(make(regime, seed=8), block=4096, frames=30_000)) not in digests


def test_the_stream_is_the_one_that_it_was() -> None:
    """A change of this digest changes every result on the embedded market: the commit that makes it says why."""
    assert (
        digest(stream(make(), block=4096, frames=20_000)) == "7b334b9efd9e6c055846e8c3d1571dc5453a9369ed7720a383992b0656ecf527"
    )


def test_stopping_at_any_time_changes_nothing() -> None:
    whole, parts = Records(), Records()
    market = make()
    while not market.generate(whole, frames=4096, until_ns=START + 20_000_000_000):
        pass
    market = make()
    for until in range(START, START + 20_000_000_001, 7_812_500):
        while not market.generate(parts, frames=64, until_ns=until):
            pass
    count = whole.n_frames
    assert count == parts.n_frames > 1000
    assert digest((whole.frames[:count], whole.events[: whole.n_events])) == digest(
        (parts.frames[:count], parts.events[: parts.n_events])
    )


@pytest.mark.parametrize("regime", ["busy", "calm"])
def test_the_book_rebuilt_from_the_stream_is_the_engine_s_own(regime: str) -> None:
    market, book, records = make(regime), Book(), Records()
    compared = 0
    for _ in range(400):
        records.clear()
        market.generate(records, frames=25)
        for frame in records.frames[: records.n_frames]:
            first = int(frame["first_event"])
            for event in records.events[first : first + int(frame["n_events"])]:
                book.apply(event)
            assert max(book.sides[1]) < min(book.sides[-1])
        assert book.sides[1] == market.book(Side.BUY)
        assert book.sides[-1] == market.book(Side.SELL)
        compared += len(book.sides[1]) + len(book.sides[-1])
    check_queues(market)
    assert compared > 5_000


def test_frames_are_well_formed_and_their_ids_follow_each_other() -> None:
    frames, events = stream(make(), block=4096, frames=60_000)
    assert frames["kind"][0] == FrameKind.SNAPSHOT
    assert events["kind"][0] == EventKind.BOOK_CLEAR
    assert (events["flags"][: frames["n_events"][0]] & EventFlag.SNAPSHOT).all()
    assert set(frames["kind"][1:]) == {FrameKind.DEPTH, FrameKind.TRADE}
    assert (frames["input"] == np.arange(len(frames))).all()
    ends = np.cumsum(frames["n_events"])
    assert (frames["first_event"] == ends - frames["n_events"]).all()
    last = np.zeros(len(events), bool)
    last[ends - 1] = True
    assert (((events["flags"] & EventFlag.LAST) != 0) == last).all()
    depth = frames[frames["kind"] == FrameKind.DEPTH]
    snapshot = int(frames["last_id"][0])
    assert depth["first_id"][0] <= snapshot <= depth["last_id"][0]
    assert (depth["previous_id"] == np.concatenate(([snapshot], depth["last_id"][:-1]))).all()
    assert (depth["last_id"] == snapshot + 1 + np.arange(len(depth))).all()
    assert (np.diff(frames["ts_recv"]) >= 0).all()
    ts_event = events["ts_event"][frames["first_event"]]
    assert (np.diff(ts_event) >= 0).all()
    assert (frames["ts_recv"] - ts_event >= 1_000_000).all()
    assert (events["frame"] == np.repeat(frames["input"], frames["n_events"])).all()


def test_a_trade_comes_before_the_depth_change_that_it_made_and_eats_the_best_first() -> None:
    frames, events = stream(make(), block=4096, frames=60_000)
    book = Book()
    trades = 0
    for index, frame in enumerate(frames):
        first, count = int(frame["first_event"]), int(frame["n_events"])
        block = events[first : first + count]
        if frame["kind"] != FrameKind.TRADE:
            for event in block:
                book.apply(event)
            continue
        trades += 1
        side = int(block["side"][0])
        resting = book.sides[-side]
        best = sorted(resting, key=lambda price, side=side: price * side)
        assert [int(price) for price in block["price"]] == best[:count]
        assert all(int(event["quantity"]) == resting[int(event["price"])] for event in block[:-1])
        assert 0 < int(block["quantity"][-1]) <= resting[int(block["price"][-1])]
        following = frames[index + 1]
        assert following["kind"] == FrameKind.DEPTH
        assert events["ts_event"][following["first_event"]] == block["ts_event"][0]
    assert trades > 1_000


def test_outside_orders_are_filled_or_left_and_no_lot_is_lost() -> None:
    market, book, records = make(), Book(), Records()
    random = np.random.default_rng(3)
    submitted: dict[int, int] = {}
    ended: dict[int, int] = {}
    kinds: set[int] = set()
    done = 0
    ts = START
    for _ in range(3_000):
        ts += int(random.exponential(4e7))
        bid, ask = market.best
        side = Side.BUY if random.random() < 0.5 else Side.SELL
        lots = int(random.integers(1, 3_000))
        action = random.random()
        if bid is None or action < 0.2:
            submitted[market.submit_market(records, ts=ts, side=side, quantity=lots)] = lots
        elif action < 0.85 or not submitted:
            touch = bid if side is Side.BUY else ask
            price = int(touch + random.integers(-15, 6) * side)
            submitted[market.submit_limit(records, ts=ts, side=side, price=price, quantity=lots)] = lots
        else:
            market.cancel(records, ts=ts, order=int(random.choice(list(submitted))))
        for row in market.take_reports():
            kinds.add(int(row["kind"]))
            number = int(row["order"])
            ended[number] = ended.get(number, 0) + int(row["quantity"])
            assert ended[number] <= submitted.get(number, lots)
            if row["kind"] != CANCELED:
                assert ended[number] + int(row["leaves"]) == submitted.get(number, lots)
        for event in records.events[done : records.n_events]:
            book.apply(event)
        done = records.n_events
        assert book.sides[1] == market.book(Side.BUY)
        assert book.sides[-1] == market.book(Side.SELL)
        assert max(book.sides[1], default=0) < min(book.sides[-1], default=2**60)
    check_queues(market)
    state = market._state
    working = {
        int(state.orders[index, 3]): int(state.orders[index, LOTS]) for index in state.work[: int(state.scalars[9]), 1].tolist()
    }
    assert working
    assert all(ended.get(number, 0) + working.get(number, 0) == lots for number, lots in submitted.items())
    assert kinds == {MAKER_FILL, TAKER_FILL, CANCELED}
    assert (np.diff(records.frames["ts_recv"][: records.n_frames]) >= 0).all()


def test_an_order_far_behind_the_market_is_canceled_before_its_slot_is_needed() -> None:
    market, records = make(), Records()
    number = market.submit_limit(records, ts=START + 1, side=Side.BUY, price=618_000 - 16_383, quantity=5)
    reports = market.take_reports()
    ts = START
    while not len(reports):  # the market must climb: buy everything, again and again
        ts += 100_000_000
        market.submit_market(records, ts=max(ts, market.now_ns), side=Side.BUY, quantity=10**6)
        reports = market.take_reports()
        reports = reports[reports["order"] == number]
        records.clear()
        assert ts < START + 10**12
    assert [int(row["kind"]) for row in reports] == [CANCELED]
    check_queues(market)


def test_the_price_stays_positive() -> None:
    market = SimulatedMarket(tables(CALIBRATION, "busy"), seed=1, start_price=65_536, start_ns=0)
    records = Records()
    for ts in range(1, 3_000):
        market.submit_market(records, ts=max(ts, market.now_ns), side=Side.SELL, quantity=10**6)
        market.take_reports()
        records.clear()
    assert market.reference >= 32_768


def test_a_start_price_too_low_for_the_book_is_refused() -> None:
    with pytest.raises(ValueError, match="start_price must be at least 65536 ticks, found 500"):
        SimulatedMarket(tables(CALIBRATION, "busy"), seed=1, start_price=500, start_ns=0)
