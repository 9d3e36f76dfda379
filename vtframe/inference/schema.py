"""Whether a pipeline's rows hold what a model was trained on, and the difference in words where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtframe.api import BundleInfo, InputFeature


def compare_schema(bundle: BundleInfo, schema: Sequence[InputFeature], sampling: str, *, dtype: str | None = None) -> list[str]:
    """What the pipeline (``schema``, its features) lacks of what the bundle was trained on; empty where it has everything.

    Columns are picked by name, so their order in rows does not count, and neither do features that the bundle does not know.
    Every feature that it knows must be there with the same part, the same settings and its columns, and the sampling rule must
    be the same; ``dtype`` (of the pipeline's rows) is compared where it is given.
    """
    live = {feature.label: feature for feature in schema}
    lines = [f"- {_named(feature)}: missing in the pipeline" for feature in bundle.features if feature.label not in live]
    for feature in bundle.features:
        if feature.label in live:
            lines += _changes(feature, live[feature.label])
    if sampling != bundle.sampling:
        lines.append(f"~ sampling: trained on {bundle.sampling!r}; the pipeline has {sampling!r}")
    if dtype is not None and dtype != bundle.dtype:
        lines.append(f"~ dtype: trained on {bundle.dtype}; the pipeline has {dtype}")
    return lines


def strangers(bundle: BundleInfo, instruments: Sequence[str]) -> list[str]:
    """Those of ``instruments`` (``SYMBOL@venue``) that the model was not trained on; none where the bundle does not say.

    Not a fault: a model may be meant for more than its training data. Worth a warning: it decides about them all the same.
    """
    return [name for name in instruments if name not in bundle.instruments] if bundle.instruments else []


def _changes(trained: InputFeature, live: InputFeature) -> list[str]:
    lines = []
    if trained.use != live.use:
        lines.append(f"~ {trained.label}: trained on part {trained.use!r}; the pipeline has {live.use!r}")
    if not set(trained.columns) <= set(live.columns):
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
