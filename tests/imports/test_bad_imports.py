"""Files that cannot be imported: each is refused by one message that names it, and nothing is made of it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from foreign_files import HFT, Frame, rows_of, write_hftbacktest, write_nautilus, write_tardis

from vtframe.errors import ConfigError, RecordingError
from vtframe.wire import sidecar_path

UNITS = {"venue": "binance_usdm", "symbol": "BTCUSDT"}
FLAGS = 1 << 31 | 1 << 30 | 1 << 29


def refused(config: Path, use: str, path: Path, **settings: Any) -> str:
    with pytest.raises((RecordingError, ConfigError)) as caught:
        rows_of(config, {"use": use, "paths": [str(path)], **settings})
    return str(caught.value)


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def event(kind: int, px: float = 100.0, qty: float = 1.0, flags: int = FLAGS) -> Any:
    return np.array([(flags | kind, 1, 1, px, qty, 0, 0, 0.0)], HFT)


def test_an_array_without_units_asks_for_them(frames: list[Frame], rows_config: Path, tmp_path: Path) -> None:
    write_hftbacktest(tmp_path / "a.npz", frames[:3])
    assert "--venue, --symbol, --tick-size, --lot-size" in refused(rows_config, "hftbacktest", tmp_path / "a.npz")
    told = refused(rows_config, "hftbacktest", tmp_path / "a.npz", venue="moon", symbol="XYZ")
    assert "does not say the tick size and lot size of XYZ@moon" in told
    for wrong in ("0", "-1", "abc", "inf", "1e-30"):
        assert "expected a positive decimal" in refused(
            rows_config, "hftbacktest", tmp_path / "a.npz", venue="moon", symbol="XYZ", tick_size=wrong, lot_size="1"
        )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: save(path, data=np.zeros(3)), "expected hftbacktest 2's events"),
        (lambda path: save(path, one=np.zeros(3), two=np.zeros(3)), "no array named data"),
        (lambda path: save(path, data=event(10)), "row 0 is about a single order (add): a level 3 file"),
        (lambda path: save(path, data=event(1, px=100.123)), "row 0: px is 100.123, which is no number with 2 decimals"),
        (lambda path: save(path, data=event(1, px=float("nan"))), "row 0: px is nan"),
        (lambda path: save(path, data=event(1, px=1e300)), "row 0: px is"),
        (lambda path: save(path, data=event(1, qty=-1.0)), "row 0 has no side, or a quantity below 0"),
        (lambda path: save(path, data=event(1, flags=1 << 30)), "row 0 has no side"),
        (lambda path: path.write_bytes(b"not a zip"), "no .npz file"),
    ],
)
def test_arrays_that_are_not_hftbacktest_s_are_refused(
    rows_config: Path, tmp_path: Path, make: Callable[[Path], Any], told: str
) -> None:
    path = tmp_path / "a.npz"
    make(path)
    message = refused(rows_config, "hftbacktest", path, **UNITS)
    assert told in message
    assert str(path) in message


def test_events_that_are_not_for_the_book_are_passed_over(frames: list[Frame], rows_config: Path, tmp_path: Path) -> None:
    """User-defined events, best levels, and what only the exchange saw."""
    write_hftbacktest(tmp_path / "a.npz", frames[:300])
    data = np.load(tmp_path / "a.npz")["data"]
    noise = data.copy()
    noise["ev"] = (noise["ev"] & ~np.uint64(0xFF)) | np.uint64(103)
    exchange = data.copy()
    exchange["ev"] &= ~np.uint64(1 << 30)
    exchange["px"] += 7
    mixed = np.empty(3 * len(data), HFT)
    mixed[0::3], mixed[1::3], mixed[2::3] = noise, data, exchange
    save(tmp_path / "b.npz", data=mixed)
    one, other = (
        rows_of(rows_config, {"use": "hftbacktest", "paths": [str(tmp_path / name)], **UNITS})[0] for name in ("a.npz", "b.npz")
    )
    assert (one.meta == other.meta).all()
    assert one.values.tobytes() == other.values.tobytes()


def test_without_a_snapshot_the_book_starts_empty_and_that_is_told(
    frames: list[Frame], rows_config: Path, tmp_path: Path
) -> None:
    write_hftbacktest(tmp_path / "a.npz", [frame for frame in frames[1:400] if frame.kind == "depth"])
    rows, _, collector = rows_of(rows_config, {"use": "hftbacktest", "paths": [str(tmp_path / "a.npz")], **UNITS})
    assert any("no snapshot at its beginning" in problem for problem in collector.damage)
    assert rows.meta["bid_quantity"][0] == 0
    assert rows.meta["bid_quantity"][-1] > 0


def test_a_sidecar_states_the_units_where_it_is_of_the_format(
    frames: list[Frame], rows_config: Path, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    write_hftbacktest(path, frames[:300])
    beside = (
        'format_version = 1\ncodec = "hftbacktest"\ntime_unit = "ns"\n[[instruments]]\nvenue = "moon"\nsymbol = "XYZ"\n'
        'kind = "linear"\nbase = "X"\nquote = "YZ"\nsettlement = "YZ"\n'
        'tick_size = "0.1"\nlot_size = "0.001"\nprice_decimals = 2\n'
    )
    sidecar_path(path).write_text(beside)
    rows, _, _ = rows_of(rows_config, {"use": "hftbacktest", "paths": [str(path)]})
    assert len(rows.meta) > 50
    sidecar_path(path).write_text(beside.replace('codec = "hftbacktest"', 'codec = "binance"'))
    assert 'says codec = "binance", expected "hftbacktest"' in refused(rows_config, "hftbacktest", path)


def csv(path: Path, lines: list[str]) -> Path:
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


HEADER = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
ROW = "binance-futures,BTCUSDT,1680652700000000,1680652700000001,{},bid,{},{}"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["a,b", "1,2"], "has the columns a, b, expected exchange, symbol"),
        ([HEADER], "holds no row"),
        ([HEADER, ROW.format("true", "1.234567", "1")], "more decimals than the instrument's"),
        ([HEADER, ROW.format("true", "abc", "1")], "cannot be read"),
        ([HEADER, ROW.format("true", "1", "1"), ROW.format("false", "1", "1").replace("BTC", "ETH")], "BTCUSDT, ETHUSDT"),
        ([HEADER, ROW.format("true", "1", "1"), "binance-futures,BTCUSDT,17"], "cannot be read"),
    ],
)
def test_tables_that_are_not_tardis_s_are_refused(rows_config: Path, tmp_path: Path, lines: list[str], told: str) -> None:
    path = csv(tmp_path / "a.csv.gz", lines)
    message = refused(rows_config, "tardis", path)
    assert told in message
    assert str(path) in message


def test_a_torn_tardis_file_is_refused_with_its_name(frames: list[Frame], rows_config: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    write_tardis(path, frames[:200])
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{path}: cannot be read" in refused(rows_config, "tardis", path)


def test_rows_before_the_first_tardis_snapshot_are_passed_over_and_told(
    frames: list[Frame], rows_config: Path, tmp_path: Path
) -> None:
    write_tardis(tmp_path / "a.csv.gz", [frames[5], frames[0], *frames[1:300]])
    write_tardis(tmp_path / "b.csv.gz", frames[:300])
    early, _, collector = rows_of(rows_config, {"use": "tardis", "paths": [str(tmp_path / "a.csv.gz")]})
    plain, _, _ = rows_of(rows_config, {"use": "tardis", "paths": [str(tmp_path / "b.csv.gz")]})
    assert any("rows before the first are passed over" in problem for problem in collector.damage)
    assert early.values.tobytes() == plain.values.tobytes()


def test_a_second_tardis_snapshot_discards_the_book(frames: list[Frame], rows_config: Path, tmp_path: Path) -> None:
    level = type(frames[0].levels[0])
    picture = Frame("picture", frames[50].ts_event, frames[50].ts_recv, [level(1, 2_000_000, 5), level(-1, 2_000_010, 7)])
    write_tardis(tmp_path / "a.csv.gz", [*frames[:50], picture])
    rows, _, _ = rows_of(rows_config, {"use": "tardis", "paths": [str(tmp_path / "a.csv.gz")]})
    assert rows.meta[["bid", "bid_quantity", "ask", "ask_quantity"]][-1].tolist() == (2_000_000, 5, 2_000_010, 7)


def changed(path: Path, name: str, values: pa.Array) -> None:
    table = pq.read_table(path)
    at = table.schema.get_field_index(name)
    pq.write_table(table.set_column(at, name, values), path)


def test_deltas_of_other_layouts_are_refused_by_name(frames: list[Frame], rows_config: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    few = frames[:20]
    write_nautilus(path, few, width=8, metadata={"instrument_id": ""})
    assert "do not state instrument_id" in refused(rows_config, "nautilus", path)
    write_nautilus(path, few, width=8, metadata={"price_precision": "many"})
    assert "price_precision = 'many'" in refused(rows_config, "nautilus", path)
    write_nautilus(path, few, width=8, metadata={"price_precision": "0"})
    assert "more than the 0 decimals" in refused(rows_config, "nautilus", path)
    write_nautilus(path, few, width=16, metadata={"size_precision": "0"})
    assert "more than the 0 decimals" in refused(rows_config, "nautilus", path)
    write_nautilus(path, few, width=8)
    count = pq.read_metadata(path).num_rows
    changed(path, "price", pa.array([1.5] * count))
    assert "of type double, a layout that is not known here" in refused(rows_config, "nautilus", path)
    write_nautilus(path, few, width=8)
    changed(path, "order_id", pa.array(range(1, count + 1), pa.uint64()))
    assert "a level 3 file" in refused(rows_config, "nautilus", path)
    write_nautilus(path, few, width=8)
    changed(path, "action", pa.array([9] * count, pa.uint8()))
    assert "unknown action" in refused(rows_config, "nautilus", path)
    pq.write_table(pq.read_table(path).drop_columns(["flags"]), path)
    assert "has no column flags" in refused(rows_config, "nautilus", path)
    path.write_bytes(b"PAR1 not really")
    assert "is no Parquet file" in refused(rows_config, "nautilus", path)


def test_deltas_without_end_flags_are_framed_by_their_time(frames: list[Frame], rows_config: Path, tmp_path: Path) -> None:
    write_nautilus(tmp_path / "a.parquet", frames[:300], width=8)
    write_nautilus(tmp_path / "b.parquet", frames[:300], width=8)
    count = pq.read_metadata(tmp_path / "b.parquet").num_rows
    changed(tmp_path / "b.parquet", "flags", pa.array([0] * count, pa.uint8()))
    one, other = (
        rows_of(rows_config, {"use": "nautilus", "paths": [str(tmp_path / name)]})[0] for name in ("a.parquet", "b.parquet")
    )
    assert len(one.meta) > 100
    assert one.values.tobytes() == other.values.tobytes()


def test_files_of_two_instruments_are_not_one_market(frames: list[Frame], rows_config: Path, tmp_path: Path) -> None:
    write_nautilus(tmp_path / "a.parquet", frames[:20], width=8)
    write_nautilus(tmp_path / "b.parquet", frames[:20], width=8, metadata={"instrument_id": "ETHUSDT.BINANCE"})
    with pytest.raises(RecordingError, match="play the files of one instrument at a time"):
        rows_of(rows_config, {"use": "nautilus", "paths": [str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]})


def test_time_that_goes_back_is_told_and_read_as_the_time_before(
    frames: list[Frame], rows_config: Path, tmp_path: Path
) -> None:
    late = frames[50]._replace(ts_recv=frames[40].ts_recv - 1_000)
    write_hftbacktest(tmp_path / "a.npz", [*frames[:50], late, *frames[51:100]])
    rows, _, collector = rows_of(rows_config, {"use": "hftbacktest", "paths": [str(tmp_path / "a.npz")], **UNITS})
    assert (np.diff(rows.meta["ts_recv"]) >= 0).all()
    assert any("time goes back: in 1 frame" in problem for problem in collector.damage)
