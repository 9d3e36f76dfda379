"""Workers that die, hang, grow and vanish: nothing is lost, nothing is left behind, and counts add up exactly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pool_rig import PoolRig, models

from vtframe.buffers.segment import SegmentFolder, shared_folder, sweep
from vtframe.clock import EventClock
from vtframe.domain import Verdict
from vtframe.errors import SessionError

Make = Callable[..., PoolRig]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Make]:
    made: list[PoolRig] = []

    def make(**how: Any) -> PoolRig:
        made.append(PoolRig(tmp_path, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (models.KILL, "was killed by SIGKILL"),
        (models.SEGFAULT, "was killed by SIGSEGV"),
        (models.EXIT, "exited with 3"),
        (models.HANG, "hung in the model"),
        (models.BOMB, "took more memory than it may"),
    ],
    ids=["killed", "segfault", "exits", "hangs", "memory bomb"],
)
def test_a_worker_that_is_lost_fails_what_it_held_and_is_started_again(rig: Make, command: int, found: str) -> None:
    pool = rig(
        instruments=2, hang_ms=500 if command == models.HANG else 20_000, memory_mb=900 if command == models.BOMB else None
    )
    pool.ask(0, value=1.0)
    pool.wait()
    (before,) = pool.pids()
    pool.ask(0, command=command)
    pool.wait()
    assert pool.verdicts() == {"ok": 1, "failed": 1}
    assert pool.executor.deaths == {found: 1}
    assert found in pool.executor.first_failure
    if not pool.executor.available:
        pool.ask(1)  # while there is nobody: failed at once, not kept
        assert pool.verdicts()["failed"] == 2
    pool.wait(lambda: pool.executor.available)
    (after,) = pool.pids()
    assert after != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    pool.ask(1, value=7.0)
    pool.wait()
    assert pool.predictions(Verdict.OK)[-1].outputs[1] == 7.0
    assert pool.adds_up()


@pytest.mark.parametrize("command", [models.KILL, models.EXIT], ids=["killed", "exits"])
def test_where_the_market_waits_a_lost_worker_costs_the_row_that_it_held_and_no_other(rig: Make, command: int) -> None:
    pool = rig(instruments=1, overload="block", deadline_s=0.05, clock=EventClock())
    verdicts = []
    for row in range(12):
        pool.row(value=float(row), command=command if row == 5 else 0)
        prediction = pool.executor.predict(0, started=time.perf_counter_ns())
        verdicts.append(prediction.verdict)
        if prediction.verdict is Verdict.OK:
            assert prediction.outputs[1] == float(row)
    assert verdicts == [Verdict.OK] * 5 + [Verdict.FAILED] + [Verdict.OK] * 6  # not late: it is not the model that was slow
    assert sum(pool.executor.deaths.values()) == 1


def test_a_worker_that_leaks_between_its_answers_is_put_down_and_its_answers_stand(rig: Make) -> None:
    pool = rig(instruments=1, memory_mb=900, hang_ms=20_000)
    limit = time.monotonic() + 60
    while not pool.executor.deaths:
        assert time.monotonic() < limit
        pool.ask(command=models.LEAK, value=2.0)
        pool.wait()
    assert pool.executor.deaths == {"took more memory than it may": 1}
    assert pool.verdicts()["ok"] > 50
    assert pool.verdicts().get("failed", 0) <= 1
    pool.wait(lambda: pool.executor.available)
    pool.ask(value=5.0)
    pool.wait()
    assert pool.predictions(Verdict.OK)[-1].outputs[1] == 5.0
    assert pool.adds_up()


def test_a_worker_that_is_stopped_while_it_sleeps_is_put_down(rig: Make) -> None:
    pool = rig(instruments=1, hang_ms=400)
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGSTOP)
    pool.ask()
    pool.wait()
    assert pool.verdicts() == {"failed": 1}
    assert pool.executor.deaths == {"hung": 1}
    pool.wait(lambda: pool.executor.available)
    pool.ask()
    pool.wait()
    assert pool.verdicts() == {"failed": 1, "ok": 1}


def test_the_rows_of_a_dead_worker_that_another_had_not_claimed_are_answered_by_that_other(rig: Make) -> None:
    pool = rig(instruments=6, workers=2, max_batch=1, hang_ms=20_000, sleep_ms=5)
    pool.wait(lambda: pool.site.staff.ready == 2)  # type: ignore[union-attr]
    pool.ask(0, command=models.KILL)
    for instrument in range(1, 6):
        pool.ask(instrument, value=float(instrument))
    pool.wait()
    assert pool.verdicts() == {"failed": 1, "ok": 5}
    assert pool.executor.available


def test_a_worker_that_dies_at_every_start_is_started_less_and_less_often(rig: Make) -> None:
    pool = rig(instruments=1)
    times = []
    for _ in range(3):
        deaths = sum(pool.executor.deaths.values())
        pool.wait(lambda: pool.executor.available)
        pool.ask(command=models.KILL)
        pool.wait()
        assert sum(pool.executor.deaths.values()) == deaths + 1
        worker = pool.site.staff.workers[0]  # type: ignore[union-attr]
        times.append(worker.restart_at - time.monotonic_ns())
    assert times[0] < times[1] < times[2]
    assert times[2] > 3e8


def test_workers_killed_at_random_under_load_lose_no_row(rig: Make) -> None:
    pool = rig(instruments=4, workers=2, hang_ms=20_000, ring=1024)
    pool.wait(lambda: pool.site.staff.ready == 2)  # type: ignore[union-attr]
    rng = np.random.default_rng(11)
    kills = 0
    for index in range(6_000):
        pool.ask(index % 4, value=float(index))
        pool.seen += pool.executor.collect()
        if index % 1_500 == 700:
            victims = pool.pids()
            if victims:
                os.kill(victims[int(rng.integers(len(victims)))], signal.SIGKILL)
                kills += 1
        if index % 50 == 0:
            time.sleep(0.001)
    pool.wait()
    pool.wait(lambda: sum(pool.executor.deaths.values()) == kills)
    assert kills >= 2
    assert pool.submitted == 6_000 == len(pool.seen)
    rows = [(p.instrument, p.row) for p in pool.predictions()]
    assert len(set(rows)) == 6_000
    assert set(pool.verdicts()) <= {"ok", "conflated", "failed"}
    assert all(p.outputs[1] == 4 * p.row + p.instrument for p in pool.predictions(Verdict.OK))


@pytest.mark.parametrize("overload", ["latest", "queue"])
def test_a_queue_goes_on_after_a_worker_died_with_a_place_of_it(rig: Make, overload: str) -> None:
    pool = rig(instruments=1, overload=overload, queue=4, max_batch=2)
    for turn in range(3):
        pool.wait(lambda: pool.executor.available)
        pool.ask(command=models.KILL)
        for value in range(3):
            pool.ask(value=float(value))
        pool.wait()
        pool.wait(lambda: pool.executor.available)
        for value in range(12):
            pool.ask(value=float(value))
            pool.wait()
        assert [p.outputs[1] for p in pool.predictions(Verdict.OK)[-12:]] == [float(value) for value in range(12)], turn
    assert pool.adds_up()


def test_nothing_is_left_of_a_pool_that_is_closed(rig: Make) -> None:
    pool = rig(instruments=1, workers=2)
    assert pool.segments is not None
    folder, pids = pool.segments.path, pool.pids()
    assert folder.is_dir()
    pool.close()
    assert not folder.exists()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pool_rig import PoolRig
pool = PoolRig(Path(sys.argv[2]), instruments=1, workers=2)
pool.wait(lambda: pool.site.staff.ready == 2)
print(pool.segments.path, *pool.pids(), flush=True)
time.sleep(600)
"""


