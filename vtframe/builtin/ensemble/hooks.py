"""Registers ensembles of models."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import ModelBackend, hookimpl
from vtframe.builtin.ensemble.backend import EnsembleBackend


@hookimpl
def register_model_backends() -> Sequence[type[ModelBackend]]:
    return (EnsembleBackend,)
