"""A session refuses a model that was trained on other rows, and prints the difference."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from vtframe.api import BundleError, BundleInfo, InputFeature
from vtframe.inference.schema import compare_schema, require_schema

Tiny = Callable[..., BundleInfo]


def test_equal_schemas_have_no_difference(tiny: Tiny) -> None:
    bundle = tiny()
    assert compare_schema(bundle, bundle.features, "frame", dtype="float32") == []
    require_schema(bundle, bundle.features, "frame", dtype="float32")


def test_another_order_is_a_difference_even_when_every_feature_is_there(tiny: Tiny) -> None:
    bundle = tiny()
    f0, f1, f2, f3 = bundle.features
    lines = compare_schema(bundle, (f0, f2, f1, f3), "frame")
    assert lines == ["~ order: trained on f0, f1, f2, f3; the pipeline has f0, f2, f1, f3"]
    with pytest.raises(BundleError, match="trained on other features") as caught:
        require_schema(bundle, (f0, f2, f1, f3), "frame")
    assert lines[0] in str(caught.value)


def test_missing_and_extra_features_are_named_with_their_settings(tiny: Tiny) -> None:
    bundle = tiny()
    extra = InputFeature(use="spread", label="wide", columns=("wide",), settings={"ticks": 2})
    lines = compare_schema(bundle, (*bundle.features[:3], extra), "frame")
    assert lines == [
        "- f3 {levels = 1}: missing in the pipeline",
        "+ wide (spread) {ticks = 2}: the model does not know it",
    ]


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
