"""An opened estimator. It is asked in float64, as it was most likely fitted; its answers become float32 at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo


class SklearnModel:
    """One estimator. Called from one thread."""

    def __init__(
        self, estimator: Any, bundle: BundleInfo, *, ask: Callable[[NDArray[Any]], NDArray[Any]], threads: int
    ) -> None:
        self._estimator = estimator
        self._ask: Callable[[NDArray[Any]], NDArray[Any]] | None = ask
        self._window = (bundle.window, len(bundle.columns))
        self._outputs = len(bundle.classes)
        self._threads = threads
        self._bounded_in = 0

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        if self._ask is None:
            raise ValueError("the model is closed")
        if batch.shape[1:] != self._window or len(batch) == 0:
            raise ValueError(f"found a batch of shape {batch.shape}, expected (n, {self._window[0]}, {self._window[1]}), n > 0")
        if self._bounded_in != threading.get_ident():
            self._bound_threads()
        rows = batch.reshape(len(batch), -1).astype(np.float64)  # a scaler would round as its input does
        answer = np.asarray(self._ask(rows))
        return np.ascontiguousarray(answer.reshape(len(batch), self._outputs), np.float32)

    def close(self) -> None:
        self._ask = self._estimator = None

    def _bound_threads(self) -> None:
        """Of BLAS and OpenMP, for the thread that asks: OpenMP keeps the number of each thread apart."""
        import threadpoolctl  # noqa: PLC0415 - loaded by scikit-learn before

        threadpoolctl.threadpool_limits(self._threads)
        self._bounded_in = threading.get_ident()
