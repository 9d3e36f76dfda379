"""Whether an opened model keeps the contract of vtframe.api.Model on a few rows. For checks and tests, never per event."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, Model, calibrated

_ROWS = 16
_TOLERANCE = 1e-5


class Check(NamedTuple):
    """One thing that was looked at, and what was seen."""

    name: str
    ok: bool
    found: str


def verify_model(model: Model, bundle: BundleInfo, *, seed: int = 0) -> list[Check]:
    """Run ``model`` on rows of zeros and of standard normal numbers, in float32 or float64 as the bundle says."""
    shape = (_ROWS, bundle.window, len(bundle.columns))
    rows = np.random.default_rng(seed).standard_normal(shape).astype(bundle.dtype)
    rows[0] = 0
    kept = rows.copy()
    together = np.array(model.predict(rows))
    expected = (_ROWS, len(bundle.classes))
    checks = [Check("shape", together.shape == expected, f"{together.shape} for {shape}")]
    if together.shape != expected:
        return checks
    alone = np.concatenate([_answer(model, rows[k : k + 1]) for k in range(_ROWS)])
    again = np.concatenate([_answer(model, rows[k : k + 1]) for k in range(_ROWS)])
    apart = float(np.max(np.abs(alone - together)))
    parts = [alone[:, head] for head in _probabilities(bundle)]
    off = max((float(np.max(np.abs(part.sum(axis=1) - 1))) for part in parts), default=0.0)
    sums = f"each row sums to 1 within {off:.1e}" if parts else "it answers none"
    varied = len(np.unique(alone, axis=0))
    return [
        *checks,
        Check("finite", bool(np.isfinite(alone).all()), "every output is a finite number"),
        Check("probabilities", all((part >= 0).all() for part in parts) and off < _TOLERANCE, sums),
        Check("reads_its_input", varied > 1, f"{varied} different answers to {_ROWS} different rows"),
        Check("repeats", alone.tobytes() == again.tobytes(), "asked twice, the same bits"),
        Check("batch", apart < _TOLERANCE, f"alone and in a batch of {_ROWS} within {apart:.1e}"),
        Check("input_untouched", rows.tobytes() == kept.tobytes(), "the rows are as they were"),
    ]


def check_calibration(model: Model, plain: Model, bundle: BundleInfo, *, seed: int = 0) -> Check:
    """Whether ``model`` answers as ``plain``, the same without its calibrator, does with the calibrator behind it."""
    shape = (_ROWS, bundle.window, len(bundle.columns))
    rows = np.random.default_rng(seed).standard_normal(shape).astype(bundle.dtype)
    apart = float(np.max(np.abs(_answer(model, rows) - _answer(calibrated(plain, bundle), rows))))
    return Check("calibration", apart < _TOLERANCE, f"the bundle's calibrator stands behind the model, within {apart:.1e}")


def _probabilities(bundle: BundleInfo) -> list[slice]:
    """Where the outputs of each classification lie."""
    found, first = [], 0
    for head in bundle.output_heads:
        if head.kind == "classification":
            found.append(slice(first, first + len(head.outputs)))
        first += len(head.outputs)
    return found


def _answer(model: Model, row: NDArray[Any]) -> NDArray[Any]:
    """A copy: the model's own array is overwritten by the next call."""
    return np.array(model.predict(row))
