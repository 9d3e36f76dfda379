"""The plugin: hooks only. scikit-learn is imported when a model is opened."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import ModelBackend, hookimpl
from vtframe_sklearn.backend import SklearnBackend


@hookimpl
def register_model_backends() -> Sequence[type[ModelBackend]]:
    return (SklearnBackend,)
