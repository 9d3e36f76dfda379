"""The two compiled entry points, cached on disk under a digest of every source that they are made of.

numba's cache looks only at the file of the function itself: with kernels in several files it would go on running old code
after an edit. So only these two are cached, and the digest, a closure's value, is part of their cache key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

from vtframe.domain import records
from vtframe.sim.publication import advance, obey
from vtframe.sim.state import CODE


def source_digest(*files: Path) -> int:
    """The first 56 bits of the sha256 over the files' bytes, in order."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return int.from_bytes(digest.digest()[:7])


def _entries(code: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    @njit(cache=True)
    def generate(state: Any, tables: Any, frames: Any, events: Any, counts: Any, limit: int, until: int) -> bool:
        state.scalars[CODE] = code
        done: bool = advance(state, tables, frames, events, counts, limit, until)
        return done

    @njit(cache=True)
    def act(state: Any, tables: Any, frames: Any, events: Any, counts: Any, order: tuple[int, int, int, int, int, int]) -> int:
        state.scalars[CODE] = code
        answer: int = obey(state, tables, frames, events, counts, order)
        return answer

    return generate, act


_here = Path(__file__).parent
generate, act = _entries(
    source_digest(
        *(_here / f"{name}.py" for name in ("kernel", "xoshiro", "intensities", "state", "matching", "flow", "publication")),
        Path(records.__file__),
    )
)
