"""Whether a converted model answers as its original: on real rows, in batches and alone, within a stated tolerance."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, Model
from vtframe.errors import InputError
from vtframe.inference.importing.rows import RowSet

LEAST_ROWS = 1_000
MOST_ROWS = 5_000
TOLERANCE = 1e-5
_BATCH = 64
_ALONE = 200


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far a model is from its original: differences as shares of 1 or of the original's number, whichever is more."""

    rows: int
    largest: float
    worst: int  # row of the data set
    output: int
    found: float
    original: float


def sample_rows(rows: RowSet, window: int) -> NDArray[np.int64]:
    """Rows to compare on, spread evenly over the data set. Raises InputError where there are too few."""
    usable = rows.usable(window)
    if len(usable) < LEAST_ROWS:
        problem = f"has {len(usable)} windows of {window} valid row(s), and {LEAST_ROWS:,} are needed to compare on"
        raise InputError(str(rows.path), problem, "make rows of a longer recording")
    count = min(len(usable), MOST_ROWS)
    return usable[np.linspace(0, len(usable) - 1, count).astype(np.int64)]


def compare(model: Model, windows: NDArray[Any], original: NDArray[np.float64], rows: NDArray[np.int64]) -> Agreement:
    """Ask ``model`` about ``windows`` in batches and, for some, alone; the worst difference from ``original``'s answers."""
    found = answers(model, windows)
    spread = np.linspace(0, len(windows) - 1, min(_ALONE, len(windows))).astype(np.int64)
    alone = np.concatenate([np.array(model.predict(windows[k : k + 1]), np.float64) for k in spread])
    scale = np.maximum(1.0, np.abs(original))
    apart = np.abs(found - original) / scale
    apart[spread] = np.maximum(apart[spread], np.abs(alone - original[spread]) / scale[spread])
    apart = np.where(np.isnan(apart), np.inf, apart)
    worst, output = (int(k) for k in np.unravel_index(np.argmax(apart), apart.shape))
    return Agreement(
        rows=len(rows),
        largest=float(apart[worst, output]),
        worst=int(rows[worst]),
        output=output,
        found=float(found[worst, output]),
        original=float(original[worst, output]),
    )


def answers(model: Model, windows: NDArray[Any]) -> NDArray[np.float64]:
    """The model's answers to all windows, in batches of one size (the last may be smaller)."""
    parts = [np.array(model.predict(windows[k : k + _BATCH]), np.float64) for k in range(0, len(windows), _BATCH)]
    return np.concatenate(parts)


def refuse(where: str, bundle: BundleInfo, agreement: Agreement, rows: RowSet, *, tolerance: float, hint: str) -> InputError:
    """The message for a conversion that is not the original."""
    name = bundle.classes[agreement.output]
    problem = (
        f"the converted model is not the original: at {rows.told(agreement.worst)} it answers {agreement.found!r} for "
        f"{name!r}, the original {agreement.original!r}; apart by {agreement.largest:.1e}, allowed is {tolerance:.0e}"
    )
    return InputError(where, problem, hint)
