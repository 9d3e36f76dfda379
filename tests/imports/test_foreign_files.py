"""Other people's files, written from real frames, make the rows that the direct path makes, bit by bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from foreign_files import Frame, rows_of, write_hftbacktest, write_nautilus, write_tardis

from vtframe.builtin.imports.formats import feed_for
from vtframe.features.pipeline import RowBatch

SAME = ("ts_event", "ts_recv", "bid", "bid_quantity", "ask", "ask_quantity", "state", "valid")
UNITS = {"venue": "binance_usdm", "symbol": "BTCUSDT"}


def assert_same_rows(found: RowBatch, expected: RowBatch, columns: list[int], *, price_scale: int = 1) -> None:
    assert len(found.meta) == len(expected.meta) > 4_000
    for name in SAME:
        scale = price_scale if name in {"bid", "ask"} else 1
        differing = np.flatnonzero(found.meta[name] * scale != expected.meta[name])
        assert not len(differing), f"{name} from row {differing[0]} on"
    one, other = (np.ascontiguousarray(rows.values[:, columns]).view(np.uint32) for rows in (found, expected))
    assert (one == other).all()
    assert np.isfinite(found.values[found.meta["valid"] == 1]).all()


def test_no_two_depth_messages_share_both_times(frames: list[Frame]) -> None:
    """Formats without borders between messages could not tell them apart."""
    times = [(frame.ts_event, frame.ts_recv) for frame in frames if frame.kind == "depth"]
    assert len(set(times)) == len(times) > 4_000


def test_an_hftbacktest_file_makes_the_rows_of_the_direct_path(
    frames: list[Frame], direct: RowBatch, rows_config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "data.npz"
    write_hftbacktest(path, frames)
    found, columns, collector = rows_of(rows_config, {"use": "hftbacktest", "paths": [str(path)], **UNITS})
    assert_same_rows(found, direct, list(range(len(columns))))
    assert collector.damaged == 0


def test_an_hftbacktest_snapshot_of_its_own_is_played_before_its_data(
    frames: list[Frame], direct: RowBatch, rows_config: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / "snapshot.npz", tmp_path / "data.npz"]
    write_hftbacktest(paths[0], frames[:1])
    write_hftbacktest(paths[1], frames[1:])
    found, columns, _ = rows_of(rows_config, {"use": "hftbacktest", "paths": [str(path) for path in paths], **UNITS})
    assert_same_rows(found, direct, list(range(len(columns))))


def test_a_second_hftbacktest_snapshot_replaces_its_range_and_keeps_what_lies_beyond(
    frames: list[Frame], rows_config: Path, tmp_path: Path
) -> None:
    """A full picture in mid-stream, its deep levels left out: the book must be as without it."""
    book: dict[tuple[int, int], int] = {}
    for frame in frames[:1_500]:
        for level in frame.levels if frame.kind != "trade" else ():
            book[level.side, level.price] = level.quantity
    last = frames[1_499]
    kinds = type(last.levels[0])
    near = []
    for side in (1, -1):
        levels = sorted(((p, q) for (s, p), q in book.items() if s == side and q), key=lambda level: -side * level[0])
        near += [kinds(side, price, quantity) for price, quantity in levels[:50]]
    again = [*frames[:1_500], Frame("picture", last.ts_event, last.ts_recv, near), *frames[1_500:]]
    write_hftbacktest(tmp_path / "again.npz", again)
    write_hftbacktest(tmp_path / "once.npz", frames)
    feeds = [{"use": "hftbacktest", "paths": [str(tmp_path / name)], **UNITS} for name in ("again.npz", "once.npz")]
    found, once = (rows_of(rows_config, feed)[0] for feed in feeds)
    assert len(found.meta) == len(once.meta) + 1
    for name in ("bid", "bid_quantity", "ask", "ask_quantity", "state"):
        assert (found.meta[name][-3_000:] == once.meta[name][-3_000:]).all(), name


def test_a_tardis_file_makes_the_rows_of_the_direct_path(
    frames: list[Frame], direct: RowBatch, rows_config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "binance-futures_incremental_book_L2_2023-04-04_BTCUSDT.csv.gz"
    write_tardis(path, frames)
    found, columns, collector = rows_of(rows_config, {"use": "tardis", "paths": [str(path)]})
    assert_same_rows(found, direct, [k for k, name in enumerate(columns) if name != "trade_imbalance"])
    assert collector.damaged == 0


@pytest.mark.parametrize("width", [0, 8, 16])
def test_a_nautilus_file_makes_the_rows_of_the_direct_path(
    frames: list[Frame], direct: RowBatch, rows_config: Path, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "part-0.parquet"
    write_nautilus(path, frames, width=width)
    found, columns, collector = rows_of(rows_config, {"use": "nautilus", "paths": [str(path)]})
    without_trades = [k for k, name in enumerate(columns) if name != "trade_imbalance"]
    assert_same_rows(found, direct, without_trades, price_scale=10)  # it states one decimal, the venue's messages two
    assert collector.damaged == 0


def test_the_command_tells_formats_by_the_files_themselves(
    frames: list[Frame], rows_config: Path, data: Path, tmp_path: Path
) -> None:
    write_hftbacktest(tmp_path / "a.npz", frames[:400])
    write_tardis(tmp_path / "b.csv.gz", frames[:400])
    write_nautilus(tmp_path / "c.parquet", frames[:400], width=8)
    lobster = data / "lobster" / "LOBSTER_SampleFile_AAPL_2012-06-21_1.zip"
    recording = data / "binance" / "usdm_btcusdt_20230404.dat.gz"
    paths = [tmp_path / "a.npz", tmp_path / "b.csv.gz", tmp_path / "c.parquet", lobster, recording]
    assert [feed_for(path) for path in paths] == ["hftbacktest", "tardis", "nautilus", "lobster", "recording"]
    options = ["--venue", "binance_usdm", "--symbol", "BTCUSDT", "-c", str(rows_config), "-o", str(tmp_path / "rows.parquet")]
    command = [sys.executable, "-m", "vtframe.cli.main", "features", str(tmp_path / "a.npz"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.num_rows == sum(frame.kind != "trade" for frame in frames[:400])
    assert table.column("instrument").unique().to_pylist() == ["BTCUSDT@binance_usdm"]


def test_a_session_runs_on_an_imported_file_and_holds_in_parity(frames: list[Frame], root: Path, tmp_path: Path) -> None:
    from vtframe.assemble.parity import ParityRun
    from vtframe.assemble.session import Wishes, assemble

    path = tmp_path / "part-0.parquet"
    write_nautilus(path, frames[:1_500], width=16)
    config = tmp_path / "session.toml"
    config.write_text((root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/"))
    assemble(config, Wishes(recordings=(path,), folder=tmp_path / "session")).session.run()
    found = ParityRun(tmp_path / "session").run()
    assert found.passed
    assert found.rows > 500
    assert found.sources[0].path == str(path)
