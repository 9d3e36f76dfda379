"""A small estimator, saved: what the laws of model backends are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_example(folder: Path, *, window: int, columns: int) -> Path:
    """A forest, whose threads are a setting of its own, fitted on fixed numbers."""
    import skops.io  # noqa: PLC0415 - heavy
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415

    width = window * columns
    rows = np.sin(np.arange(600 * width, dtype=np.float32) * 1.7).reshape(600, width)
    classes = (np.digitize(rows[:, 0] + rows[:, -1], [-0.6, 0.6])).astype(np.int64)
    forest = RandomForestClassifier(40, max_depth=6, max_features=8, random_state=0, n_jobs=-1).fit(rows, classes)
    path = folder / "model.skops"
    skops.io.dump(forest, path)
    return path
