"""Every feature of the library against an independent reference on recorded data, linear and inverse, from one kernel."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from library_cases import CROWDED, ELSEWHERE, LIBRARY, REFERENCES, Recording, Table, recording, table

from vtframe.builtin.features import FEATURES
from vtframe.domain import BookState

RECORDINGS = {"usdm": ("usdm_btcusdt_20240808.gz", 22_000), "coinm": ("cm_btcusd_perp_20240808.gz", 6_000)}
CROWD = [feature.label for feature in CROWDED]


class Compared(NamedTuple):
    recording: Recording
    columns: dict[str, np.ndarray]  # in the rows of the live book
    table: Table


@pytest.fixture(scope="module", params=RECORDINGS)
def compared(request: pytest.FixtureRequest, data: Path) -> Compared:
    name, lines = RECORDINGS[request.param]
    recorded = recording(data / "binance" / name, lines)
    records = recorded.records
    columns: dict[str, np.ndarray] = {}
    for features in (LIBRARY, CROWDED):
        pipeline = recorded.pipeline(features)
        batches = list(pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events]))
        meta, values = (np.concatenate([getattr(batch, part) for batch in batches]) for part in ("meta", "values"))
        columns.update(zip(pipeline.columns, values[meta["state"] == BookState.LIVE].T, strict=True))
    return Compared(recorded, columns, table(recorded))


def test_every_feature_in_the_box_has_a_reference() -> None:
    assert {feature.name for feature in FEATURES} == {feature.name for feature in LIBRARY}
    columns = {column for feature in (*LIBRARY, *CROWDED) for column in feature.columns(feature.kernel())}
    assert columns - set(ELSEWHERE) == set(REFERENCES)


@pytest.mark.parametrize("column", REFERENCES)
def test_a_feature_of_the_library_equals_its_formula_in_numpy(column: str, compared: Compared) -> None:
    ours = compared.columns[column]
    formula, tolerance = REFERENCES[column]
    with np.errstate(invalid="ignore", divide="ignore"):
        theirs = np.asarray(formula(compared.table), np.float64)
    assert len(ours) == len(theirs) > 1400
    usable = np.isfinite(ours)
    assert usable.sum() > (-1 if column in CROWD else 1300)
    assert column in CROWD or len(np.unique(ours[usable])) > 1
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", CROWD)
def test_a_window_with_more_than_its_capacity_is_nan(name: str, compared: Compared) -> None:
    """The same feature with room enough says what the crowded one does not, and nothing else where both speak."""
    roomy = {
        "crowded_imbalance": "timed_trade_imbalance",
        "crowded_return": "timed_return",
        "crowded_volatility": "timed_volatility",
    }[name]
    ours, whole = (compared.columns[label] for label in (name, roomy))
    lost = np.isnan(ours) & np.isfinite(whole)
    assert lost.sum() > 5
    np.testing.assert_allclose(ours[~np.isnan(ours)], whole[~np.isnan(ours)], rtol=1e-12, atol=1e-12)


def test_raw_levels_keep_every_tick_in_float32(compared: Compared) -> None:
    ticks = np.column_stack([compared.columns[f"raw_{side}_price_{k}"] for side in ("bid", "ask") for k in range(1, 11)])
    narrow = ticks.astype(np.float32)
    assert (np.rint(2 * narrow) == np.rint(2 * ticks)).all()
    assert np.abs(2 * narrow - np.rint(2 * ticks)).max() < 0.01
