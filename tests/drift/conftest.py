"""A small market for the tests of what is shown."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def small_market() -> tuple[np.ndarray, ...]:
    """Probabilities, labels, moves and spreads of 900 rows: three spreads, 300 rows each."""
    rng = np.random.default_rng(1)
    outputs = rng.dirichlet((1, 1, 1), 900).astype(np.float32)
    labels = rng.integers(-1, 2, 900).astype(np.int8)
    return outputs, labels, labels * rng.exponential(size=900), np.repeat([0.1, 1.0, 10.0], 300)
