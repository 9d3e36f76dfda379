"""A model outside the engine's thread: each row is answered as the model itself would, or says why not; counts add up."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pool_rig import PoolRig, models, scripted_bundle

from vtframe.domain import Verdict
from vtframe.errors import BundleError

Make = Callable[..., PoolRig]
EVERYWHERE = pytest.mark.parametrize(
    "place",
    [{"where": "process", "wait": "sleep"}, {"where": "process", "wait": "busy"}, {"where": "thread"}],
    ids=["process, asleep", "process, busy", "thread"],
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Make]:
    made: list[PoolRig] = []

    def make(**how: Any) -> PoolRig:
        made.append(PoolRig(tmp_path, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@EVERYWHERE
def test_every_row_is_answered_as_the_model_itself_answers_it(rig: Make, place: dict[str, Any]) -> None:
    pool = rig(instruments=3, **place)
    rng = np.random.default_rng(5)
    values = rng.normal(size=120).astype(np.float32)
    for index, value in enumerate(values.tolist()):
        pool.ask(index % 3, value=value)
        pool.wait()
    assert pool.verdicts() == {"ok": 120}
    model = pool.backend.open(pool.site.bundle)
    for answered, value in zip(pool.seen, values.tolist(), strict=True):
        expected = model.predict(np.array([[[0, 1, 2, value]]], np.float32))[0]
        np.testing.assert_array_equal(np.float32(answered.prediction.outputs), expected)
        assert answered.prediction.model_hash == pool.site.bundle.hash
        assert answered.batch_size == 1
    assert len({answered.batch for answered in pool.seen}) == 120


@EVERYWHERE
def test_a_window_is_read_oldest_row_first_and_an_unfilled_or_broken_one_is_invalid(rig: Make, place: dict[str, Any]) -> None:
    pool = rig(instruments=1, window=3, **place)
    for value, valid in [(1, True), (2, True), (3, True), (4, True), (5, False), (6, True), (7, True), (8, True)]:
        pool.ask(value=value, valid=valid)
        pool.wait()
    assert [p.verdict.value for p in pool.predictions()] == ["invalid"] * 2 + ["ok"] * 2 + ["invalid"] * 3 + ["ok"]
    assert [p.outputs[:2] for p in pool.predictions(Verdict.OK)] == [(15.0, 3.0), (18.0, 4.0), (30.0, 8.0)]


def test_rows_that_wait_together_are_answered_by_one_call(rig: Make) -> None:
    pool = rig(instruments=8, sleep_ms=30)
    pool.ask(0)
    time.sleep(0.015)  # the worker has it, and sleeps over it
    for instrument in range(1, 8):
        pool.ask(instrument, value=float(instrument))
    pool.wait()
    sizes = [answered.batch_size for answered in pool.seen]
    assert sizes == [1] + [7] * 7
    assert len({answered.batch for answered in pool.seen}) == 2
    assert sorted(p.outputs[1] for p in pool.predictions()[1:]) == [1, 2, 3, 4, 5, 6, 7]
    assert {p.outputs[2] for p in pool.predictions()[1:]} == {7.0}


def test_a_batch_is_no_larger_than_it_may_be(rig: Make) -> None:
    pool = rig(instruments=8, sleep_ms=20, max_batch=3)
    for instrument in range(8):
        pool.ask(instrument)
    pool.wait()
    assert max(answered.batch_size for answered in pool.seen) <= 3
    assert pool.verdicts() == {"ok": 8}


def test_the_newest_row_of_an_instrument_takes_the_place_of_one_that_waits(rig: Make) -> None:
    pool = rig(instruments=2)
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGSTOP)
    try:
        rows = [pool.ask(0, value=float(value)) for value in range(5)]
        pool.ask(1, value=9.0)
    finally:
        os.kill(pid, signal.SIGCONT)
    pool.wait()
    assert pool.verdicts() == {"conflated": 4, "ok": 2}
    assert [p.row for p in pool.predictions(Verdict.CONFLATED)] == rows[:4]
    assert {p.outputs[1] for p in pool.predictions(Verdict.OK)} == {4.0, 9.0}


def test_a_queue_keeps_the_order_and_drops_what_comes_beyond_its_end(rig: Make) -> None:
    pool = rig(instruments=2, overload="queue", queue=4, max_batch=1)
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGSTOP)
    try:
        rows = [pool.ask(0, value=float(value)) for value in range(7)]
    finally:
        os.kill(pid, signal.SIGCONT)
    pool.wait()
    assert [p.row for p in pool.predictions(Verdict.CONFLATED)] == rows[4:]
    assert [p.outputs[1] for p in pool.predictions(Verdict.OK)] == [0.0, 1.0, 2.0, 3.0]
    for value in range(10, 30):
        pool.ask(0, value=float(value))
        pool.wait()
    assert [p.outputs[1] for p in pool.predictions(Verdict.OK)][4:] == [float(value) for value in range(10, 30)]


def test_several_workers_share_a_queue_and_answer_each_row_once(rig: Make) -> None:
    pool = rig(instruments=3, workers=2, overload="queue", queue=64, max_batch=4, ring=1024)
    pool.wait(lambda: pool.site.staff.ready == 2)  # type: ignore[union-attr]
    for index in range(600):
        pool.ask(index % 3, value=float(index))
        pool.seen += pool.executor.collect()
    pool.wait()
    assert pool.adds_up()
    answered = pool.predictions(Verdict.OK)
    assert len({(p.instrument, p.row) for p in pool.predictions()}) == 600
    assert all(p.outputs[1] == 3 * p.row + p.instrument for p in answered)
    assert len(answered) >= 3 * 64, "what fits the queues is answered, however late the workers are"


def test_a_window_that_was_overwritten_before_it_was_read_answers_overrun(rig: Make) -> None:
    pool = rig(instruments=1, ring=64, overload="queue", queue=64)
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGSTOP)
    try:
        for value in range(60):
            pool.ask(value=float(value))
    finally:
        os.kill(pid, signal.SIGCONT)
    pool.wait()
    overrun, answered = pool.predictions(Verdict.OVERRUN), pool.predictions(Verdict.OK)
    assert len(overrun) + len(answered) == 60
    assert [p.row for p in overrun] == list(range(60 - 32))  # half a ring is safe from the engine's next step
    assert all(p.outputs == () for p in overrun)
    assert [p.outputs[1] for p in answered] == [float(p.row) for p in answered]


def test_a_row_that_is_not_answered_by_its_deadline_is_late_and_its_answer_is_dropped(rig: Make) -> None:
    pool = rig(instruments=1, deadline_s=0.02)
    pool.ask(command=models.SLOW)  # 50 ms
    pool.wait()
    assert pool.verdicts() == {"late": 1}
    assert pool.predictions()[0].outputs == ()
    pool.wait(lambda: pool.site.dropped == 1)
    assert pool.adds_up()
    pool.ask(value=3.0)
    pool.wait()
    assert pool.predictions()[1].outputs[1] == 3.0


@EVERYWHERE
@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (models.RAISE, "raised RuntimeError('as it was told')"),
        (models.NAN, "answered a number that is not finite"),
        (models.SHAPE, "answered with shape (1, 2), expected (1, 3)"),
    ],
    ids=["raises", "nan", "wrong shape"],
)
def test_a_model_that_fails_is_told_once_and_goes_on(
    rig: Make, place: dict[str, Any], command: int, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool = rig(instruments=1, **place)
    for row in range(6):
        pool.ask(command=command if row % 2 else 0)
        pool.wait()
    assert [p.verdict.value for p in pool.predictions()] == ["ok", "failed"] * 3
    assert all(p.outputs == () for p in pool.predictions(Verdict.FAILED))
    assert problem in pool.executor.first_failure
    assert sum(problem in record.getMessage() for record in caplog.records) == 1
    assert pool.executor.deaths == {}


def test_waiting_for_the_answer_is_an_answer_in_its_own_input(rig: Make) -> None:
    pool = rig(instruments=1, overload="block")
    for value in range(50):
        pool.row(value=float(value))
        prediction = pool.executor.predict(0, started=time.monotonic_ns())
        assert (prediction.verdict, prediction.outputs[1], prediction.arrived) == (Verdict.OK, float(value), -1)
    assert (pool.executor.batch_size, pool.executor.pending) == (1, 0)


def test_answers_take_the_numbers_of_the_inputs_that_they_are(rig: Make) -> None:
    pool = rig(instruments=2)
    pool.ask(0)
    pool.ask(1)
    taken: list[int] = []
    while len(taken) < 2:
        taken += [one.prediction.arrived for one in pool.executor.collect(100 + len(taken))]
    assert taken == [100, 101]


def test_a_bell_wakes_an_engine_that_sleeps_and_only_then_is_rung(rig: Make) -> None:
    pool = rig(instruments=1)
    assert not pool.executor.arm()  # nothing is asked: nothing to wait for
    pool.ask()
    armed = pool.executor.arm()
    assert armed or pool.site.done.wait(10_000)
    pool.wait()
    pool.ask()
    pool.wait()  # polled: the bell stays silent
    assert not pool.site.done.wait(30)


def test_a_thread_that_hangs_makes_its_model_unavailable_until_it_comes_back(
    rig: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def waiting(_: Any, batch: np.ndarray) -> np.ndarray:
        release.wait(30)
        return np.zeros((len(batch), 3), np.float32)

    monkeypatch.setattr(models.ScriptedModel, "predict", waiting)
    pool = rig(instruments=1, where="thread", hang_ms=50)
    pool.ask()
    pool.wait(lambda: not pool.executor.available)
    pool.ask()
    assert pool.verdicts() == {"failed": 2}
    release.set()
    pool.wait(lambda: pool.executor.available and pool.site.dropped == 1)
    pool.ask()
    pool.wait()
    assert pool.verdicts() == {"failed": 2, "ok": 1}


def test_a_new_version_takes_over_at_a_row_and_the_old_one_answers_what_it_was_asked(rig: Make, tmp_path: Path) -> None:
    pool = rig(instruments=1, sleep_ms=20)
    old = pool.site.bundle.hash
    pool.ask(value=1.0)
    bundle = scripted_bundle(tmp_path / "second", content="another")
    new = pool.make_site(bundle, models.ScriptedBackend())
    new.wait_ready(60)
    pool.wait()
    pool.ask(value=2.0)
    time.sleep(0.005)
    pool.executor.swap(new)
    pool.ask(value=3.0)
    pool.wait()
    assert pool.verdicts() == {"ok": 3}
    assert {p.outputs[1]: p.model_hash for p in pool.predictions()} == {1.0: old, 2.0: old, 3.0: bundle.hash}
    assert pool.executor.collect() == []
    pool.wait(lambda: pool.pids() == [])  # the old worker leaves


def test_a_bundle_that_no_worker_can_open_says_why_at_the_start(rig: Make) -> None:
    with pytest.raises(BundleError, match=r"a worker could not open it: .*model\.txt: is broken"):
        rig(content="broken")


def test_a_bundle_that_changed_after_the_session_opened_it_is_refused_by_workers(rig: Make, tmp_path: Path) -> None:
    pool = rig(instruments=1)
    pool.ask(command=models.EXIT)
    (tmp_path / "scripted" / "model.txt").write_text("another")
    pool.wait(lambda: sum(pool.site.staff.deaths.values()) >= 2, seconds=60)
    assert not pool.executor.available


@pytest.mark.parametrize("way", ["double", "list", "locked", "columns"])
def test_answers_of_another_type_or_order_are_the_same_answers(rig: Make, way: str) -> None:
    pool = rig(instruments=8, content=way)
    for instrument in range(8):
        pool.ask(instrument, value=float(instrument))
    pool.wait()
    assert pool.verdicts() == {"ok": 8}
    assert [p.outputs[1] for p in sorted(pool.predictions(), key=lambda p: p.instrument)] == [*map(float, range(8))]


def test_a_model_that_answers_in_another_shape_at_its_first_call_is_refused_at_the_start(rig: Make) -> None:
    with pytest.raises(
        BundleError, match=r"a worker could not open it: .*answers one row in the shape \(1, 2\), expected \(1, 3\)"
    ):
        rig(content="narrow")


@EVERYWHERE
def test_where_there_are_no_eventfds_pipes_wake_who_sleeps(
    rig: Make, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "eventfd", raising=False)
    pool = rig(instruments=2, **place)
    assert len(set(pool.site.work.descriptors)) == 2  # a pipe has two ends
    for value in range(20):
        number = pool.ask(value % 2, value=float(value))
        assert pool.site.await_answer(0, 10_000), f"row {number} was not answered within ten seconds"
        pool.wait()
    assert [p.outputs[1] for p in pool.predictions()] == [*map(float, range(20))]
    for _ in range(70_000 // 8):  # more than a pipe holds: who rings does not wait
        pool.site.work.ring()
    pool.ask(0, value=5.0)
    pool.wait()
    assert pool.predictions()[-1].outputs[1] == 5.0


def test_a_ring_too_short_for_a_window_that_is_read_elsewhere_is_refused(rig: Make) -> None:
    with pytest.raises(BundleError, match=r"reads windows of 20 rows .* the ring holds 64.*\[rows\] ring = 80"):
        rig(ring=64, window=20)
