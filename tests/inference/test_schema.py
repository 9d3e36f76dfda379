"""A session refuses a model that was trained on other rows, and prints the difference."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from vtframe.api import BundleInfo, InputFeature
from vtframe.inference.schema import compare_schema, strangers

Tiny = Callable[..., BundleInfo]


def test_equal_schemas_have_no_difference(tiny: Tiny) -> None:
    bundle = tiny()
    assert compare_schema(bundle, bundle.features, "frame", dtype="float32") == []


def test_columns_are_picked_by_name_so_neither_order_nor_further_features_are_a_difference(tiny: Tiny) -> None:
    bundle = tiny()
    f0, f1, f2, f3 = bundle.features
    extra = InputFeature(use="spread", label="wide", columns=("wide",), settings={"ticks": 2})
    assert compare_schema(bundle, (f0, extra, f2, f1, f3), "frame", dtype="float32") == []


def test_missing_features_are_named_with_their_settings(tiny: Tiny) -> None:
    bundle = tiny()
    extra = InputFeature(use="spread", label="wide", columns=("wide",), settings={"ticks": 2})
    assert compare_schema(bundle, (*bundle.features[:3], extra), "frame") == ["- f3 {levels = 1}: missing in the pipeline"]


def test_a_bundle_may_know_fewer_columns_of_a_feature_than_it_makes(tiny: Tiny) -> None:
    bundle = tiny()
    f0, *rest = bundle.features
    assert compare_schema(bundle, (msgspec.structs.replace(f0, columns=("f0_deep", "f0")), *rest), "frame") == []


def test_instruments_that_the_model_was_not_trained_on_are_strangers(tiny: Tiny) -> None:
    bundle = msgspec.structs.replace(tiny(), instruments=("BTCUSDT@binance_usdm", "A@b"))
    assert strangers(bundle, ("SIMUSDT@sim", "A@b", "BTCUSDT@binance_spot")) == ["SIMUSDT@sim", "BTCUSDT@binance_spot"]
    assert strangers(bundle, ("A@b",)) == []
    assert strangers(msgspec.structs.replace(bundle, instruments=()), ("SIMUSDT@sim",)) == [], "it does not say"


def test_a_changed_setting_part_or_column_is_told_with_both_values(tiny: Tiny) -> None:
    bundle = tiny()
    f0, f1, f2, f3 = bundle.features
    changed = (
        msgspec.structs.replace(f0, settings={"levels": 5}),
        msgspec.structs.replace(f1, use="other"),
        msgspec.structs.replace(f2, columns=("f2_a", "f2_b")),
        msgspec.structs.replace(f3, settings={"levels": 1, "span": 10}),
    )
    assert compare_schema(bundle, changed, "frame") == [
        "~ f0: trained with levels = 1; the pipeline has levels = 5",
        "~ f1: trained on part 'f1'; the pipeline has 'other'",
        "~ f2: trained on columns f2; the pipeline has f2_a, f2_b",
        "~ f3: trained with span = (not set); the pipeline has span = 10",
    ]


def test_tuples_and_unset_values_compare_as_toml_writes_them(tiny: Tiny) -> None:
    bundle = tiny()
    f0, *rest = bundle.features
    written = msgspec.structs.replace(f0, settings={"levels": 1, "spans": [1, 2]})
    live = msgspec.structs.replace(f0, settings={"levels": 1, "spans": (1, 2), "limit": None})
    bundle = msgspec.structs.replace(bundle, features=(written, *rest))
    assert compare_schema(bundle, (live, *rest), "frame") == []


def test_another_sampling_rule_or_dtype_is_a_difference(tiny: Tiny) -> None:
    bundle = tiny()
    assert compare_schema(bundle, bundle.features, "bbo", dtype="float64") == [
        "~ sampling: trained on 'frame'; the pipeline has 'bbo'",
        "~ dtype: trained on float32; the pipeline has float64",
    ]
