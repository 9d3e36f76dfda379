"""What a row holds, in words that a model bundle can be compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from vtframe.api import Feature, InputFeature, KernelError, Sampling
from vtframe.features.plan import Plan


def input_features(layout: Plan) -> list[InputFeature]:
    """The features of a pipeline, in the order of their columns, with every setting (defaults included)."""
    return [describe(placed.feature, placed.feature.columns(placed.kernel)) for placed in layout.placed]


def describe(feature: Feature, columns: tuple[str, ...]) -> InputFeature:
    """One feature, as a row's schema states it. Raises KernelError for settings that are not plain values."""
    return InputFeature(use=feature.name, label=feature.label, columns=columns, settings=_settings(feature))


def _settings(feature: Feature) -> dict[str, Any]:
    try:
        return feature.settings()
    except TypeError as error:
        problem = f"its settings are not plain values that a bundle could state: {error}"
        raise KernelError(feature.label, problem) from error


def schema_hash(schema: Sequence[InputFeature], sampling: Sampling, dtype: str) -> str:
    """16 hex digits over everything that says what a row holds: features, settings, order, sampling, number type."""
    rule = msgspec.to_builtins(sampling)
    if not sampling.leaders:  # rows are what they were before there was such a rule
        del rule["leaders"]
    text = msgspec.json.encode([schema, rule, dtype], order="sorted")
    return hashlib.sha256(text).hexdigest()[:16]
