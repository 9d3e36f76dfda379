"""The laws of vtframe.testing on all features of the library at once: one kernel, the one that meets the recordings too.

The laws as they are shipped take one feature each, and compile it; all of the library kept them when it was written. Here the
same is asked of one pipeline of all features, so that the suite compiles once. Transforms that read another feature's column
have no life of their own, and are checked here only.
"""

from __future__ import annotations

import numpy as np
import pytest
from library_cases import CROWDED, LIBRARY

from vtframe.domain import Records
from vtframe.features import Pipeline
from vtframe.testing import SmallMarket, small_market
from vtframe.testing.market import INSTRUMENT, RULE
from vtframe.testing.python_run import python_rows

TOLERANCE = 1e-12


def pipeline() -> Pipeline:
    return Pipeline(LIBRARY, [INSTRUMENT], [RULE], dtype="float64")


def in_batch(records: Records) -> np.ndarray:
    batches = pipeline().batch(records.frames[: records.n_frames], records.events[: records.n_events])
    return np.concatenate([batch.values for batch in batches])


def in_stream(made: Pipeline, records: Records, first: int, last: int) -> np.ndarray:
    rows = []
    for index in range(first, last):
        count = made.process(records, index, index + 1)
        if count:
            rows.append(made.ring.window(0, count).copy())
    return np.concatenate(rows)


def test_the_library_gives_the_same_bits_in_batch_and_frame_by_frame() -> None:
    records = small_market(4)
    batch = in_batch(records)
    assert batch.tobytes() == in_batch(records).tobytes()
    assert in_stream(pipeline(), records, 0, records.n_frames).tobytes() == batch.tobytes()


def test_the_library_keeps_nothing_from_before_a_resync() -> None:
    market = SmallMarket(2)
    market.snapshot()
    market.run(300)
    before = market.records.n_frames
    market.snapshot()
    market.run(300)
    records = market.records
    old, new = pipeline(), pipeline()
    old.process(records, 0, before)
    ours = in_stream(old, records, before, records.n_frames)
    assert ours.tobytes() == in_stream(new, records, before, records.n_frames).tobytes()


def test_the_library_never_revises_the_past() -> None:
    records = small_market(3)
    whole = in_batch(records)
    rows = in_stream(pipeline(), records, 0, records.n_frames // 2)
    assert rows.tobytes() == whole[: len(rows)].tobytes()


@pytest.mark.parametrize("seed", [5, 6, 8])
def test_every_column_of_the_library_is_finite_after_its_warmup(seed: int) -> None:
    made = pipeline()
    rows = in_batch(small_market(seed, frames=600))
    assert not np.isinf(rows).any()
    for feature in LIBRARY:
        kernel = feature.kernel()
        for column in feature.columns(kernel):
            values = rows[kernel.warmup :, made.columns.index(column)]
            finite = np.isfinite(values)
            assert finite.all() or column in CROWDED, (column, kernel.warmup, np.flatnonzero(~finite)[:5])


@pytest.mark.parametrize("feature", [f for f in LIBRARY if not f.kernel().inputs], ids=lambda feature: feature.label)
def test_a_compiled_feature_equals_its_python_source(feature: object) -> None:
    records = small_market(7, frames=400)
    made = pipeline()
    compiled = in_batch(records)[:, [made.columns.index(column) for column in feature.columns(feature.kernel())]]
    python = python_rows(feature, records)
    assert compiled.shape == python.shape
    np.testing.assert_allclose(compiled, python, rtol=TOLERANCE, atol=TOLERANCE)
