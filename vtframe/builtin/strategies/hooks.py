"""Registers the strategies in the box."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Strategy, hookimpl
from vtframe.builtin.strategies.probability import ProbabilityStrategy


@hookimpl
def register_strategies() -> Sequence[type[Strategy]]:
    return (ProbabilityStrategy,)
