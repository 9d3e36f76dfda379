"""Registers paper execution."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import ExecutionAdapter, hookimpl
from vtframe.builtin.paper.adapter import PaperAdapter


@hookimpl
def register_execution_adapters() -> Sequence[type[ExecutionAdapter]]:
    return (PaperAdapter,)
