"""Rows, bundles and rules for the tests of drift."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vtframe.api import BundleInfo, InputFeature, Label, RowBlock, SessionInfo
from vtframe.domain import ROW, DriftVerdict
from vtframe.inference.drift import DriftMonitor, DriftRule, Thresholds, training_columns

COLUMNS = ("calm", "skewed", "tied", "wide")


def draw(count: int, seed: int) -> np.ndarray:
    """Independent rows of four very different columns."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.normal(size=count),
        rng.exponential(size=count) ** 2,
        rng.integers(-2, 3, count).astype(float),
        rng.standard_t(2, size=count) * 1e4,
    ]
    return np.column_stack(columns).astype(np.float32)


def bundle(
    training: np.ndarray | None = None, *, columns: Sequence[str] = COLUMNS, log_loss: float | None = None
) -> BundleInfo:
    return BundleInfo(
        name="m",
        path=Path("unused"),
        hash="h",
        backend="none",
        file="model",
        features=tuple(InputFeature(use=name, label=name, columns=(name,)) for name in columns),
        window=1,
        dtype="float32",
        classes=("down", "flat", "up"),
        label=Label(horizon_rows=5, threshold_bps=0.5),
        expected_move_bps=(-1.0, 0.0, 1.0),
        variance_bps2=1.0,
        horizon_ns=1,
        sampling="frame",
        metrics={} if log_loss is None else {"log_loss": log_loss},
        training={} if training is None else training_columns(training, columns),
    )


def rule(number: int = 0, **changed: Any) -> DriftRule:
    """psi over 2,000 rows, judged every 100, that only warns; ``changed`` may have thresholds too."""
    answers = {name: changed.pop(name) for name in ("warn", "shrink", "reduce_only", "halt") if name in changed}
    settings = {"model": "m", "watch": "inputs", "measure": "psi", "window": 2000, "every": 100, **changed}
    return DriftRule(number=number, thresholds=Thresholds(**(answers or {"warn": 0.1})), **settings)


def session(
    *, columns: Sequence[str] = COLUMNS, instruments: Sequence[str] = ("A@x", "B@x"), dtype: str = "float32"
) -> SessionInfo:
    return SessionInfo(
        session_id="s",
        folder=Path("unused"),
        instruments=tuple(instruments),
        columns=tuple(columns),
        dtype=dtype,
        schema_hash="h",
        fingerprint="f",
    )


def monitor(rules: Iterable[DriftRule], info: BundleInfo, **of_session: Any) -> tuple[DriftMonitor, list[DriftVerdict]]:
    """A monitor that was started, and the list that its verdicts go to."""
    made, verdicts = DriftMonitor(list(rules), {"m": info}), []
    made.tell = verdicts.append
    made.start(session(**of_session))
    return made, verdicts


def block(values: np.ndarray, *, first: int = 0, instrument: int = 0, valid: np.ndarray | None = None) -> RowBlock:
    """Rows numbered from ``first``; the input of row n is 10 n."""
    meta = np.zeros(len(values), ROW)
    meta["number"] = np.arange(first, first + len(values))
    meta["input"] = meta["number"] * 10
    meta["instrument"] = instrument
    meta["valid"] = 1 if valid is None else valid
    return RowBlock(meta=meta, values=values)
