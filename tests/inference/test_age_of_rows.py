"""How old a prediction is depends on what waited, not on whether anything happened: quiet books, clocks, and a true backlog."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import uvloop

from vtframe.assemble.parity import ParityRun
from vtframe.assemble.session import Wishes, assemble
from vtframe.builtin.market.feed import START_NS
from vtframe.clock import LiveClock
from vtframe.inference.age import Arrivals
from vtframe.inference.loop_beat import LoopBeat

MODEL = "embedded_direction"
LEADER = '[[features]]\nuse = "book_imbalance"\nas = "leader_imbalance"\ninstrument = "SIM2USDT@sim"\n\n[[models]]'
QUIET, LOUD = "SIMUSDT@sim", "SIM2USDT@sim"
MS, S = 1_000_000, 1_000_000_000
QUIET_NS, BLOCKED_NS, READ_NS = (START_NS + second * S for second in (5, 66, 69))
RULES = {
    "frame and leaders": 'every = "frame"\nleaders = true',
    "clock 100 ms": 'every = "clock"\ninterval_ms = 100',
}


def played(root: Path, home: Path, rule: str, where: str) -> pd.DataFrame:
    """The predictions of a session of 75 s."""
    source, bundle = root / "models" / MODEL, home / "models" / MODEL
    bundle.mkdir(parents=True)
    (bundle / "model.onnx").write_bytes((source / "model.onnx").read_bytes())
    stated = (source / "bundle.toml").read_text().replace('sampling = "frame"', f'sampling = "{rule}"')
    (bundle / "bundle.toml").write_text(stated)
    (home / "quiet.py").write_text((Path(__file__).parent / "quiet_feed.py").read_text())
    text = (root / "market.toml").read_text().replace('use = "market"', 'use = "quiet"')
    text = text.replace('plugins = ["onnx"]', 'plugins = ["onnx"]\nlocal = ["quiet.py"]')
    text = re.sub(r"duration_s = \d+", "duration_s = 75\ninstruments = 2", text).replace('every = "frame"', RULES[rule])
    text = text.replace(
        'where = "inline"\ndeadline_us = 5_000', f'where = "{where}"\ndeadline_us = 20_000_000\nstale_ms = 1_000'
    )
    (home / "vtframe.toml").write_text(text.replace("[[models]]", LEADER, 1) if "leaders" in rule else text)
    assemble(home / "vtframe.toml", Wishes(folder=home / "session", deterministic=True)).session.run()
    return pq.read_table(home / "session" / "predictions" / MODEL).to_pandas()


@pytest.mark.parametrize("where", ["inline", "fused", "thread"])
@pytest.mark.parametrize("rule", RULES)
def test_a_quiet_book_is_not_stale_and_a_backlog_of_those_that_speak_is(
    root: Path, tmp_path: Path, rule: str, where: str
) -> None:
    found = played(root, tmp_path, rule, where)
    found = found[~found["verdict"].isin(["invalid", "conflated"])]
    quiet = found[(found["instrument"] == QUIET) & (found["ts_recv"] > QUIET_NS + S)]
    before = quiet[quiet["ts_recv"] < BLOCKED_NS]
    assert len(before) > 500
    assert set(before["verdict"]) == {"ok"}
    assert (before["ts_recv"] - before["ts_event"]).max() > 60 * S  # its own time would have made it stale
    assert before["age_ns"].max() < 200 * MS
    assert (before["ts_event"] < QUIET_NS).all()
    after = found[found["ts_recv"] > READ_NS + S]
    assert set(after["verdict"]) == {"ok"}
    assert set(after["instrument"]) == {QUIET, LOUD}
    read_late = found[found["ts_recv"] == READ_NS]
    late = read_late[read_late["verdict"] == "stale"]
    assert set(late["instrument"]) == {QUIET, LOUD}  # what the quiet book shows beside it waited as well
    assert late["age_ns"].max() == pytest.approx(3 * S, abs=0.1 * S)
    spoke = found[found["instrument"] == LOUD]
    assert set(spoke[spoke["ts_recv"] < BLOCKED_NS]["verdict"]) == {"ok"}
    if rule != "clock 100 ms":
        assert len(late) > 20
        assert late["age_ns"].min() > 1 * S
        paired = late.groupby("input")["age_ns"].nunique()
        assert set(paired) == {1}


def test_rows_of_a_quiet_book_are_made_again_bit_for_bit(root: Path, tmp_path: Path) -> None:
    played(root, tmp_path, "clock 100 ms", "inline")
    certificate = ParityRun(tmp_path / "session", predictions=True).run()
    assert certificate.passed, certificate


def test_every_row_of_a_noted_input_has_its_backlog_whatever_the_row_s_own_times() -> None:
    arrivals = Arrivals(2)
    arrivals.note(1, 0, ts_event=10 * S, ts_recv=10 * S + 2 * MS)
    assert arrivals.backlog(1, 0, 10 * S, 10 * S + 2 * MS) == 0
    assert arrivals.backlog(1, 1, 3 * S, 10 * S + 2 * MS) == 0
    arrivals.note(2, 0, ts_event=11 * S, ts_recv=11 * S + 9 * MS)
    assert [arrivals.backlog(2, one, 3 * S, 11 * S) for one in (0, 1, 0)] == [7 * MS] * 3
    arrivals.note(3, 0, ts_event=None, ts_recv=12 * S)  # states no time: what was known is what is known
    assert arrivals.backlog(3, 1, 3 * S, 12 * S) == 7 * MS
    arrivals.note(4, 1, ts_event=12 * S, ts_recv=12 * S + 30 * MS)  # another venue, whose clock is 28 ms behind
    assert arrivals.backlog(4, 0, 3 * S, 12 * S) == 0


def test_a_row_of_an_input_that_nobody_noted_stands_for_itself_and_may_be_looked_at_twice() -> None:
    arrivals = Arrivals(2)
    assert arrivals.backlog(7, 1, 10 * S, 10 * S + 2 * MS) == 0
    assert [arrivals.backlog(8, 1, 10 * S, 10 * S + 5 * MS) for _ in range(3)] == [3 * MS] * 3
    assert arrivals.backlog(9, 0, 10 * S, 10 * S + 5 * MS) == 0


class Blocked(LoopBeat):
    """A loop that left its sockets alone from 100 s to 103 s."""

    def waited_ns(self, ts_recv: int) -> int:
        return 3 * S if 103 * S <= ts_recv < 103 * S + 10 * MS else 0


def test_an_input_without_a_time_is_as_old_as_the_newest_with_one_or_as_the_loop_was_blocked() -> None:
    arrivals = Arrivals(1, window_ns=1_000 * S, beat=Blocked(LiveClock()))
    arrivals.note(1, 0, ts_event=10 * S, ts_recv=10 * S)
    arrivals.note(2, 0, ts_event=11 * S, ts_recv=11 * S + 7 * MS)
    arrivals.note(3, 0, ts_event=0, ts_recv=12 * S)  # a bookTicker of spot
    assert arrivals.backlog(3, 0, 11 * S, 12 * S) == 7 * MS
    assert arrivals.backlog(4, 0, 0, 12 * S) == 7 * MS  # the row of a snapshot, which nobody noted
    arrivals.note(5, 0, ts_event=0, ts_recv=103 * S)
    assert arrivals.backlog(5, 0, 11 * S, 103 * S) == 3 * S
    assert arrivals.backlog(6, 0, 0, 103 * S) == 3 * S
    assert arrivals.backlog(7, 0, 103 * S - 5 * MS, 103 * S) == 5 * MS  # what has a time needs no guess
    assert arrivals.backlog(8, 0, 0, 104 * S) == 5 * MS


def test_a_loop_s_beat_says_for_how_long_it_was_blocked_and_nothing_while_it_keeps_up() -> None:
    clock = LiveClock()

    async def least(beat: LoopBeat) -> int:
        """Of a few readings, for a machine with other work stops us now and then."""
        found = []
        for _ in range(5):
            await asyncio.sleep(0.02)
            found.append(beat.waited_ns(clock.now_ns()))
        return min(found)

    async def main() -> list[int]:
        beat = LoopBeat(clock)
        assert beat.waited_ns(clock.now_ns()) == 0
        beating = asyncio.create_task(beat.run())
        await asyncio.sleep(0.1)
        usual = await least(beat)
        time.sleep(0.2)
        same_turn = beat.waited_ns(clock.now_ns())
        await asyncio.sleep(0)
        next_turn = beat.waited_ns(clock.now_ns())
        later = await least(beat)
        beating.cancel()
        return [usual, same_turn, next_turn, later]

    for loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop) as runner:
            usual, same_turn, next_turn, later = runner.run(main())
        assert (usual, later) == (0, 0)
        assert 200 * MS <= same_turn < 1 * S
        assert 200 * MS <= next_turn < 1 * S
