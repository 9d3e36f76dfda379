"""Meters: percentiles against numpy's, exact counts, and the report's shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtframe.engine.meters import AGE, BUCKETS, STAGES, Counters, Meters, bucket_of, bucket_value

samples = st.lists(st.one_of(st.integers(0, 200), st.integers(0, 10**7), st.integers(0, 2**63 - 1)), min_size=1, max_size=300)


def filled(values: list[int], *, fold_every: int = 10**9) -> Meters:
    meters = Meters()
    add = meters.stage("decode").add
    for i, value in enumerate(values, start=1):
        add(value)
        if i % fold_every == 0:
            meters.fold()
    return meters


@settings(max_examples=300, deadline=None)
@given(value=st.integers(0, 2**62))
def test_a_bucket_stands_for_its_values_within_a_64th(value) -> None:
    bucket = int(bucket_of(np.array([value], np.int64))[0])
    assert 0 <= bucket < BUCKETS
    assert abs(bucket_value(bucket) - value) <= value / 64 + 1e-9 * value


def test_small_values_are_exact_and_buckets_never_go_back() -> None:
    small = np.arange(64)
    assert [bucket_value(b) for b in bucket_of(small).tolist()] == small.tolist()
    values = np.unique(np.concatenate([np.arange(5000), (2.0 ** np.arange(0, 62.9, 0.01)).astype(np.int64)]))
    buckets = bucket_of(values)
    assert (np.diff(buckets) >= 0).all()
    assert bucket_of(np.array([2**63 - 1, -5], np.int64)).tolist() == [BUCKETS - 32, 0]


@settings(max_examples=100, deadline=None)
@given(values=samples, fold_every=st.sampled_from([1, 7, 10**9]))
def test_percentiles_are_numpys_within_a_64th(values, fold_every) -> None:
    report = filled(values, fold_every=fold_every).report()["latency_ns"]["decode"]
    assert report["count"] == len(values)
    assert report["max"] == max(values)
    for name, q in (("p50", 50.0), ("p99", 99.0), ("p999", 99.9)):
        exact = int(np.percentile(np.array(values, np.int64), q, method="inverted_cdf"))
        assert abs(report[name] - exact) <= exact / 64 + 1e-9 * exact, name


def test_a_million_lognormal_latencies_have_numpys_percentiles() -> None:
    values = np.random.default_rng(7).lognormal(9.0, 1.0, 1_000_000).astype(np.int64)
    report = filled(values.tolist(), fold_every=4096).report()["latency_ns"]["decode"]
    for name, q in (("p50", 50), ("p99", 99), ("p999", 99.9)):
        assert report[name] == pytest.approx(np.percentile(values, q), rel=1 / 60), name
    assert report["count"] == 1_000_000


def test_every_sample_lands_in_its_own_stage() -> None:
    meters = Meters()
    for i, name in enumerate((*STAGES, AGE)):
        for _ in range(i + 1):
            meters.add(i, 1000 * (i + 1))
        assert meters.stage(name).name == name
    report = meters.report()
    assert list(report["latency_ns"]) == list(STAGES)
    for i, name in enumerate(STAGES):
        assert report["latency_ns"][name]["count"] == i + 1
        assert report["latency_ns"][name]["max"] == 1000 * (i + 1)
    assert report["prediction_age_ns"]["count"] == len(STAGES) + 1


def test_a_stage_without_samples_reports_none_and_an_unknown_one_raises() -> None:
    meters = Meters()
    assert meters.report()["latency_ns"]["submit"] == {"p50": None, "p99": None, "p999": None, "max": None, "count": 0}
    with pytest.raises(KeyError):
        meters.stage("thinking")
    with pytest.raises(TypeError):
        meters.stage("decode").add(1.5)


@settings(max_examples=30, deadline=None)
@given(one=samples, two=samples)
def test_merged_meters_are_the_meters_of_all_samples(one, two) -> None:
    merged = filled(one)
    merged.merge(filled(two))
    assert merged.report() == filled(one + two).report()


def test_folding_lets_go_of_the_samples() -> None:
    meters = filled(list(range(10_000)), fold_every=1000)
    assert len(meters.stage("decode").samples) == 0
    meters.fold()
    assert meters.report()["latency_ns"]["decode"]["count"] == 10_000


def test_counters_report_and_merge() -> None:
    one, two = Counters(frames=3, late=1), Counters(frames=4, fills=2)
    one.unknown_frames["forceOrder"] += 2
    two.unknown_frames["forceOrder"] += 1
    two.damage["broken frame"] += 1
    one.merge(two)
    report = one.report()
    assert report["unknown_frames"] == {"forceOrder": 3}
    assert report["damage"] == {"broken frame": 1}
    counts = report["counts"]
    assert (counts["frames"], counts["late"], counts["fills"], counts["rows"]) == (7, 1, 2, 0)
    named = [
        "frames",
        "events",
        "gaps",
        "resyncs",
        "rows",
        "predictions",
        "late",
        "stale",
        "conflated",
        "intents",
        "orders",
        "fills",
    ]
    assert list(counts)[:12] == named
