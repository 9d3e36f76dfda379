"""The plugin: hooks only. onnxruntime is imported when a model is opened."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import ModelBackend, hookimpl
from vtframe_onnx.backend import OnnxBackend


@hookimpl
def register_model_backends() -> Sequence[type[ModelBackend]]:
    return (OnnxBackend,)
