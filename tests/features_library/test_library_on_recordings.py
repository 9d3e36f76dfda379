"""Every feature of the library against an independent reference on recorded data, linear and inverse, from one kernel."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from library_cases import CROWDED, LIBRARY, REFERENCES, Recording, Table, recording, table

from vtframe.builtin.features import FEATURES
from vtframe.domain import BookState
from vtframe.features import Pipeline

RECORDINGS = {"usdm": ("usdm_btcusdt_20240808.gz", 22_000), "coinm": ("cm_btcusd_perp_20240808.gz", 6_000)}
ELSEWHERE = {"micro_spread", "microprice", "rolling_volatility", "order_flow_imbalance", "trade_imbalance"}  # tests/features


class Compared(NamedTuple):
    recording: Recording
    pipeline: Pipeline
    rows: np.ndarray  # of the live book
    table: Table


@pytest.fixture(scope="module", params=RECORDINGS)
def compared(request: pytest.FixtureRequest, data: Path) -> Compared:
    name, lines = RECORDINGS[request.param]
    recorded = recording(data / "binance" / name, lines)
    pipeline = recorded.pipeline(LIBRARY)
    records = recorded.records
    batches = list(pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events]))
    meta, values = (np.concatenate([getattr(batch, part) for batch in batches]) for part in ("meta", "values"))
    return Compared(recorded, pipeline, values[meta["state"] == BookState.LIVE], table(recorded))


def test_every_feature_in_the_box_has_a_reference() -> None:
    assert {feature.name for feature in FEATURES} - {feature.name for feature in LIBRARY} == ELSEWHERE
    columns = [column for feature in LIBRARY for column in feature.columns(feature.kernel())]
    assert columns == list(REFERENCES)


@pytest.mark.parametrize("column", REFERENCES)
def test_a_feature_of_the_library_equals_its_formula_in_numpy(column: str, compared: Compared) -> None:
    ours = compared.rows[:, compared.pipeline.columns.index(column)]
    formula, tolerance = REFERENCES[column]
    with np.errstate(invalid="ignore", divide="ignore"):
        theirs = np.asarray(formula(compared.table), np.float64)
    assert len(ours) == len(theirs) > 1400
    usable = np.isfinite(ours)
    assert usable.sum() > (-1 if column in CROWDED else 1300)
    assert column in CROWDED or len(np.unique(ours[usable])) > 1
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", CROWDED)
def test_a_window_with_more_than_its_capacity_is_nan(name: str, compared: Compared) -> None:
    """The same feature with room enough says what the crowded one does not, and nothing else where both speak."""
    roomy = {
        "crowded_imbalance": "timed_trade_imbalance",
        "crowded_return": "timed_return",
        "crowded_volatility": "timed_volatility",
    }[name]
    ours, whole = (compared.rows[:, compared.pipeline.columns.index(label)] for label in (name, roomy))
    lost = np.isnan(ours) & np.isfinite(whole)
    assert lost.sum() > 5
    np.testing.assert_allclose(ours[~np.isnan(ours)], whole[~np.isnan(ours)], rtol=1e-12, atol=1e-12)


def test_raw_levels_keep_every_tick_in_float32(compared: Compared) -> None:
    columns = [compared.pipeline.columns.index(f"raw_{side}_price_{k}") for side in ("bid", "ask") for k in range(1, 11)]
    ticks = compared.rows[:, columns]
    narrow = ticks.astype(np.float32)
    assert (np.rint(2 * narrow) == np.rint(2 * ticks)).all()
    assert np.abs(2 * narrow - np.rint(2 * ticks)).max() < 0.01
