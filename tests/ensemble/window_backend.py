"""A model backend for a local plugin: answers depend on the mean of a window, and on a number in its file."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vtframe.api import BundleError, BundleInfo, Model, ModelBackend, calibrated


class WindowModel:
    """Softmax of (-s, 0, s), s the mean of each window's first column times a factor."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def predict(self, batch: np.ndarray) -> np.ndarray:
        score = batch[:, :, 0].astype(np.float64).mean(axis=1) * self.factor
        powers = np.exp(np.stack([-score, np.zeros(len(batch)), score], axis=1))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    def close(self) -> None:
        """It holds nothing."""


class WindowBackend(ModelBackend):
    """Opens a file with a number in it."""

    name: ClassVar[str] = "window_mean"
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)

    turned: bool = False

    def open(self, bundle: BundleInfo) -> Model:
        path = bundle.path / bundle.file
        try:
            factor = float(path.read_text())
        except ValueError:
            raise BundleError(str(path), "holds no number") from None
        return calibrated(WindowModel(-factor if self.turned else factor), bundle)
