"""Fixtures of the tests of compiled models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fused_graphs import Pair, bundle
from numpy.typing import NDArray
from vtframe_onnx.backend import OnnxBackend

from vtframe.inference.fused import FusedModel


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    """Open ``graph`` both ways."""
    pairs: list[Pair] = []

    def make(graph: bytes, columns: int, outputs: int, *, window: int = 1, **changes: Any) -> Pair:
        info = bundle(tmp_path / "bundle", graph, columns, outputs, window=window, **changes)
        backend = OnnxBackend(warmup_runs=0)
        pairs.append(Pair(info, FusedModel(backend.graph(info), info), backend.open(info)))
        return pairs[-1]

    yield make
    for pair in pairs:
        pair.fused.close()
        pair.runtime.close()


@pytest.fixture(scope="session")
def normal() -> Callable[..., NDArray[np.float32]]:
    """Rows of standard normal numbers, (n, window, columns)."""

    def make(columns: int, *, rows: int = 1_000, window: int = 1, seed: int = 3) -> NDArray[np.float32]:
        return np.random.default_rng(seed).standard_normal((rows, window, columns)).astype(np.float32)

    return make
