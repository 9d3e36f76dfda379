"""Has a mean changed since the session began? ADWIN (Bifet and Gavalda 2007), by the library river (extra ``drift``).

ADWIN keeps a window that grows while its mean is steady and drops its older part where two parts differ by more than chance,
in O(log n) a number. Its promise is for numbers in 0..1 that do not depend on each other. So it is fed means of many rows, each
as its place among the first of them (the normal distribution function of its standard score): means of many rows lie close
together, and as they are they would hide from a bound that is made for all of 0..1.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import statistics
from collections import deque
from typing import Any

_FIRST = 30  # numbers that the scale is taken from
_KEPT = 4096  # numbers


def available() -> bool:
    """Whether river is installed. It is imported where a rule asks for it: that takes a second or two."""
    return importlib.util.find_spec("river") is not None


class MeanChange:
    """How far the mean has moved from what it was before its first change; 0 until there is one."""

    def __init__(self, delta: float) -> None:
        """``delta``: the probability with which a change is told where there is none. Raises ImportError without river."""
        self._adwin: Any = importlib.import_module("river.drift").ADWIN(delta=delta, clock=1, grace_period=10)
        self._numbers: deque[float] = deque(maxlen=_KEPT)
        self._scale: tuple[float, float] | None = None  # mean and deviation of the first numbers
        self._before: float | None = None  # the mean before the first change
        self.changes = 0

    def add(self, number: float) -> float:
        """Take one number; the signed move of the mean, in the number's own unit."""
        self._numbers.append(number)
        if self._scale is None:
            if len(self._numbers) < _FIRST:
                return 0.0
            first = list(self._numbers)
            self._scale = (statistics.fmean(first), max(statistics.pstdev(first), 1e-12))
            for one in first[:-1]:
                self._adwin.update(_place(one, *self._scale))
        self._adwin.update(_place(number, *self._scale))
        if self._adwin.drift_detected:
            self.changes += 1
            if self._before is None:
                older = list(self._numbers)[: -int(self._adwin.width)]
                self._before = statistics.fmean(older) if older else self._scale[0]
        if self._before is None:
            return 0.0
        newer = min(int(self._adwin.width), len(self._numbers))
        return statistics.fmean(list(self._numbers)[-newer:]) - self._before


def _place(number: float, mean: float, deviation: float) -> float:
    return 0.5 * (1.0 + math.erf((number - mean) / (deviation * math.sqrt(2.0))))
