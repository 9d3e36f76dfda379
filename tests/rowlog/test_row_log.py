"""The row log: every row and prediction reaches every sink once, in order, whatever the sinks do."""

from __future__ import annotations

import logging
import struct
import threading
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtframe.api import PredictionBlock, RowBlock, SessionInfo, Sink
from vtframe.buffers.ring import RowRing
from vtframe.domain import PREDICTION, ROW, Prediction, Verdict
from vtframe.engine.prediction_log import PredictionLog
from vtframe.engine.row_log import RowLog
from vtframe.errors import ConfigError, Fault, InvariantError, PluginError


class Keeper(Sink):
    """Keeps everything it is handed."""

    name: ClassVar[str] = "keeper"

    def start(self, session: SessionInfo) -> None:
        self.blocks: list[RowBlock] = []
        self.answers: list[PredictionBlock] = []
        self.order: list[str] = []
        self.closed = 0
        self.threads: set[str] = set()

    def rows(self, block: RowBlock) -> None:
        self.blocks.append(block)
        self.order.append("rows")
        self.threads.add(threading.current_thread().name)

    def predictions(self, block: PredictionBlock) -> None:
        self.answers.append(block)
        self.order.append("predictions")

    def close(self) -> None:
        self.closed += 1


class Broken(Keeper):
    name: ClassVar[str] = "broken"
    after: int = 0

    def rows(self, block: RowBlock) -> None:
        super().rows(block)
        if len(self.blocks) > self.after:
            raise OSError("the disk is gone")


class Slow(Keeper):
    """Waits to be let go before it takes anything."""

    name: ClassVar[str] = "slow"

    def start(self, session: SessionInfo) -> None:
        super().start(session)
        self.let_go = threading.Event()

    def rows(self, block: RowBlock) -> None:
        self.let_go.wait()
        super().rows(block)


def session(instruments: int = 1, columns: int = 3) -> SessionInfo:
    return SessionInfo(
        session_id="s-1",
        folder=Path("unused"),
        instruments=tuple(f"I{i}@v" for i in range(instruments)),
        columns=tuple(f"c{i}" for i in range(columns)),
        dtype="float32",
        schema_hash="h",
        fingerprint="f",
    )


class Market:
    """Writes rows that can be recognized: value = input number, column by column."""

    def __init__(self, instruments: int = 1, *, capacity: int = 64, columns: int = 3) -> None:
        self.ring = RowRing(instruments, capacity, columns)
        self.columns = columns
        self.input = 0

    def row(self, instrument: int = 0) -> None:
        meta = np.zeros((), ROW)
        meta["input"] = self.input
        meta["instrument"] = instrument
        self.ring.append(instrument, np.arange(self.columns) + 10 * self.input, meta)
        self.input += 1


def prediction(row: int, verdict: Verdict = Verdict.OK, outputs: tuple[float, ...] = (0.25, 0.75)) -> Prediction:
    return Prediction(
        model="m",
        model_hash="h",
        instrument=3,
        input=row + 100,
        row=row,
        update_id=row + 200,
        ts_event=row + 300,
        ts_recv=row + 400,
        ts_done=row + 500,
        age_ns=row + 600,
        deadline_ns=row + 700,
        verdict=verdict,
        outputs=outputs,
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=300),
    capacity=st.sampled_from([300, 512]),
    block_rows=st.sampled_from([1, 5, 100]),
)
def test_every_row_reaches_the_sink_once_and_in_the_order_of_the_inputs(steps, capacity, block_rows) -> None:
    market, keeper = Market(3, capacity=capacity), Keeper()
    log = RowLog(market.ring, [keeper], session(3), block_rows=block_rows)
    log.start()
    for instrument, poll in steps:
        market.row(instrument)
        if poll:
            log.poll()
    log.close()
    inputs = [n for block in keeper.blocks for n in block.meta["input"].tolist()]
    assert inputs == list(range(len(steps)))
    assert [i for block in keeper.blocks for i in block.meta["instrument"].tolist()] == [i for i, _ in steps]
    for block in keeper.blocks:
        expected = (np.arange(3) + 10 * block.meta["input"][:, None]).astype(np.float32)
        np.testing.assert_array_equal(block.values, expected)
    assert log.handed == len(steps)
    assert keeper.closed == 1
    assert log.failed == {}


