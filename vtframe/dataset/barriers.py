"""The way of every row to its first barrier. Compiled, and in a file of its own, which is what numba's cache looks at."""

from __future__ import annotations

from typing import Any

from numba import njit


@njit(cache=True, error_model="numpy")
def walk(  # noqa: PLR0917 - compiled: no keywords
    mid: Any, valid: Any, upper: Any, lower: Any, ends: Any, seen: Any, there: Any, label: Any
) -> None:
    """For each row from its own to ``ends``: the first at which the mid's move in bps is ``upper`` or more (label 1) or
    ``-lower`` or less (-1), or which is not valid (no label). ``ends``, ``seen``, ``there`` and ``label`` hold what is so where
    neither comes, and are written where one does. A row whose barriers are nan is left as it is.
    """
    for row in range(len(mid)):
        up, down = upper[row], -lower[row]
        if not up > 0.0:
            continue
        now = mid[row]
        for at in range(row + 1, ends[row] + 1):
            sign = 0
            if valid[at]:
                move = (mid[at] / now - 1.0) * 1e4  # as domain.label.move_bps
                if move >= up:
                    sign = 1
                elif move <= down:
                    sign = -1
                else:
                    continue
            ends[row] = at
            seen[row] = True
            there[row] = valid[at]
            label[row] = sign
            break
