"""What the engine and the session do at the edges: many rows of one input, small rings, starts and stops that fail."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from vtframe.api import Feed, FeedSink, PluginError, VtframeError
from vtframe.assemble.session import Assembled, Wishes, assemble
from vtframe.errors import JournalWriteError
from vtframe.journal.records import OrderApproved


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    text = (
        (root / "market.toml")
        .read_text()
        .replace("models/", f"{root}/models/")
        .replace("min_edge_bps = 0.34", "min_edge_bps = 0")
    )
    path = tmp_path / "vtframe.toml"
    path.write_text(re.sub(r"duration_s = \d+", "duration_s = 20", text))
    return path


def clocked(root: Path, config: Path, interval_ms: int) -> None:
    """Sample by a clock, with a bundle that says so."""
    bundle = config.parent / "clocked"
    bundle.mkdir()
    source = root / "models" / "embedded_direction"
    (bundle / "model.onnx").write_bytes((source / "model.onnx").read_bytes())
    text = (source / "bundle.toml").read_text().replace('sampling = "frame"', f'sampling = "clock {interval_ms} ms"')
    (bundle / "bundle.toml").write_text(text)
    text = (
        config.read_text()
        .replace(f"{root}/models/embedded_direction", str(bundle))
        .replace('"embedded_direction"', '"clocked"')
    )
    config.write_text(text.replace('every = "frame"', f'every = "clock"\ninterval_ms = {interval_ms}'))


def session_of(config: Path, **wishes: Any) -> Assembled:
    return assemble(config, Wishes(folder=config.parent / "session", deterministic=True, **wishes))


def test_rows_that_one_input_made_are_conflated_but_the_newest_and_each_is_logged_once(root: Path, config: Path) -> None:
    clocked(root, config, 1)  # frames are about four milliseconds apart
    counts = session_of(config).session.run().report["counts"]
    rows = pq.read_table(config.parent / "session" / "rows").to_pandas()
    predictions = pq.read_table(config.parent / "session" / "predictions" / "clocked").to_pandas()
    assert len(rows) == counts["rows"] == len(predictions)
    assert predictions["row"].is_unique
    assert set(predictions["row"]) == set(rows["number"])
    assert counts["conflated"] > counts["predictions"] > 1_000
    accounted = ("predictions", "conflated", "failed", "overrun", "invalid")
    assert counts["rows"] == sum(counts[key] for key in accounted)
    newest = rows.groupby("input")["number"].max()
    answered = predictions[predictions["verdict"] == "ok"]
    assert (newest.loc[answered["input"]].to_numpy() == answered["row"].to_numpy()).all()


class Silence(Feed):
    """Passes another feed's records on, with one long silence in them."""

    name = "silence"

    silence_ns: int

    def around(self, inner: Feed) -> Feed:
        self._inner = inner
        return self

    async def run(self, sink: FeedSink) -> None:
        await self._inner.run(_Late(sink, self.silence_ns))


class _Late:
    """A sink whose later half arrives later."""

    def __init__(self, sink: FeedSink, silence_ns: int) -> None:
        self._sink = sink
        self._silence = silence_ns
        self._blocks = 0

    @property
    def stopping(self) -> bool:
        return self._sink.stopping

    def on_records(self, records: Any) -> None:
        self._blocks += 1
        if self._blocks > 1:
            records.frames["ts_recv"][: records.n_frames] += self._silence
        self._sink.on_records(records)


def test_a_silence_of_more_rows_than_the_ring_holds_loses_none_of_them(root: Path, config: Path) -> None:
    clocked(root, config, 1)
    session = session_of(config).session
    session.feed = Silence(silence_ns=20_000_000_000).around(session.feed)  # 20,000 rows at once; the ring holds 4,096
    counts = session.run().report["counts"]
    rows = pq.read_table(config.parent / "session" / "rows").to_pandas()
    assert len(rows) == counts["rows"] > 38_000
    assert (rows["number"].to_numpy() == range(len(rows))).all()
    assert counts["conflated"] > 20_000


def test_a_small_ring_is_emptied_in_time(config: Path) -> None:
    config.write_text(config.read_text() + "\n[rows]\nring = 1024\n")
    report = session_of(config).session.run().report
    assert len(pq.read_table(config.parent / "session" / "rows")) == report["counts"]["rows"] > 3_000


def test_a_journal_that_cannot_be_written_stops_the_session_with_one_error_and_everything_closed(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of(config).session
    write = session.journal.write

    def full(*records: Any) -> None:
        if any(isinstance(record, OrderApproved) for record in records):
            raise JournalWriteError("journal", "cannot be written: No space left on device")
        write(*records)

    monkeypatch.setattr(session.journal, "write", full)
    with pytest.raises(JournalWriteError) as stopped:
        session.run()
    assert stopped.value.exit_code == 1
    folder = config.parent / "session"
    assert (folder / "report.json").exists()
    assert list((folder / "rows").glob("*.parquet"))
    assert not list((folder / "rows").glob(".*.tmp"))


class Broken(Feed):
    """A feed that raises."""

    name = "broken"

    async def run(self, sink: FeedSink) -> None:
        raise ValueError("no such stream")


def test_an_error_of_the_feed_is_told_as_the_feeds(config: Path) -> None:
    session = session_of(config).session
    session.feed = Broken()
    with pytest.raises(PluginError, match=r"broken.*no such stream"):
        session.run()


def test_a_policy_that_cannot_start_leaves_nothing(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = "from vtframe.api import RiskPolicy\nclass Mine(RiskPolicy):\n    name = 'mine'\n"
    code += (
        "    def review(self, order, context): return order\n    def start(self, context): raise RuntimeError('not today')\n"
    )
    (config.parent / "mine.py").write_text(code)
    text = config.read_text().replace('plugins = ["onnx"]', 'plugins = ["onnx"]\nlocal = ["mine.py"]')
    config.write_text(text + '\n[[risk]]\nuse = "mine"\n')
    with pytest.raises(VtframeError, match="not today"):
        session_of(config)
    assert not (config.parent / "session").exists()
    assert "Traceback" not in capfd.readouterr().err


def test_a_strategy_that_cannot_start_is_one_error(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = "from vtframe.api import Strategy\nclass Mine(Strategy):\n    name = 'mine'\n"
    code += "    def on_prediction(self, prediction, view): return None\n"
    code += "    def start(self, view): raise RuntimeError('not today')\n"
    (config.parent / "mine.py").write_text(code)
    text = config.read_text().replace('plugins = ["onnx"]', 'plugins = ["onnx"]\nlocal = ["mine.py"]')
    config.write_text(re.sub(r"strategy = \{.*\}", 'strategy = { use = "mine" }', text))
    session = session_of(config).session
    with pytest.raises(VtframeError, match="not today"):
        session.run()
    assert not (config.parent / "session").exists()
    assert capfd.readouterr().err == ""


def test_two_sessions_in_folders_of_one_name_have_different_order_ids(config: Path, tmp_path: Path) -> None:
    ids = set()
    for parent in ("one", "two"):
        session = assemble(config, Wishes(folder=tmp_path / parent / "out")).session
        ids.add(session.info.session_id)
        session.journal.close()
    assert len(ids) == 2
