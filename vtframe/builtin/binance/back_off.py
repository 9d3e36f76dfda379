"""How long to wait before the next attempt: twice as long after each failure, and never the same for two clients."""

from __future__ import annotations

import numpy as np


class BackOff:
    """Waits of ``first_s``, twice that, and so on up to ``most_s``, each times a random share between a half and one."""

    def __init__(self, generator: np.random.Generator, *, first_s: float, most_s: float) -> None:
        self._generator = generator
        self._first = first_s
        self._most = most_s
        self.failures = 0

    def next_s(self) -> float:
        """Seconds to wait now, after one more failure."""
        longest = min(self._most, self._first * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return float(longest * self._generator.uniform(0.5, 1.0))

    def reset(self) -> None:
        """It went well."""
        self.failures = 0
