"""Registers the features in the box."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Feature, hookimpl
from vtframe.builtin.features import FEATURES


@hookimpl
def register_features() -> Sequence[type[Feature]]:
    return FEATURES
