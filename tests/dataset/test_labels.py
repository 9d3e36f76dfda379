"""Labels against plain references, on real rows and on drawn ones; none of them sees beyond its horizon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtframe.assemble.market import open_data_side
from vtframe.dataset.collector import Collector
from vtframe.dataset.labeler import LabeledRows, Labeler
from vtframe.dataset.labels import LabelRule, label_path, path_of
from vtframe.domain import ROW
from vtframe.features.pipeline import RowBatch

RULES = {
    "rows": LabelRule(kind="mid_direction", horizon_rows=10, threshold_bps=0.05),
    "time": LabelRule(kind="mid_direction", horizon_ms=500),
    "spread": LabelRule(kind="spread_direction", horizon_rows=25, threshold_bps=0.02),
    "spread_time": LabelRule(kind="spread_direction", horizon_ms=700),
    "barriers": LabelRule(kind="triple_barrier", horizon_rows=60, upper_bps=0.4, lower_bps=0.25),
    "barriers_time": LabelRule(kind="triple_barrier", horizon_ms=3_000, upper_bps=0.5, lower_bps=0.5),
    "scaled": LabelRule(
        kind="triple_barrier", horizon_rows=80, upper_bps=4.0, lower_bps=4.0, barrier_column="rolling_volatility"
    ),
}


@pytest.fixture(scope="module")
def rows(root: Path, data: Path) -> RowBatch:
    """Rows of a real recording, with a column of volatility."""
    import asyncio

    files = [str(data / "binance" / "usdm_btcusdt_20230404.dat.gz"), str(data / "binance" / "usdm_btcusdt_20230405.dat.gz")]
    side = open_data_side(root / "btcusdt.toml", overrides={"feed": {"use": "recording", "paths": files[:1]}})
    batches: list[RowBatch] = []
    pipeline = side.pipeline()
    collector = Collector(pipeline, side.market.codec, batches.append)
    asyncio.run(side.market.feed.run(collector))
    collector.flush()
    column = pipeline.columns.index("rolling_volatility")
    meta = np.concatenate([batch.meta for batch in batches])
    values = np.concatenate([batch.values[:, [column]] for batch in batches])
    meta["valid"][1_500:1_505] = 0  # a hole such as a gap leaves
    return RowBatch(meta, values)


def reference(rule: LabelRule, rows: RowBatch) -> pd.DataFrame:
    """Row by row, in pandas and plain Python, from the definitions alone."""
    frame = pd.DataFrame({name: rows.meta[name].astype(float) for name in ("bid", "ask", "bid_quantity", "ask_quantity")})
    mid = ((frame.bid + frame.ask) / 2).tolist()
    valid = ((rows.meta["valid"] == 1) & (frame.bid_quantity > 0) & (frame.ask_quantity > 0)).tolist()
    ts = rows.meta["ts_recv"].tolist()
    scale = rows.values[:, 0].tolist() if rule.barrier_column else [1.0] * len(mid)
    found = []
    for i in range(len(mid)):
        if rule.horizon_rows is not None:
            end = i + rule.horizon_rows
            reached = end < len(mid)
        else:
            later = [j for j in range(i, min(i + 2_000, len(mid))) if ts[j] > ts[i] + rule.horizon_ms * 1_000_000]
            reached = bool(later)
            end = later[0] - 1 if reached else len(mid)
        label: int | None = None
        if rule.kind == "triple_barrier":
            label, end = walk(rule, mid, valid, i, min(end, len(mid) - 1), reached=reached, scale=scale[i])
        elif reached and all(valid[i : end + 1]):
            move = (mid[end] / mid[i] - 1) * 1e4
            limit = rule.threshold_bps
            if rule.kind == "spread_direction":
                limit += (frame.ask[i] - frame.bid[i]) / 2 / mid[i] * 1e4
            label = 1 if move > limit else -1 if move < -limit else 0
        found.append((label, None if label is None else ts[end], None if label is None else (mid[end] / mid[i] - 1) * 1e4))
    return pd.DataFrame(found, columns=["label", "end", "move"], dtype=object)  # ns do not fit a float


def walk(
    rule: LabelRule, mid: list[float], valid: list[bool], i: int, end: int, *, reached: bool, scale: float
) -> tuple[int | None, int]:
    if not valid[i] or not np.isfinite(scale) or scale <= 0:
        return None, i
    for j in range(i + 1, end + 1):
        if not valid[j]:
            return None, j
        move = (mid[j] / mid[i] - 1) * 1e4
        if move >= rule.upper_bps * scale:
            return 1, j
        if move <= -rule.lower_bps * scale:
            return -1, j
    return (0, end) if reached else (None, end)


def labels_of(rule: LabelRule, rows: RowBatch, *, block: int) -> LabeledRows:
    """Streamed through the labeler, ``block`` rows at a time."""
    labeler = Labeler(rule, columns=("rolling_volatility",), dtype=str(rows.values.dtype))
    parts = [
        labeler.add(RowBatch(rows.meta[k : k + block], rows.values[k : k + block])) for k in range(0, len(rows.meta), block)
    ]
    parts.append(labeler.finish())
    return LabeledRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in LabeledRows.__struct_fields__))


@pytest.mark.parametrize("name", RULES)
def test_labels_on_real_rows_equal_the_reference(name: str, rows: RowBatch) -> None:
    rule = RULES[name]
    found, expected = labels_of(rule, rows, block=997), reference(rule, rows)
    assert (found.meta["number"] == rows.meta["number"]).all()
    there = expected.label.notna().to_numpy()
    assert (found.there == there).all()
    assert there.sum() > 1_000
    assert (found.label[there] == expected.label[there].astype(int)).all()
    assert (found.end[there] == expected.end[there].astype(np.int64)).all()
    np.testing.assert_allclose(found.move_bps[there], expected.move[there].astype(float), rtol=0, atol=1e-9)
    assert len(set(found.label[there].tolist())) == 3, "the rule tells nothing apart"


@pytest.mark.parametrize("name", RULES)
def test_labels_do_not_depend_on_how_rows_are_cut_into_blocks(name: str, rows: RowBatch) -> None:
    whole, cut = labels_of(RULES[name], rows, block=10**6), labels_of(RULES[name], rows, block=64)
    assert (whole.meta == cut.meta).all()
    for field in LabeledRows.__struct_fields__[1:]:
        assert getattr(whole, field).tobytes() == getattr(cut, field).tobytes(), field


def changed_after(rows: RowBatch, row: int, seed: int) -> RowBatch:
    """Another future from ``row`` on: other prices, other spreads, other gaps, all of it later by some."""
    rng = np.random.default_rng(seed)
    meta, values = rows.meta.copy(), rows.values.copy()
    later = meta[row:]
    later["bid"] += rng.integers(-500, 500)
    later["ask"] = later["bid"] + rng.integers(1, 50, len(later))
    later["valid"] = rng.random(len(later)) < 0.9
    later["ts_recv"] += int(rng.integers(0, 5 * 10**7))
    values[row:] = rng.random(values[row:].shape)
    return RowBatch(meta, values)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("row", [700, 2_100, 3_400])
def test_another_future_beyond_the_horizon_changes_no_label(name: str, row: int, rows: RowBatch) -> None:
    rule = RULES[name]
    before = labels_of(rule, rows, block=500)
    after = labels_of(rule, changed_after(rows, row, seed=row), block=500)
    ts = rows.meta["ts_recv"]
    if rule.horizon_rows is not None:
        past = np.arange(len(ts)) + rule.horizon_rows < row
    else:
        past = ts + rule.horizon_ms * 1_000_000 < ts[row]
    assert past.sum() > 100
    for field in ("there", "label", "move_bps", "end"):
        one, other = getattr(before, field)[past], getattr(after, field)[past]
        if field != "there":
            one, other = one[before.there[past]], other[after.there[past]]
        assert one.tobytes() == other.tobytes(), field
    near = slice(row - 100, row)
    seen = (before.label[near] != after.label[near]) | (before.there[near] != after.there[near])
    assert seen.any(), "nobody saw the change: this test would pass on labels that leak"


def small(mids: list[int], valid: list[bool], gaps: list[int]) -> RowBatch:
    meta = np.zeros(len(mids), ROW)
    meta["number"] = np.arange(len(mids))
    meta["bid"], meta["ask"] = np.array(mids) - 1, np.array(mids) + 1
    meta["bid_quantity"] = meta["ask_quantity"] = 5
    meta["valid"] = valid
    meta["ts_recv"] = 10**9 + np.cumsum(gaps)
    return RowBatch(meta, np.ones((len(mids), 1), np.float32))


drawn_rows = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(9_990, 10_010), min_size=n, max_size=n),
        st.lists(st.sampled_from([True, True, True, True, False]), min_size=n, max_size=n),
        st.lists(st.integers(0, 3_000_000), min_size=n, max_size=n),
    )
)
drawn_rules = st.builds(
    lambda kind, by_rows, horizon, width: LabelRule(
        kind=kind,
        horizon_rows=horizon if by_rows else None,
        horizon_ms=None if by_rows else horizon,
        threshold_bps=0.0 if kind == "triple_barrier" else width,
        upper_bps=1.0 + width if kind == "triple_barrier" else None,
        lower_bps=2.0 if kind == "triple_barrier" else None,
    ),
    st.sampled_from(["mid_direction", "spread_direction", "triple_barrier"]),
    st.booleans(),
    st.integers(1, 9),
    st.sampled_from([0.0, 1.0, 3.0]),
)


@settings(max_examples=150, deadline=None)
@given(drawn_rows, drawn_rules, st.integers(1, 20))
def test_drawn_rows_are_labeled_as_the_reference_does(
    drawn: tuple[list[int], list[bool], list[int]], rule: LabelRule, block: int
) -> None:
    rows = small(*drawn)
    found, expected = labels_of(rule, rows, block=block), reference(rule, rows)
    there = expected.label.notna().to_numpy()
    assert (found.there == there).all()
    assert (found.label[there] == expected.label[there].to_numpy()).all()
    assert (found.end[there] == expected.end[there].to_numpy()).all()


def test_rows_of_several_instruments_are_labeled_each_by_its_own_path() -> None:
    one, other = small([100, 101, 102, 103], [True] * 4, [1] * 4), small([103, 102, 101, 100], [True] * 4, [1] * 4)
    meta = np.zeros(8, ROW)
    meta[0::2], meta[1::2] = one.meta, other.meta
    meta["instrument"] = [0, 1] * 4
    rule = LabelRule(kind="mid_direction", horizon_rows=2)
    found = labels_of(rule, RowBatch(meta, np.ones((8, 1), np.float32)), block=3)
    assert found.there.tolist() == [True] * 4 + [False] * 4
    assert found.label[:4].tolist() == [1, -1, 1, -1]
    assert (found.meta["instrument"] == meta["instrument"]).all()


def test_only_rows_with_an_open_horizon_are_held_back(rows: RowBatch) -> None:
    labeler = Labeler(RULES["rows"], columns=("rolling_volatility",), dtype="float32")
    for k in range(0, len(rows.meta), 200):
        labeler.add(RowBatch(rows.meta[k : k + 200], rows.values[k : k + 200]))
        assert labeler.held <= 10


@pytest.mark.parametrize(
    ("settings_", "told"),
    [
        ({"kind": "mid_direction"}, "needs horizon_rows or horizon_ms"),
        ({"kind": "mid_direction", "horizon_rows": 1, "horizon_ms": 1}, "not both"),
        ({"kind": "mid_direction", "horizon_rows": 0}, "at least 1"),
        ({"kind": "mid_direction", "horizon_rows": 1, "threshold_bps": -1.0}, "at least 0"),
        ({"kind": "mid_direction", "horizon_rows": 1, "threshold_bps": float("nan")}, "at least 0"),
        ({"kind": "mid_direction", "horizon_rows": 1, "upper_bps": 1.0}, "barriers go with triple_barrier"),
        ({"kind": "triple_barrier", "horizon_rows": 1, "upper_bps": 1.0}, "upper_bps and lower_bps"),
        ({"kind": "triple_barrier", "horizon_rows": 1, "upper_bps": 1.0, "lower_bps": 0.0}, "more than 0"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(settings_: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LabelRule(**settings_)


def test_a_barrier_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    rule = LabelRule(kind="triple_barrier", horizon_rows=5, upper_bps=1.0, lower_bps=1.0, barrier_column="sigma")
    with pytest.raises(ValueError, match="no column 'sigma'; there are: rolling_volatility"):
        Labeler(rule, columns=("rolling_volatility",), dtype="float32")


def test_no_rows_have_no_labels() -> None:
    for rule in RULES.values():
        assert label_path(rule, path_of(np.zeros(0, ROW), np.zeros(0)), ended=True).decided == 0
