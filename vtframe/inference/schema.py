"""Whether a pipeline's rows are the rows that a model was trained on, and the difference in words where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtframe.api import BundleError, BundleInfo, InputFeature


def compare_schema(bundle: BundleInfo, schema: Sequence[InputFeature], sampling: str, *, dtype: str | None = None) -> list[str]:
    """How the pipeline (``schema``, its features in order) differs from what the bundle was trained on; empty when it does not.

    Columns, their order, the parts behind them, their settings and the sampling rule must all be equal; ``dtype`` (of the
    pipeline's rows) is compared where it is given.
    """
    trained = {feature.label: feature for feature in bundle.features}
    live = {feature.label: feature for feature in schema}
    lines = [f"- {_named(feature)}: missing in the pipeline" for label, feature in trained.items() if label not in live]
    lines += [f"+ {_named(feature)}: the model does not know it" for label, feature in live.items() if label not in trained]
    common = [label for label in trained if label in live]
    for label in common:
        lines += _changes(trained[label], live[label])
    order = [label for label in live if label in trained]
    if order != common:
        lines.append(f"~ order: trained on {', '.join(common)}; the pipeline has {', '.join(order)}")
    if sampling != bundle.sampling:
        lines.append(f"~ sampling: trained on {bundle.sampling!r}; the pipeline has {sampling!r}")
    if dtype is not None and dtype != bundle.dtype:
        lines.append(f"~ dtype: trained on {bundle.dtype}; the pipeline has {dtype}")
    return lines


def require_schema(bundle: BundleInfo, schema: Sequence[InputFeature], sampling: str, *, dtype: str | None = None) -> None:
    """Raise BundleError with the printed difference unless the pipeline's rows are the ones that the model was trained on."""
    difference = compare_schema(bundle, schema, sampling, dtype=dtype)
    if difference:
        problem = "was trained on other features than the pipeline computes:\n  " + "\n  ".join(difference) + "\n"
        raise BundleError(
            str(bundle.path), problem, "make [[features]] equal to the bundle's (vtframe model inspect), or retrain"
        )


def _changes(trained: InputFeature, live: InputFeature) -> list[str]:
    lines = []
    if trained.use != live.use:
        lines.append(f"~ {trained.label}: trained on part {trained.use!r}; the pipeline has {live.use!r}")
    if trained.columns != live.columns:
        lines.append(
            f"~ {trained.label}: trained on columns {', '.join(trained.columns)}; the pipeline has {', '.join(live.columns)}"
        )
    before, now = _plain(trained.settings), _plain(live.settings)
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if old != new:
            lines.append(f"~ {trained.label}: trained with {key} = {_said(old)}; the pipeline has {key} = {_said(new)}")
    return lines


def _plain(value: Any) -> Any:
    """Settings as TOML would give them back: lists for tuples, and no None."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if part is not None}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _said(value: Any) -> str:
    return "(not set)" if value is None else repr(value)


def _named(feature: InputFeature) -> str:
    settings = ", ".join(f"{key} = {value!r}" for key, value in feature.settings.items())
    part = "" if feature.use == feature.label else f" ({feature.use})"
    return f"{feature.label}{part}" + (f" {{{settings}}}" if settings else "")
