"""Has a mean changed since the session began? ADWIN (Bifet and Gavalda 2007), by the library river (extra ``drift``).

ADWIN keeps a window that grows while its mean is steady and drops its older part where two parts differ by more than chance,
in O(log n) a number. Its guarantee is for numbers in 0..1 that do not depend on each other: it is fed means of many rows.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


def available() -> bool:
    """Whether river is installed. It is imported where a rule asks for it: that takes a second or two."""
    return importlib.util.find_spec("river") is not None


class MeanChange:
    """How far the mean has moved from what it was before its first change; 0 until there is one."""

    def __init__(self, delta: float) -> None:
        """``delta``: the probability with which a change is told where there is none. Raises ImportError without river."""
        self._adwin: Any = importlib.import_module("river.drift").ADWIN(delta=delta, clock=1, grace_period=10)
        self._before: float | None = None  # the mean before the first change
        self._mean = 0.0
        self.changes = 0

    def add(self, number: float) -> float:
        """Take one number in 0..1; the signed move of the mean."""
        adwin = self._adwin
        adwin.update(number)
        if adwin.drift_detected:
            self.changes += 1
            if self._before is None:
                self._before = self._mean
        self._mean = adwin.estimation
        return 0.0 if self._before is None else self._mean - self._before
