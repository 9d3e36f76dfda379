"""Fixtures of the inference tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_bundles import describe, softmax_graph

from vtframe.api import BundleInfo
from vtframe.inference.bundle import write_bundle


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., BundleInfo]:
    """Write a good bundle (or one with another graph or description) and load it."""

    def make(
        columns: int = 4, *, window: int = 1, graph: bytes | None = None, name: str = "tiny", **changes: Any
    ) -> BundleInfo:
        content = softmax_graph(columns * window) if graph is None else graph
        return write_bundle(tmp_path / name, describe(columns, window=window, **changes), {"model.onnx": content})

    return make