def test_blocks_stay_as_they_were_when_the_ring_is_overwritten() -> None:
    market, keeper = Market(capacity=8), Keeper()
    log = RowLog(market.ring, [keeper], session(), block_rows=1)
    log.start()
    for _ in range(500):
        market.row()
        log.poll()
    log.close()
    np.testing.assert_array_equal(np.concatenate([b.values[:, 0] for b in keeper.blocks]), 10.0 * np.arange(500))


def test_poll_waits_for_a_blocks_worth_but_never_for_more_than_half_the_ring() -> None:
    market, keeper = Market(capacity=64), Keeper()
    log = RowLog(market.ring, [keeper], session(), block_rows=1000, block_polls=100)
    log.start()
    for _ in range(31):
        market.row()
        log.poll()
    assert log.handed == 0
    market.row()
    log.poll()
    assert log.handed == 32
    log.close()


def test_the_rows_of_a_quiet_market_are_handed_on_after_a_few_polls() -> None:
    market, keeper = Market(capacity=64), Keeper()
    log = RowLog(market.ring, [keeper], session(), block_rows=1000, block_polls=8)
    log.start()
    market.row()
    for _ in range(7):
        log.poll()
    assert log.handed == 0
    log.poll()
    assert log.handed == 1
    market.row()
    for _ in range(8):
        log.poll()
    assert log.handed == 2
    log.close()
    assert [len(block.meta) for block in keeper.blocks] == [1, 1]


def test_a_ring_that_ran_over_is_said_with_the_numbers() -> None:
    market = Market(capacity=8)
    log = RowLog(market.ring, [Keeper()], session())
    log.start()
    for _ in range(11):
        market.row()
    with pytest.raises(InvariantError, match="3 rows of instrument 0 were overwritten before they were logged"):
        log.poll()


def test_sinks_work_in_a_thread_of_their_own() -> None:
    market, keeper = Market(), Keeper()
    log = RowLog(market.ring, [keeper], session())
    log.start()
    market.row()
    log.close()
    assert keeper.threads == {"row-log"}


def test_a_sink_that_raises_is_reported_once_and_left_out_and_the_others_go_on(caplog) -> None:
    market, keeper, broken, second = Market(), Keeper(), Broken(after=1), Broken(after=0)
    log = RowLog(market.ring, [broken, keeper, second], session(), block_rows=1)
    log.start()
    with caplog.at_level(logging.ERROR):
        for _ in range(20):
            market.row()
            log.poll()
        log.close()
    assert sum(len(block.meta) for block in keeper.blocks) == 20
    assert (len(broken.blocks), len(second.blocks)) == (2, 1)
    assert log.report()["sinks_failed"] == {
        "broken": "rows: OSError: the disk is gone",
        "broken#2": "rows: OSError: the disk is gone",
    }
    assert len([r for r in caplog.records if "left out" in r.getMessage()]) == 2
    assert (broken.closed, keeper.closed) == (0, 1)


def test_a_sink_that_cannot_start_stops_the_session_before_its_first_input() -> None:
    class Unready(Keeper):
        name: ClassVar[str] = "unready"

        def start(self, session: SessionInfo) -> None:
            raise ValueError("no credentials")

    class Wrong(Keeper):
        name: ClassVar[str] = "wrong"

        def start(self, session: SessionInfo) -> None:
            raise ConfigError(Fault(problem="wrong path"))

    keeper = Keeper()
    with pytest.raises(PluginError, match="'unready': its sink cannot start: ValueError: no credentials"):
        RowLog(Market().ring, [keeper, Unready()], session()).start()
    assert keeper.closed == 1
    with pytest.raises(ConfigError, match="wrong path"):
        RowLog(Market().ring, [Wrong()], session()).start()


def test_a_slow_sink_stalls_the_engine_and_loses_nothing() -> None:
    market, slow = Market(), Slow()
    log = RowLog(market.ring, [slow], session(), block_rows=1, queue_blocks=2)
    log.start()

    def let_go_once_stalled() -> None:
        while not log.stalls:
            threading.Event().wait(0.001)
        slow.let_go.set()

    threading.Thread(target=let_go_once_stalled).start()
    for _ in range(3):  # one in the sink's hands, two in the queue
        market.row()
        log.poll()
    for _ in range(20):
        market.row()
        log.poll()
    log.close()
    assert log.stalls >= 1
    assert log.lost == 0
    assert [n for b in slow.blocks for n in b.meta["input"].tolist()] == list(range(23))


