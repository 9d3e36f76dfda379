"""The Parquet sink: what is logged is read back bit by bit, and no half file ever has a final name."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from vtframe.api import PredictionBlock, RowBlock, SessionInfo
from vtframe.builtin.parquet import hooks
from vtframe.builtin.parquet.sink import ParquetSink
from vtframe.domain import PREDICTION, ROW, BookState, Verdict
from vtframe.errors import ConfigError

COLUMNS = ("imbalance", "micro_spread")


def session(folder: Path, *, dtype: str = "float32", columns: tuple[str, ...] = COLUMNS, outputs=None) -> SessionInfo:
    return SessionInfo(
        session_id="s-1",
        folder=folder,
        instruments=("BTCUSDT@binance", "ETHUSDT@binance"),
        columns=columns,
        dtype=dtype,
        schema_hash="abc",
        fingerprint="numba x",
        outputs={"direction": ("down", "flat", "up")} if outputs is None else outputs,
    )


def rows(first: int, count: int, *, dtype: str = "float32", ts_step: int = 1000) -> RowBlock:
    rng = np.random.default_rng(first)
    meta = np.zeros(count, ROW)
    number = np.arange(first, first + count)
    for i, name in enumerate(("number", "input", "ts_event", "update_id", "bid", "bid_quantity", "ask", "ask_quantity")):
        meta[name] = number + 10_000 * i
    meta["ts_recv"] = number * ts_step
    meta["instrument"] = number % 2
    meta["state"] = number % len(BookState)
    meta["valid"] = number % 3 == 0
    values = rng.normal(size=(count, 2)).astype(dtype)
    values[::7, 0] = np.nan
    return RowBlock(meta=meta, values=values)


def predictions(count: int) -> PredictionBlock:
    meta = np.zeros(count, PREDICTION)
    for i, name in enumerate(PREDICTION.names or ()):
        if name not in {"instrument", "verdict", "version"}:
            meta[name] = np.arange(count) + 1000 * i
    meta["instrument"] = np.arange(count) % 2
    meta["version"] = np.arange(count) // 20
    meta["verdict"] = np.arange(count) % len(Verdict)
    outputs = np.random.default_rng(1).random((count, 3)).astype(np.float32)
    outputs[meta["verdict"] > 2] = np.nan
    return PredictionBlock(model="direction", meta=meta, outputs=outputs, versions=("first", "second"))


def sink(folder: Path, info: SessionInfo | None = None, **settings) -> ParquetSink:
    made = msgspec.convert(settings, ParquetSink)
    made.start(info or session(folder))
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compression", ["zstd", "snappy", "lz4", "none"])
def test_rows_are_read_back_bit_by_bit(tmp_path, dtype, compression) -> None:
    made = sink(tmp_path, session(tmp_path, dtype=dtype), compression=compression)
    blocks = [rows(0, 100, dtype=dtype), rows(100, 50, dtype=dtype)]
    for block in blocks:
        made.rows(block)
    made.close()
    table = pq.read_table(tmp_path / "rows" / "000001.parquet")
    meta = np.concatenate([b.meta for b in blocks])
    fixed = ["number", "input", "ts_event", "ts_recv", "instrument", "update_id"]
    fixed += ["bid", "bid_quantity", "ask", "ask_quantity", "state", "valid"]
    assert table.column_names == [*fixed, *COLUMNS]
    for name in fixed:
        if name not in {"instrument", "state", "valid"}:
            np.testing.assert_array_equal(table[name].to_numpy(), meta[name])
    assert table["instrument"].to_pylist() == [("BTCUSDT@binance", "ETHUSDT@binance")[i] for i in meta["instrument"]]
    assert table["state"].to_pylist() == [BookState(s).name for s in meta["state"].tolist()]
    assert table["valid"].to_pylist() == (meta["valid"] == 1).tolist()
    values = np.concatenate([b.values for b in blocks])
    for i, name in enumerate(COLUMNS):
        assert table[name].to_numpy().dtype == np.dtype(dtype)
        assert table[name].to_numpy().tobytes() == np.ascontiguousarray(values[:, i]).tobytes()


def test_predictions_are_read_back_with_every_field(tmp_path) -> None:
    made = sink(tmp_path)
    block = predictions(40)
    made.predictions(block)
    made.close()
    table = pq.read_table(tmp_path / "predictions" / "direction" / "000001.parquet")
    assert set(table.column_names) == {*(PREDICTION.names or ()), "down", "flat", "up", "model_hash"} - {"version"}
    assert table["model_hash"].to_pylist() == ["first"] * 20 + ["second"] * 20
    for name in PREDICTION.names or ():
        if name not in {"instrument", "verdict", "version"}:
            np.testing.assert_array_equal(table[name].to_numpy(), block.meta[name])
    assert table["verdict"].to_pylist() == [list(Verdict)[v].value for v in block.meta["verdict"]]
    for i, name in enumerate(("down", "flat", "up")):
        np.testing.assert_array_equal(table[name].to_numpy(), block.outputs[:, i])
    assert table["up"].null_count == int((block.meta["verdict"] > 2).sum())


def test_a_file_says_what_it_is(tmp_path) -> None:
    made = sink(tmp_path)
    made.rows(rows(0, 3))
    made.predictions(predictions(3))
    made.close()
    metadata = pq.read_schema(tmp_path / "rows" / "000001.parquet").metadata
    assert metadata[b"vtframe.format_version"] == b"1"
    assert metadata[b"vtframe.kind"] == b"rows"
    assert metadata[b"vtframe.session_id"] == b"s-1"
    assert metadata[b"vtframe.schema_hash"] == b"abc"
    assert metadata[b"vtframe.fingerprint"] == b"numba x"
    assert json.loads(metadata[b"vtframe.columns"]) == list(COLUMNS)
    metadata = pq.read_schema(tmp_path / "predictions" / "direction" / "000001.parquet").metadata
    assert (metadata[b"vtframe.kind"], metadata[b"vtframe.model"]) == (b"predictions", b"direction")


@pytest.mark.parametrize("segment_rows", [1, 64, 100, 1000])
def test_segments_are_full_and_lose_nothing(tmp_path, segment_rows) -> None:
    made = sink(tmp_path, segment_rows=segment_rows)
    for first in range(0, 300, 100):
        made.rows(rows(first, 100))
    made.close()
    files = sorted((tmp_path / "rows").iterdir())
    counts = [pq.read_metadata(f).num_rows for f in files]
    assert [f.name for f in files] == [f"{i:06d}.parquet" for i in range(1, len(counts) + 1)]
    assert counts[:-1] == [segment_rows] * (len(counts) - 1)
    assert pd.read_parquet(tmp_path / "rows")["number"].tolist() == list(range(300))


def test_a_segment_ends_after_its_span_of_market_time(tmp_path) -> None:
    made = sink(tmp_path, segment_seconds=1.0)
    for first in range(0, 50, 10):
        made.rows(rows(first, 10, ts_step=50_000_000))  # ten rows are half a second
    made.close()
    assert [pq.read_metadata(f).num_rows for f in sorted((tmp_path / "rows").iterdir())] == [20, 20, 10]


def test_large_blocks_become_few_row_groups(tmp_path) -> None:
    made = sink(tmp_path)
    for first in range(0, 40_000, 1000):
        made.rows(rows(first, 1000))
    made.close()
    assert pq.read_metadata(tmp_path / "rows" / "000001.parquet").num_row_groups == 3


def test_a_segment_that_ends_with_a_full_row_group_has_no_empty_one(tmp_path) -> None:
    made = sink(tmp_path)
    made.rows(rows(0, 16_384))
    made.close()
    metadata = pq.read_metadata(tmp_path / "rows" / "000001.parquet")
    assert (metadata.num_row_groups, metadata.num_rows) == (1, 16_384)


def test_numbers_go_on_after_the_segments_that_are_there(tmp_path) -> None:
    for first in (0, 10):
        made = sink(tmp_path)
        made.rows(rows(first, 10))
        made.close()
    assert pd.read_parquet(tmp_path / "rows")["number"].tolist() == list(range(20))


def test_nothing_logged_leaves_no_files(tmp_path) -> None:
    made = sink(tmp_path)
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_a_feature_or_class_named_like_a_fixed_column_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"\[\[features\]\] bid: has the name of a fixed column of rows files"):
        sink(tmp_path, session(tmp_path, columns=("bid", "x", "valid")))
    with pytest.raises(ConfigError, match="model m verdict: has the name of a fixed column"):
        sink(tmp_path, session(tmp_path, outputs={"m": ("verdict", "up")}))


@pytest.mark.parametrize("settings", [{"segment_rows": 0}, {"segment_seconds": 0.0}, {"compression": "rar"}])
def test_settings_out_of_range_are_refused(settings) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, ParquetSink)


def test_the_hook_registers_the_sink_by_name() -> None:
    assert [part.name for part in hooks.register_sinks()] == ["parquet"]


def test_a_kill_leaves_every_finished_segment_readable_and_no_half_file(tmp_path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from test_parquet_sink import rows, sink
        made = sink(Path(sys.argv[1]), segment_rows=700)
        first = 0
        while True:
            made.rows(rows(first, 500))
            first += 500
            print(first, flush=True)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        written = 0
        while written < 20_000:
            written = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
    files = sorted((tmp_path / "rows").glob("[0-9]*.parquet"))
    assert len(files) >= 20_000 // 700
    numbers = [n for f in files for n in pq.read_table(f)["number"].to_pylist()]
    assert numbers == list(range(700 * len(files)))
    assert pd.read_parquet(tmp_path / "rows")["number"].tolist() == numbers  # whatever was in hand is passed over
