"""The benches measure what they say, beside baselines that compute the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtframe.api import Feature
from vtframe.cli.bench import elsewhere, fused, inference, resync, socket, swap
from vtframe.cli.bench.feature_sets import six_features, twelve_features, twenty_four_features
from vtframe.cli.bench.material import Material
from vtframe.cli.bench.naive import Naive
from vtframe.cli.bench.plain import PlainPipeline, as_plain
from vtframe.cli.bench.rows import Row, percentile, rate_row, time_row
from vtframe.cli.bench.step import step_row
from vtframe.cli.bench.twelve import PlainTwelve
from vtframe.cli.main import cli
from vtframe.domain import BookState, FrameKind
from vtframe.features.pipeline import Pipeline
from vtframe.inference.bundle import load_bundle

ULP = 1.3e-7  # float32 that differ in the last bit
FILE = "usdm_btcusdt_20240808.gz"


def compiled_rows(material: Material, features: Sequence[Feature] | None = None) -> np.ndarray:
    """Rows of a live book, by the kernels that benches time: float32, so that rows by hand are rounded first."""
    pipeline = Pipeline(features or six_features(), material.instruments, material.rules)
    batches = list(pipeline.batch(material.frames, material.events))
    values = np.concatenate([batch.values for batch in batches])
    states = np.concatenate([batch.meta["state"] for batch in batches])
    return values[states == BookState.LIVE]


def test_the_plain_baseline_computes_what_the_kernel_does_on_the_embedded_market() -> None:
    material = Material((), market_seconds=20.0)
    each = PlainPipeline(material.instruments[0]).frame
    plain = np.array([row for frame in as_plain(material.frames, material.events) if (row := each(frame)) is not None])
    compiled = compiled_rows(material)
    assert len(plain) == len(compiled) > 1_000
    np.testing.assert_allclose(plain.astype(np.float32), compiled, rtol=ULP, atol=1e-9, equal_nan=True)


def test_the_naive_path_sees_the_same_market_on_recorded_frames(root: Path, data: Path) -> None:
    material = Material((data / "binance" / FILE,))
    naive = Naive(material.instruments[0], load_bundle(root / "models" / "btcusdt_direction"))
    orders = sum(naive.message(message) is not None for message, _ in material.messages)
    assert (
        orders == int(np.isin(material.frames["kind"], (FrameKind.DEPTH, FrameKind.SNAPSHOT)).sum()) - 6
    )  # before the snapshot


@pytest.mark.parametrize("file", [FILE, "spot_btcusdt_20240808.gz"])
def test_twelve_features_by_hand_are_the_kernels_on_recorded_bytes(data: Path, file: str) -> None:
    material = Material((data / "binance" / file,))
    by_hand = PlainTwelve(material.instruments[0])
    plain = np.array([row for message, _ in material.messages if (row := by_hand.message(message)) is not None])
    compiled = compiled_rows(material, twelve_features())
    assert len(plain) == len(compiled) > 3_000
    rounded = plain.astype(np.float32)
    np.testing.assert_allclose(rounded, compiled, rtol=ULP, atol=1e-7, equal_nan=True)  # its running sums are not exact
    assert np.isfinite(plain[100:]).all()
    np.testing.assert_array_equal(by_hand.rows[(len(plain) - 1) % len(by_hand.rows)], plain[-1].astype(np.float32))


def test_the_live_step_is_timed_on_depth_frames_of_a_live_book(data: Path) -> None:
    said: list[str] = []
    material = Material((data / "binance" / FILE,))
    (row,) = step_row(material, said.append)
    assert said[0].startswith("6,545 depth frames of BTCUSDT@binance_usdm")  # of 6,551, six before the snapshot
    assert row.baseline_median is not None
    assert 0 < row.median <= row.p99
    assert not list(step_row(Material((), market_seconds=1.0), said.append)), "the embedded market has no bytes"


def test_the_sets_of_features_have_the_sizes_that_they_are_named_by() -> None:
    assert [len(made()) for made in (six_features, twelve_features, twenty_four_features)] == [6, 12, 24]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_value_that_its_share_does_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def test_a_ratio_above_one_is_better_for_rates_and_for_times() -> None:
    assert rate_row("a", "M/s", [2.0, 4.0, 6.0], "b", [2.0]).ratio == 2.0
    assert time_row("a", "us", [2.0, 4.0, 6.0], "b", [8.0]).ratio == 2.0


def test_bench_prints_rows_as_json(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the calls: what is tried is that every row is there and says what it must."""
    few = {inference: {"_CALLS": 200}, fused: {"_CALLS": 512}, swap: {"_SWAPS": 1, "_STRETCH_S": 0.3, "_RATES": (500,)}}
    few[elsewhere] = {
        "_ROUNDS": 200,
        "_SLOW_ROUNDS": 20,
        "_ASLEEP_ROUNDS": 10,
        "_ASKED": {1: 64, 64: 256},
        "_REPEATS": 2,
        "_RARE": ((1_000, 5),),
    }
    for module, values in few.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "inference", "--config", str(root / "market.toml"), "--json"])
    told = capsys.readouterr()
    assert stopped.value.code == 0, told.err
    rows = {row.name: row for row in msgspec.json.decode(told.out, type=list[Row])}
    assert "inference: embedded_direction inline, row to prediction" in rows
    assert {name.split(",")[0] for name in rows if name.startswith("pool: round trip")} == {"pool: round trip"}
    assert any(name.startswith("pool: MLP 32-64-32-3, rows answered") for name in rows)
    assert any("keep_warm" in name for name in rows)
    assert sum("model swapped at 500 rows/s, longest time between predictions" in name for name in rows) == 4
    for row in rows.values():
        assert row.unit in {"us", "row intervals", "M rows/s"}
        assert row.median > 0, row.name
        if not row.name.startswith("watch: scores"):  # which has nothing beside it
            assert row.baseline_median is not None, row.name
            assert row.baseline_median > 0, row.name


def test_every_recorded_message_goes_through_a_socket_for_each_transport(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "_REPEATS", 1)
    material = Material((data / "binance" / "spot_btcusdt_20240808.gz",))
    del material.messages[4_000:]
    said: list[str] = []
    rows = list(socket.run(material, said.append))
    assert said == ["4,000 recorded messages through a socket, 1 times for each transport, by processor time"]
    assert [row.name.rpartition(" ")[2] for row in rows] == ["websockets", "picows"]
    for row in rows:
        assert row.baseline_median is not None
        assert 0 < row.median < row.baseline_median, "receiving alone cannot take longer than receiving and more"
    assert not list(socket.run(Material((), market_seconds=1.0), said.append)), "the embedded market has no bytes"


def test_every_gap_of_a_book_is_timed_beside_its_snapshots_round_trip() -> None:
    said: list[str] = []
    rows = list(resync.run(said.append, gaps=12, repeats=1))
    assert [row.name for row in rows] == ["live: resync after a gap, spot", "live: resync after a gap, USD-M"]
    assert all(int(words.split()[0]) >= 10 for words in said), said  # a gap while a snapshot is under way has no row
    for row in rows:
        assert row.baseline_median is not None
        assert row.baseline_median < row.median < 5 * row.baseline_median, "the snapshot's round trip is a part of it"
        assert row.median <= row.p99


def test_the_live_bench_without_a_recording_says_what_it_needs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "live", "--config", str(root / "market.toml")])
    assert stopped.value.code == 2
    assert "--recording" in capsys.readouterr().err
