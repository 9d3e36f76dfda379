"""A data set whose run was killed goes on from a checkpoint, and the file is the same bit by bit; else from the start, never
from something that cannot be trusted."""

from __future__ import annotations

import gzip
import itertools
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from vtframe.api import Codec, InstrumentTable
from vtframe.assemble.data_set import DataSetRun, DataSetSummary, DataSetWishes
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.cli.bench.feature_sets import six_features
from vtframe.dataset.collector import Collector
from vtframe.dataset.labels import LabelRule
from vtframe.dataset.set_file import SetFile
from vtframe.dataset.work import Work, work_folder
from vtframe.dataset.work_checkpoint import Place
from vtframe.domain import ROW, Records, SequenceRule
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import Pipeline, RowBatch

PART_ROWS = 120
RULE = LabelRule(kind="mid_direction", horizon_rows=10, threshold_bps=0.02)


@pytest.fixture(scope="module")
def home(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pieces of a real recording, of which the last follows after a gap; a configuration without models; and the file
    that a run makes that nobody stops."""
    home = tmp_path_factory.mktemp("going_on")
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        lines = list(itertools.islice(file, 12_500))
    for name, piece in (("one", lines[:6_000]), ("two", lines[6_000:10_000]), ("three", lines[10_500:])):
        (home / f"{name}.gz").write_bytes(gzip.compress(b"".join(piece), compresslevel=1))
    text = (root / "btcusdt.toml").read_text()
    (home / "rows.toml").write_text(text[: text.index("[[models]]")])
    make(wishes(home, home / "expected.parquet"))
    return home


def wishes(home: Path, out: Path, **more: Any) -> DataSetWishes:
    recordings = tuple(home / f"{name}.gz" for name in ("one", "two", "three"))
    return DataSetWishes(config=home / "rows.toml", out=out, recordings=recordings, part_rows=PART_ROWS, **more)


def make(asked: DataSetWishes) -> DataSetSummary:
    run = DataSetRun(asked)
    with run.work:
        run.make_rows()
        return run.write()


class Killed(BaseException):
    """Ends a run where it stands."""


PLACES: dict[str, tuple[type, str]] = {
    "before a part": (Work, "_finish_part"),
    "before a checkpoint": (Work, "keep"),
    "while the file is written": (SetFile, "write"),
}


def stopped(asked: DataSetWishes, where: str = "while the file is written", times: int = 1) -> None:
    """A run that ends at the given call of a method."""
    owner, name = PLACES[where]
    inner = getattr(owner, name)
    calls = itertools.count(1)

    def ending(self: Any, *arguments: Any) -> None:
        if next(calls) == times:
            raise Killed
        inner(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, ending)
        with pytest.raises(Killed):
            make(asked)


def expect_same(home: Path, out: Path) -> None:
    assert out.read_bytes() == (home / "expected.parquet").read_bytes()
    assert not work_folder(out).exists()


@pytest.mark.parametrize(
    ("where", "times"),
    [
        ("before a part", 1),
        ("before a part", 3),
        ("before a part", 6),
        ("before a checkpoint", 1),
        ("before a checkpoint", 2),
        ("while the file is written", 2),
    ],
)
def test_a_run_that_was_stopped_anywhere_makes_the_same_file(home: Path, tmp_path: Path, where: str, times: int) -> None:
    out = tmp_path / "set.parquet"
    stopped(wishes(home, out), where, times)
    said: list[str] = []
    found = make(wishes(home, out, on_compile=said.append))
    expect_same(home, out)
    kept = where == "while the file is written" or times > 1
    assert any(line.startswith("going on behind") for line in said) == kept
    assert found.again < found.resumed or not found.resumed or not kept


KILLED = """
import os, signal, sys
from pathlib import Path
from vtframe.assemble.data_set import DataSetRun, DataSetWishes
from vtframe.dataset import work
from vtframe.dataset.set_file import SetFile
from vtframe.dataset.work import Work

def end_at(owner, name, times, *, after):
    inner, calls = getattr(owner, name), []
    def ending(*arguments):
        calls.append(1)
        if len(calls) == times and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        inner(*arguments)
        if len(calls) == times:
            os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, ending)