def test_a_sink_that_hangs_does_not_hang_the_session(caplog) -> None:
    market, slow = Market(), Slow()
    log = RowLog(market.ring, [slow], session(), block_rows=1, queue_blocks=1, patience_s=0.02)
    log.start()
    with caplog.at_level(logging.ERROR):
        for _ in range(10):
            market.row()
            log.poll()
        log.close()
    report = log.report()
    assert report["row_log"]["lost"] >= 7
    assert report["row_log"]["rows"] + report["row_log"]["lost"] == 10
    assert report["sinks_failed"] == {"slow": "did not finish within 0.02 s"}
    assert [r.getMessage() for r in caplog.records].count("the row log's thread hangs; rows are lost") == 1
    slow.let_go.set()


def test_a_row_log_that_was_never_started_closes_nobody() -> None:
    market, keeper = Market(), Keeper()
    log = RowLog(market.ring, [keeper], session())
    log.close()  # closing a keeper that was never started would raise
    assert log.failed == {}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_prediction_is_logged_with_every_field(verdict) -> None:
    log = PredictionLog("m", 2, capacity=2)
    outputs = (0.25, 0.75) if verdict in {Verdict.OK, Verdict.LATE, Verdict.STALE} else ()
    for row in range(5):
        log.add(prediction(row, verdict, outputs), row + 800, 7)
    block = log.take()
    assert block is not None
    expected = np.zeros(5, PREDICTION)
    for i, name in enumerate(("row", "input", "update_id", "ts_event", "ts_recv", "ts_done", "age_ns", "deadline_ns", "batch")):
        expected[name] = np.arange(5) + 100 * i
    expected["arrived"] = expected["input"]
    expected["batch_size"] = 7
    expected["instrument"] = 3
    expected["verdict"] = list(Verdict).index(verdict)
    np.testing.assert_array_equal(block.meta, expected)
    assert len(block.versions) == 1
    np.testing.assert_array_equal(block.outputs, np.tile(outputs or (np.nan, np.nan), (5, 1)).astype(np.float32))
    assert log.take() is None


def test_a_prediction_says_which_version_answered_and_numbers_do_not_change() -> None:
    log = PredictionLog("m", 2, capacity=1)
    hashes = ["a", "b", "a", "c", "b"]
    for row, digest in enumerate(hashes[:2]):
        log.add(msgspec.structs.replace(prediction(row), model_hash=digest), 1, 1)
    first = log.take()
    for row, digest in enumerate(hashes[2:]):
        log.add(msgspec.structs.replace(prediction(row), model_hash=digest), 1, 1)
    second = log.take()
    assert first is not None
    assert second is not None
    assert (first.versions, second.versions) == (("a", "b"), ("a", "b", "c"))
    named = [block.versions[version] for block in (first, second) for version in block.meta["version"].tolist()]
    assert named == hashes


def test_an_answer_that_came_with_an_input_of_its_own_says_so() -> None:
    log = PredictionLog("m", 2)
    log.add(msgspec.structs.replace(prediction(0, outputs=(0.1, 0.9)), arrived=12), 1, 1)
    block = log.take()
    assert block is not None
    assert block.meta["arrived"].tolist() == [12]


def test_wrong_outputs_are_refused_and_leave_no_trace() -> None:
    log = PredictionLog("m", 2)
    with pytest.raises(ValueError, match="model 'm' has 2 outputs, found 3"):
        log.add(prediction(0, outputs=(0.1, 0.2, 0.7)), 0, 1)
    with pytest.raises(struct.error):
        log.add(prediction(2**63), 0, 1)
    assert log.take() is None


def test_predictions_are_handed_on_before_their_rows_and_all_of_them() -> None:
    market, keeper, log_of_m = Market(), Keeper(), PredictionLog("m", 2, capacity=4)
    log = RowLog(market.ring, [keeper], session(), logs=[log_of_m], block_rows=10)
    log.start()
    for row in range(57):
        market.row()
        log_of_m.add(prediction(row), row, 1)
        log.poll()
    log.close()
    assert [r for block in keeper.answers for r in block.meta["row"].tolist()] == list(range(57))
    assert sum(len(b.meta) for b in keeper.blocks) == 57
    assert keeper.order[:2] == ["predictions", "rows"]
