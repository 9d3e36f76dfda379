"""How a model's probabilities are put right after it has answered: numpy in float64, the same bits for the same numbers."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-12  # a probability of 0 has no logarithm
_FAR = 700.0  # beyond it exp overflows


class Calibrator(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to the probabilities of a classification, fitted on rows that the model was not trained on.

    - ``temperature`` (Guo et al. 2017): ``p ** (1 / temperature)``, scaled to a sum of 1.
    - ``platt`` (Platt 1999; each class against the rest as in Zadrozny and Elkan 2002):
      ``sigmoid(slope * logit(p) + intercept)`` of each class, scaled to a sum of 1.
    - ``isotonic``: each class through its own rising line from ``knots`` to ``values``, level beyond its ends, scaled to a sum
      of 1.

    Where every class comes out as 0, all are taken for equally likely.
    """

    method: Literal["temperature", "platt", "isotonic"]
    temperature: float = 1.0
    slopes: tuple[float, ...] = ()  # platt: one per class, 0 or more
    intercepts: tuple[float, ...] = ()
    knots: tuple[tuple[float, ...], ...] = ()  # isotonic: one rising list per class
    values: tuple[tuple[float, ...], ...] = ()

    def problem(self, classes: int) -> str:
        """Why it does not fit ``classes`` probabilities; empty where it does."""
        if self.method == "temperature":
            return "" if 0 < self.temperature < float("inf") else f"temperature is {self.temperature}, expected more than 0"
        if self.method == "platt":
            if len(self.slopes) != classes or len(self.intercepts) != classes:
                return f"platt has {len(self.slopes)} slopes and {len(self.intercepts)} intercepts, expected {classes} of each"
            if not np.isfinite([*self.slopes, *self.intercepts]).all() or min(self.slopes) < 0:
                return "platt needs finite numbers, and slopes of 0 or more"
            return ""
        if len(self.knots) != classes or len(self.values) != classes:
            return f"isotonic has {len(self.knots)} lists of knots and {len(self.values)} of values, expected {classes} of each"
        for knots, values in zip(self.knots, self.values, strict=True):
            if not knots or len(knots) != len(values):
                return f"isotonic has {len(knots)} knots with {len(values)} values, expected as many, and at least one"
            if not np.isfinite([*knots, *values]).all() or (np.diff(knots) <= 0).any() or (np.diff(values) < 0).any():
                return "isotonic needs finite numbers, knots that rise and values that do not fall"
            if min(values) < 0 or max(values) > 1:
                return "isotonic needs values from 0 to 1"
        return ""

    def apply(self, probabilities: NDArray[Any]) -> NDArray[np.float64]:
        """Calibrated probabilities, shape (n, classes); the input is not changed. nan stays nan."""
        found: NDArray[np.float64] = np.array(probabilities, np.float64)
        if self.method == "temperature":
            np.maximum(found, _LEAST, out=found)
            np.log(found, out=found)
            found /= self.temperature
            found -= found.max(axis=1, keepdims=True)
            np.exp(found, out=found)
        elif self.method == "platt":
            np.minimum(np.maximum(found, _LEAST, out=found), 1 - _LEAST, out=found)
            found = np.log(found) - np.log1p(-found)
            found *= self.slopes
            found += self.intercepts
            np.maximum(found, -_FAR, out=found)
            found = 1.0 / (1.0 + np.exp(-found))
        else:
            for k, (knots, values) in enumerate(zip(self.knots, self.values, strict=True)):
                found[:, k] = np.interp(found[:, k], knots, values)
        total = found.sum(axis=1, keepdims=True)
        if not total.all():
            found[total[:, 0] == 0] = 1.0
            total = found.sum(axis=1, keepdims=True)
        found /= total
        return found