def test_workers_leave_with_a_parent_that_was_killed_and_the_next_start_cleans_up(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(Path(__file__).parent), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        folder, *pids = parent.stdout.readline().split()
        parent.kill()
        parent.wait()
    limit = time.monotonic() + 20
    while any(_lives(int(pid)) for pid in pids):
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert Path(folder).is_dir()
    SegmentFolder().close()
    assert not Path(folder).exists()


def test_folders_of_the_living_are_left_alone(tmp_path: Path) -> None:
    mine = SegmentFolder(tmp_path)
    assert sweep(tmp_path) == []
    assert mine.path.is_dir()
    mine.close()
    assert list(tmp_path.iterdir()) == []


def test_shared_memory_that_does_not_suffice_is_told_with_what_there_is(tmp_path: Path) -> None:
    folder = SegmentFolder()
    try:
        size = os.statvfs(shared_folder()).f_bavail * os.statvfs(shared_folder()).f_frsize + (1 << 30)
        with pytest.raises(SessionError, match=r"shared memory of [\d.]+ MB is needed, [\d.]+ MB are free; .*\[rows\] ring"):
            folder.create("rows", size)
        assert not (folder.path / "rows").exists()
    finally:
        folder.close()


def test_a_folder_for_shared_memory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match=r"nowhere: shared memory cannot be made there: No such file.*VTFRAME_SHM"):
        SegmentFolder(tmp_path / "nowhere")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
