"""Several models that answer as one. Sums are made in float64, in the members' order, so that every batch shape agrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, Model


class Part:
    """A member, and which of the ensemble's columns and rows it reads."""

    def __init__(self, model: Model, bundle: BundleInfo, whole: BundleInfo) -> None:
        self.model = model
        self._window = bundle.window
        self._places = [whole.columns.index(name) for name in bundle.columns]
        self._as_it_is = bundle.window == whole.window and bundle.columns == whole.columns

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        mine = batch if self._as_it_is else np.ascontiguousarray(batch[:, -self._window :, self._places])
        return self.model.predict(mine)


class EnsembleModel:
    """``sum(weight * answer) / sum(weight)`` of the members' answers; with ``stack``, its answer to them side by side."""

    def __init__(self, parts: Sequence[Part], weights: Sequence[float], stack: Model | None) -> None:
        self._parts = tuple(parts)
        total = sum(weights)
        self._weights = tuple(weight / total for weight in weights)
        self._stack = stack

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        if self._stack is not None:
            side_by_side = np.concatenate([part.predict(batch) for part in self._parts], axis=1, dtype=np.float32)
            return self._stack.predict(side_by_side[:, None, :])
        total: NDArray[np.float64] | None = None
        for part, weight in zip(self._parts, self._weights, strict=True):
            answer = np.multiply(part.predict(batch), weight, dtype=np.float64)
            total = answer if total is None else np.add(total, answer, out=total)
        return np.asarray(total, np.float32)

    def close(self) -> None:
        for part in self._parts:
            part.model.close()
        if self._stack is not None:
            self._stack.close()
