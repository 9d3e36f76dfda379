"""The plugin: hooks only. torch is imported when a model is opened."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import ModelBackend, hookimpl
from vtframe_torch.backend import TorchBackend


@hookimpl
def register_model_backends() -> Sequence[type[ModelBackend]]:
    return (TorchBackend,)