where, folder, out, *recordings = sys.argv[1:]
{
    "a part that no checkpoint stands behind": lambda: end_at(Work, "_finish_part", 2, after=True),
    "a checkpoint that has no name yet": lambda: end_at(work, "_settle", 3, after=False),
    "a checkpoint": lambda: end_at(Work, "keep", 1, after=True),
    "half a file": lambda: end_at(SetFile, "write", 3, after=True),
}[where]()
asked = DataSetWishes(config=Path(folder) / "rows.toml", out=Path(out), recordings=tuple(map(Path, recordings)), part_rows=120)
run = DataSetRun(asked)
with run.work:
    run.make_rows()
    run.write()
"""


def test_a_run_that_is_killed_again_and_again_makes_the_same_file(home: Path, tmp_path: Path) -> None:
    """Real kills, one after the other, of the same work."""
    out = tmp_path / "set.parquet"
    recordings = map(str, wishes(home, out).recordings)
    told = list(recordings)
    for where in (
        "a part that no checkpoint stands behind",
        "a checkpoint that has no name yet",
        "a checkpoint",
        "half a file",
    ):
        done = subprocess.run([sys.executable, "-c", KILLED, where, str(home), str(out), *told], check=False)
        assert done.returncode == -signal.SIGKILL, where
        assert not out.exists()
        assert work_folder(out).exists()
    said: list[str] = []
    found = make(wishes(home, out, on_compile=said.append))
    assert said[0].startswith("going on behind")
    assert found.resumed == found.rows
    expect_same(home, out)


def test_a_checkpoint_saves_the_rows_before_it(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "set.parquet"
    stopped(wishes(home, out))
    frames = []
    batch = Pipeline.batch

    def counted(self: Pipeline, given: np.ndarray, events: np.ndarray) -> Any:
        frames.append(len(given))
        return batch(self, given, events)

    monkeypatch.setattr(Pipeline, "batch", counted)
    found = make(wishes(home, out))
    saved = sum(frames)
    frames.clear()
    make(wishes(home, tmp_path / "other.parquet"))
    assert 0 < saved < sum(frames) / 2
    assert found.again < found.resumed / 2
    expect_same(home, out)


def damaged_hash(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (damaged_hash, "damaged or cut short"),
        (lambda data: data[:-1000], "damaged or cut short"),
        (lambda data: data[:0], "damaged or cut short"),
        (lambda data: b"x" + data[1:], "damaged or cut short"),
    ],
)
def test_a_checkpoint_that_is_damaged_is_told_and_everything_is_made_again(
    home: Path, tmp_path: Path, damage: Callable[[bytes], bytes], told: str
) -> None:
    out = tmp_path / "set.parquet"
    stopped(wishes(home, out))
    path = work_folder(out) / "checkpoint"
    path.write_bytes(damage(path.read_bytes()))
    said: list[str] = []
    found = make(wishes(home, out, on_compile=said.append))
    assert told in said[0]
    assert "made again from the start" in said[0]
    assert found.again == found.resumed == found.rows
    expect_same(home, out)


def test_a_checkpoint_of_another_set_or_of_other_code_is_not_used(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, other = tmp_path / "set.parquet", tmp_path / "other.parquet"
    stopped(wishes(home, out))
    stopped(DataSetWishes(config=home / "rows.toml", out=other, recordings=(home / "one.gz",), part_rows=PART_ROWS))
    path = work_folder(out) / "checkpoint"
    good = path.read_bytes()
    path.write_bytes((work_folder(other) / "checkpoint").read_bytes())
    said: list[str] = []
    stopped(wishes(home, out, on_compile=said.append))
    assert "it is of another data set" in said[0]
    path.write_bytes(good)
    monkeypatch.setattr("vtframe.features.checkpoint.code", lambda *_: "another")
    make(wishes(home, out, on_compile=said.append))
    assert "was made by another pipeline: the code of a feature" in said[-1]
    expect_same(home, out)


def test_a_part_with_other_rows_than_it_states_is_made_anew(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.parquet"
    for part in ("000001", "000004"):
        stopped(wishes(home, out))
        path = work_folder(out) / f"{part}.parquet"
        table = pq.read_table(path)
        name = table.column_names[-1]
        changed = table.set_column(table.num_columns - 1, name, [table.column(name).to_numpy() + np.float32(1)])
        pq.write_table(changed.cast(table.schema), path)
        said: list[str] = []
        stopped(wishes(home, out, on_compile=said.append))
        assert f"{part}.parquet does not hold the rows" in said[0]
    make(wishes(home, out))
    expect_same(home, out)


def test_a_missing_part_is_made_anew(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.parquet"
    stopped(wishes(home, out))
    (work_folder(out) / "000001.parquet").unlink()
    said: list[str] = []
    make(wishes(home, out, on_compile=said.append))
    assert "of which 0 are there and whole" in said[0]
    expect_same(home, out)


def test_another_label_goes_on_from_the_same_checkpoint(home: Path, tmp_path: Path) -> None:
    out, expected = tmp_path / "set.parquet", tmp_path / "expected.parquet"
    stopped(wishes(home, out))
    said: list[str] = []
    make(wishes(home, out, label=RULE, on_compile=said.append))
    make(wishes(home, expected, label=RULE))
    assert said[0].startswith("going on behind")
    assert out.read_bytes() == expected.read_bytes()


def test_fresh_drops_the_checkpoint(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.parquet"
    stopped(wishes(home, out))
    said: list[str] = []
    found = make(wishes(home, out, fresh=True, on_compile=said.append))
    assert (found.resumed, said) == (0, [])
    expect_same(home, out)


def test_the_embedded_market_goes_on_from_a_checkpoint_too(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "vtframe.toml"
    config.write_text((root / "market.toml").read_text().replace("duration_s = 1200", "duration_s = 20"))
    out, expected = tmp_path / "set.parquet", tmp_path / "expected.parquet"
    asked = [DataSetWishes(config=config, out=path, part_rows=500) for path in (out, expected)]
    stopped(asked[0])
    found = make(asked[0])
    make(asked[1])
    assert found.again < found.resumed
    assert out.read_bytes() == expected.read_bytes()


class Remembering(BinanceCodec):
    """Refuses every seventh message that it has seen: what it makes depends on all before."""

    name = "binance"

    def open(self, instruments: InstrumentTable) -> None:
        super().open(instruments)
        self._count = 0

    def decode(self, data: bytes, records: Records) -> str:
        self._count += 1
        if self._count % 7 == 0 and b"@trade" in data[:64]:
            return "dropped"
        return super().decode(data, records)


@pytest.mark.parametrize("block", [1, 64, 1_000])
def test_a_codec_that_remembers_sees_every_message_again(home: Path, block: int) -> None:
    lines = gzip.decompress((home / "one.gz").read_bytes()).splitlines()
    messages = [(int(stamp), data) for stamp, _, data in (line.partition(b" ") for line in lines)]
    instruments = SessionInstruments(BinanceCodec.recognize(data for _, data in messages))

    def run(place: Place | None, snapshot: bytes, stop: int) -> tuple[Sequence[RowBatch], list[tuple[Place, bytes, int]]]:
        codec: Codec = Remembering()
        codec.open(instruments)
        pipeline = Pipeline(six_features(), list(instruments), [SequenceRule.PREVIOUS], ring_rows=64)
        rows: list[RowBatch] = []
        kept: list[tuple[Place, bytes, int]] = []

        def between() -> bool:
            if len(kept) < stop:
                kept.append((collector.place, pipeline.snapshot(), sum(len(batch.meta) for batch in rows)))
            return False

        collector = Collector(pipeline, codec, rows.append, enough=between, block=block)
        if place is not None:
            pipeline.restore(snapshot)
            collector.go_on(place)
        for k, (stamp, data) in enumerate(messages):
            if k % 500 == 0:
                collector.on_damage(f"line {k}", "for the numbers' sake")
            collector.on_message(data, stamp)
        collector.flush()
        assert collector.damaged == 12
        return rows, kept

    whole, kept = run(None, b"", 40)
    place, snapshot, before = kept[len(kept) // 2]
    rest, _ = run(place, snapshot, 0)
    assert sum(len(batch.meta) for batch in whole) - before > 30
    for name, size in (("meta", ROW.itemsize), ("values", 4 * 6)):
        expected = b"".join(getattr(batch, name).tobytes() for batch in whole)[before * size :]
        assert expected == b"".join(getattr(batch, name).tobytes() for batch in rest)
