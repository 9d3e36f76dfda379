"""What a process holds in memory of its own, over time: anonymous and shared pages, and none of the files that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

WARM_S = 120.0
WARM_SHARE = 0.05


class Memory:
    """Samples of one process, MB."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/status")
        self._samples: list[tuple[float, float]] = []  # seconds, MB
        self._resident = 0.0

    def look(self, seconds: float) -> None:
        fields = dict(line.split(":", 1) for line in self._path.read_text().splitlines())
        kb = {name: int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem", "VmRSS")}
        self._samples.append((seconds, (kb["RssAnon"] + kb["RssShmem"]) / 1024))
        self._resident = kb["VmRSS"] / 1024

    @property
    def newest(self) -> float:
        return self._samples[-1][1]

    def report(self, seconds: float) -> dict[str, Any]:
        """``grown_mb``: by how much the level rose above that of the first tenth after the warm-up, in the tenth where it is
        highest. A level is a median: what waits to be written comes and goes, some MB from one look to the next. None where
        nothing was measured."""
        warm = min(WARM_S, max(WARM_SHARE * seconds, 1.0))
        found = np.array([one for one in self._samples if one[0] >= warm]).reshape(-1, 2)
        if len(found) < 2:
            return {"samples": len(found), "grown_mb": None}
        at, held = found[:, 0], found[:, 1]
        levels = [float(np.median(part)) for part in np.array_split(held, min(10, len(held)))]
        return {
            "samples": len(found),
            "first_mb": _mb(held[0]),
            "last_mb": _mb(held[-1]),
            "max_mb": _mb(held.max()),
            "levels_mb": [_mb(level) for level in levels],
            "grown_mb": _mb(max(levels[1:]) - levels[0]),
            "slope_mb_per_h": _mb(np.polyfit(at / 3600, held, 1)[0]),
            "resident_with_files_mb": _mb(self._resident),
        }


def _mb(number: float | np.floating[Any]) -> float:
    return round(float(number), 2)
