"""How old a prediction is depends on what waited, not on whether anything happened: quiet books, clocks, and a true backlog."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from vtframe.assemble.parity import ParityRun
from vtframe.assemble.session import Wishes, assemble
from vtframe.builtin.market.feed import START_NS
from vtframe.inference.age import Arrivals

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
